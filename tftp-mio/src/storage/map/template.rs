//! Texts with blanks for what has matched and for who asks.

use std::{fmt::Write as _, net::IpAddr};

use super::pattern::{Groups, Pattern};
use crate::storage::client::Spelling;

/// A text with blanks.
#[derive(Debug, Default)]
pub(super) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Text(Vec<u8>),
    /// What the group of that number has matched.
    Group(usize),
    /// The client's address.
    Client(Spelling),
    /// How letters are written from here on.
    Case(Case),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    AsIs,
    Upper,
    Lower,
}

impl Template {
    pub(super) fn new(parts: Vec<Part>) -> Self {
        Self { parts }
    }

    /// Reads `boot/{1}/{ip_hex:lower}`: blanks are in braces, and `{{` and `}}` are braces. `ip`
    /// says how `{ip}` is to be spelled.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub(super) fn parse(
        text: &str,
        pattern: Option<&Pattern>,
        ip: Spelling,
    ) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut chars = text.char_indices();
        while let Some((at, char)) = chars.next() {
            let rest = &text[at + char.len_utf8()..];
            match char {
                '{' | '}' if rest.starts_with(char) => {
                    literal.push(char);
                    chars.next();
                }
                '{' => {
                    let (blank, _) = rest.split_once('}').ok_or("a `{` has no `}`")?;
                    if !literal.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut literal).into_bytes()));
                    }
                    parts.extend(blank_parts(blank, pattern, ip)?);
                    chars.nth(blank.chars().count());
                }
                '}' => return Err("a `}` has no `{`; the character itself is written `}}`".into()),
                char => literal.push(char),
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Text(literal.into_bytes()));
        }
        Ok(Self { parts })
    }

    /// Appends the text with its blanks filled in.
    pub(super) fn fill_in(&self, client: IpAddr, name: &[u8], groups: &Groups, out: &mut Vec<u8>) {
        let mut case = Case::AsIs;
        let mut spelled = String::new();
        for part in &self.parts {
            let piece = match part {
                Part::Case(new) => {
                    case = *new;
                    continue;
                }
                Part::Text(text) => text,
                Part::Group(number) => {
                    let range = groups.get(*number).cloned().flatten().unwrap_or_default();
                    name.get(range).unwrap_or_default()
                }
                Part::Client(spelling) => {
                    spelled.clear();
                    let _ = write!(spelled, "{}", spelling.of(client));
                    spelled.as_bytes()
                }
            };
            let begin = out.len();
            out.extend_from_slice(piece);
            match case {
                Case::AsIs => {}
                Case::Upper => out[begin..].make_ascii_uppercase(),
                Case::Lower => out[begin..].make_ascii_lowercase(),
            }
        }
    }
}

/// What stands for the inside of a pair of braces.
fn blank_parts(
    blank: &str,
    pattern: Option<&Pattern>,
    ip: Spelling,
) -> Result<impl Iterator<Item = Part>, String> {
    let (what, case) = match blank.split_once(':') {
        None => (blank, None),
        Some((what, "upper")) => (what, Some(Case::Upper)),
        Some((what, "lower")) => (what, Some(Case::Lower)),
        Some((what, _)) => {
            return Err(format!("`{{{blank}}}`: use {{{what}:upper}} or {{{what}:lower}}"));
        }
    };
    // A group may have any name, also one that means something else without it.
    let part = match (pattern.and_then(|pattern| pattern.group(what)), what) {
        (Some(number), _) => Part::Group(number),
        (None, "ip") => Part::Client(ip),
        (None, "ip_hex") => Part::Client(Spelling::Hex),
        (None, "mac") => {
            return Err("a request does not carry the client's MAC address; where its name does, \
                        as PXELINUX's do, take it from there with a group of `match`"
                .into());
        }
        (None, _) => Part::Group(numbered(what, pattern)?),
    };
    let start = case.map(Part::Case);
    let end = case.map(|_| Part::Case(Case::AsIs));
    Ok(start.into_iter().chain([part]).chain(end))
}

/// The group that is asked for by its number.
fn numbered(what: &str, pattern: Option<&Pattern>) -> Result<usize, String> {
    let Some(pattern) = pattern else {
        return Err(format!("there is no `{{{what}}}` without `match`; there are ip and ip_hex"));
    };
    match what.parse::<usize>() {
        Ok(number) if number < pattern.groups() => Ok(number),
        Ok(_) => Err(format!(
            "there is no group {{{what}}}: `match` has {} in parentheses, and {{0}} is all of it",
            pattern.groups() - 1
        )),
        Err(_) => Err(format!(
            "there is no `{{{what}}}`: there are {{0}}, {{1}} and so on for the groups of `match`, \
             the names of groups such as (?<{}>...), ip and ip_hex",
            if what.is_empty() { "name" } else { what }
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<String, String> {
        let pattern = Pattern::new("^([a-z]+)(?<digits>[0-9]*)", false).unwrap();
        let template = Template::parse(text, Some(&pattern), Spelling::FileName)?;
        let name = b"abc123.d";
        let groups = pattern.find(name, 0).unwrap();
        let mut out = Vec::new();
        template.fill_in("192.0.2.169".parse().unwrap(), name, &groups, &mut out);
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn blanks_are_filled_in() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("{0}", "abc123"),
            ("<{1}|{digits}>", "<abc|123>"),
            ("{1:upper}{1}", "ABCabc"),
            ("{ip}/{ip_hex}/{ip_hex:lower}", "192.0.2.169/C00002A9/c00002a9"),
            ("{{{1}}}", "{abc}"),
            ("gr\u{fc}n/{2}", "gr\u{fc}n/123"),
        ] {
            assert_eq!(filled(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_blank_that_cannot_be_filled_in_is_an_error_that_says_what_can() {
        for (text, expected) in [
            ("{3}", "there is no group {3}: `match` has 2 in parentheses, and {0} is all of it"),
            ("{1", "a `{` has no `}`"),
            ("1}", "a `}` has no `{`; the character itself is written `}}`"),
            ("{1:title}", "`{1:title}`: use {1:upper} or {1:lower}"),
        ] {
            assert_eq!(filled(text), Err(expected.into()), "{text}");
        }
        assert!(filled("{mac}").unwrap_err().starts_with("a request does not carry"));
        assert!(filled("{who}").unwrap_err().contains("(?<who>...)"));
    }
}
