//! Regular expressions of POSIX, as glibc takes them, in the syntax of the crate `regex`.

/// Says the same in the other syntax.
///
/// # Errors
/// With what cannot be said in it.
pub(super) fn translate(text: &[u8]) -> Result<String, String> {
    let mut translator =
        Translator { rest: text, out: String::new(), atom: None, open: Vec::new() };
    while let Some(byte) = translator.take() {
        translator.handle(byte)?;
    }
    if translator.open.is_empty() { Ok(translator.out) } else { Err("a `(` has no `)`".into()) }
}

struct Translator<'a> {
    rest: &'a [u8],
    out: String,
    /// Where the last atom begins in what is written, and whether it has a quantifier already.
    atom: Option<(usize, bool)>,
    /// Where the open groups begin.
    open: Vec<usize>,
}

impl Translator<'_> {
    fn take(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn handle(&mut self, byte: u8) -> Result<(), String> {
        match byte {
            b'\\' => self.escape()?,
            b'[' => self.bracket()?,
            b'(' => {
                self.open.push(self.out.len());
                self.between("(");
            }
            b')' => match self.open.pop() {
                Some(start) => {
                    self.out.push(')');
                    self.atom = Some((start, false));
                }
                // One without a beginning is a character like any other.
                None => self.atom(&one(byte)),
            },
            b'|' => self.between("|"),
            b'^' => self.between("^"),
            b'$' => self.between("$"),
            b'.' => self.atom("."),
            b'*' => self.quantifier("*")?,
            b'+' => self.quantifier("+")?,
            b'?' => self.quantifier("?")?,
            b'{' => self.interval()?,
            _ => self.atom(&one(byte)),
        }
        Ok(())
    }

    /// Writes what can be repeated.
    fn atom(&mut self, text: &str) {
        self.atom = Some((self.out.len(), false));
        self.out.push_str(text);
    }

    /// Writes what cannot be repeated.
    fn between(&mut self, text: &str) {
        self.out.push_str(text);
        self.atom = None;
    }

    fn quantifier(&mut self, text: &str) -> Result<(), String> {
        let Some((start, quantified)) = self.atom else {
            return Err(format!("nothing stands before `{text}`"));
        };
        if quantified {
            // `a+?` is an `a+` that may be missing, not one that takes as little as it can.
            self.out.insert_str(start, "(?:");
            self.out.push(')');
        }
        self.out.push_str(text);
        self.atom = Some((start, true));
        Ok(())
    }

    /// `{2}`, `{2,}`, `{2,3}` and, as GNU has it, `{,3}`.
    fn interval(&mut self) -> Result<(), String> {
        let end = self.rest.iter().position(|&byte| byte == b'}').ok_or("a `{` has no `}`")?;
        let inside = self.rest.get(..end).unwrap_or_default();
        let text = std::str::from_utf8(inside).unwrap_or_default();
        let (least, most) = text.split_once(',').unwrap_or((text, text));
        let is_count = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_count(least) || !is_count(most) || text.is_empty() || text == "," {
            return Err(format!("`{{{}}}` says no numbers", inside.escape_ascii()));
        }
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        let least = if least.is_empty() { "0" } else { least };
        self.quantifier(&if text.contains(',') {
            format!("{{{least},{most}}}")
        } else {
            format!("{{{least}}}")
        })
    }

    fn escape(&mut self) -> Result<(), String> {
        let Some(byte) = self.take() else { return Err("a backslash stands at the end".into()) };
        match byte {
            b'1'..=b'9' => {
                return Err(format!(
                    "`\\{}` asks for the same text once more, which cannot be taken over; spell it out",
                    char::from(byte)
                ));
            }
            b'w' | b'W' | b's' | b'S' => self.atom(&format!("\\{}", char::from(byte))),
            b'b' | b'B' | b'<' | b'>' => self.between(&format!("\\{}", char::from(byte))),
            b'`' => self.between("\\A"),
            b'\'' => self.between("\\z"),
            _ => self.atom(&one(byte)),
        }
        Ok(())
    }

    /// `[a-z]`, `[^]x]`, `[[:alpha:]_]`: a backslash is one of the characters.
    fn bracket(&mut self) -> Result<(), String> {
        const NO_END: &str = "a `[` has no `]`";
        let mut out = String::from("[");
        if self.rest.first() == Some(&b'^') {
            self.take();
            out.push('^');
        }
        let mut first = true;
        loop {
            let byte = self.take().ok_or(NO_END)?;
            match (byte, self.rest.first()) {
                (b']', _) if !first => break,
                (b'[', Some(b':')) => {
                    let end = self.rest.iter().position(|&byte| byte == b']').ok_or(NO_END)?;
                    let class = self.rest.get(..end).unwrap_or_default();
                    self.rest = self.rest.get(end + 1..).unwrap_or_default();
                    out.extend(["[", &class.escape_ascii().to_string(), "]"]);
                }
                (b'[', Some(kind @ (b'.' | b'='))) => {
                    return Err(format!(
                        "`[{}` asks for what a language takes for one letter, which cannot be taken over",
                        char::from(*kind)
                    ));
                }
                // A range; at either end it is one of the characters.
                (b'-', Some(next)) if !first && *next != b']' => out.push('-'),
                _ => out.push_str(&one(byte)),
            }
            first = false;
        }
        out.push(']');
        self.atom(&out);
        Ok(())
    }
}

/// A byte that stands for itself.
fn one(byte: u8) -> String {
    match byte {
        b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'/' | b'_' => char::from(byte).into(),
        _ => format!("\\x{byte:02X}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_something_else_is_written_otherwise() {
        for (posix, ours) in [
            ("^/tftpboot/", "^/tftpboot/"),
            ("a.b", "a.b"),
            (r"\.pvt$", r"\x2Epvt$"),
            (r"\\", r"\x5C"),
            (r"\#", r"\x23"),
            (r"\d\n", "dn"),
            (r"[a\]", r"[a\x5C]"),
            ("[]a]", r"[\x5Da]"),
            ("[^]a-z-]", r"[^\x5Da-z\x2D]"),
            ("[a&&b~~c[]", r"[a\x26\x26b\x7E\x7Ec\x5B]"),
            ("[[:alpha:]_]", "[[:alpha:]_]"),
            ("a+?", "(?:a+)?"),
            ("(ab)*{2}", "(?:(ab)*){2}"),
            ("a{,3}b{2,}c{1}", "a{0,3}b{2,}c{1}"),
            ("a)", r"a\x29"),
            (r"\<a\>", r"\<a\>"),
            (r"\`a\'", r"\Aa\z"),
            ("a|(b|)", "a|(b|)"),
            ("gr\u{fc}n", r"gr\xC3\xBCn"),
        ] {
            assert_eq!(translate(posix.as_bytes()).as_deref(), Ok(ours), "{posix}");
        }
    }

    #[test]
    fn what_cannot_be_said_is_reported() {
        for (posix, part) in [
            (r"(a)\1", "`\\1` asks for the same text once more"),
            ("[[.ch.]]", "`[.` asks for"),
            ("[[=a=]]", "`[=` asks for"),
            ("*a", "nothing stands before `*`"),
            ("(?:a)", "nothing stands before `?`"),
            ("a|*", "nothing stands before `*`"),
            ("a{x}", "`{x}` says no numbers"),
            ("a{1", "a `{` has no `}`"),
            ("[a", "a `[` has no `]`"),
            ("(a", "a `(` has no `)`"),
            ("a\\", "a backslash stands at the end"),
        ] {
            let error = translate(posix.as_bytes()).expect_err(posix);
            assert!(error.starts_with(part), "{posix}: {error}");
        }
    }
}
