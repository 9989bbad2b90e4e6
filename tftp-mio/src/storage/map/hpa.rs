//! Rules as tftp-hpa's `in.tftpd --map-file` takes them (its manual, "Filename remapping").
//!
//! One rule a line: an operation, a regular expression in the style of egrep, and a replacement.

mod egrep;
#[cfg(test)]
mod tests;

use super::{
    faults::Fault,
    pattern::Pattern,
    rule::{Action, Kinds, Repeat, Rule, Then},
    template::{Case, Part, Template},
};
use crate::{server::Network, storage::client::Spelling};

/// Reads the rules in a file.
///
/// # Errors
/// With every line that cannot be taken over, and why.
pub(super) fn read(content: &[u8], ignore_case: bool) -> Result<Vec<Rule>, Vec<Fault>> {
    let (mut rules, mut faults) = (Vec::new(), Vec::new());
    for (index, line) in content.split(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        match rule(number, line, ignore_case) {
            Ok(rule) => rules.extend(rule),
            Err(what) => faults.push(Fault { line: Some(number), what }),
        }
    }
    if faults.is_empty() { Ok(rules) } else { Err(faults) }
}

/// What the letters of an operation say.
struct Operation {
    rewrite: bool,
    global: bool,
    ignore_case: bool,
    exit: bool,
    restart: bool,
    abort: bool,
    inverse: bool,
    kinds: Kinds,
    clients: Vec<Network>,
}

fn rule(line: usize, text: &[u8], ignore_case: bool) -> Result<Option<Rule>, String> {
    let mut fields = Fields(text);
    let Some(letters) = fields.next() else { return Ok(None) };
    let operation = Operation::parse(letters)?;
    let regex = fields.next().ok_or("there is no regular expression")?;
    let replacement = fields.next().unwrap_or_default();
    if operation.inverse && operation.rewrite {
        return Err("`~` cannot be used together with `r`".into());
    }
    let ignore_case = ignore_case || operation.ignore_case;
    let pattern = Pattern::posix(&egrep::translate(regex)?, ignore_case)?;
    let template = replacement_template(replacement, pattern.groups())?;
    let action = if operation.abort {
        Action::Deny((!replacement.is_empty()).then_some(template))
    } else if operation.rewrite {
        Action::Rewrite(template, if operation.global { Repeat::UntilNone } else { Repeat::Once })
    } else {
        Action::Keep
    };
    let then = match (operation.exit, operation.restart) {
        (true, _) => Then::Stop,
        (false, true) => Then::Restart,
        (false, false) => Then::Next,
    };
    let (pattern, unless) =
        if operation.inverse { (None, Some(pattern)) } else { (Some(pattern), None) };
    let Operation { kinds, clients, .. } = operation;
    Ok(Some(Rule { line, kinds, clients, pattern, unless, action, then }))
}

impl Operation {
    fn parse(letters: &[u8]) -> Result<Self, String> {
        let has = |letter: u8| letters.contains(&letter);
        if let Some(unknown) = letters.iter().find(|letter| !b"rgieasGP46~".contains(letter)) {
            let unknown = unknown.escape_ascii();
            return Err(if letters == b"[[rule]]" {
                "a file of rules in TOML must have a name that ends in `.toml`".into()
            } else {
                format!("`{unknown}` is no operation; there are r, g, i, e, s, a, G, P, 4, 6 and ~")
            });
        }
        let kinds = Kinds { read: has(b'G') || !has(b'P'), write: has(b'P') || !has(b'G'), ..Kinds::NONE };
        let kinds = if has(b'G') && has(b'P') { Kinds::NONE } else { kinds };
        let family = |letter, network: &str| has(letter).then(|| network.parse().ok()).flatten();
        let clients = match (family(b'4', "0.0.0.0/0"), family(b'6', "::/0")) {
            (Some(_), Some(_)) => return Err("no client has both an IPv4 and an IPv6 address".into()),
            (v4, v6) => v4.into_iter().chain(v6).collect(),
        };
        Ok(Self {
            rewrite: has(b'r'),
            global: has(b'g'),
            ignore_case: has(b'i'),
            exit: has(b'e'),
            restart: has(b's'),
            abort: has(b'a'),
            inverse: has(b'~'),
            kinds,
            clients,
        })
    }
}

/// Words between white space, up to an unescaped `#`. Backslashes stay in them.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let is_space = |byte: u8| byte.is_ascii_whitespace() || byte == b'\x0B';
        let start = self.0.iter().position(|&byte| !is_space(byte))?;
        let text = &self.0[start..];
        let mut escaped = false;
        let end = text.iter().position(|&byte| {
            let ends = !escaped && (is_space(byte) || byte == b'#');
            escaped = !escaped && byte == b'\\';
            ends
        });
        let (word, rest) = text.split_at(end.unwrap_or(text.len()));
        // What follows a `#` is no word any more.
        self.0 = if rest.starts_with(b"#") { b"" } else { rest };
        (!word.is_empty()).then_some(word)
    }
}

/// Reads a replacement pattern. `groups` counts those of the expression, with the whole match.
fn replacement_template(text: &[u8], groups: usize) -> Result<Template, String> {
    let mut parts = Vec::new();
    let mut literal = Vec::new();
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        let escaped = if byte == b'\\' { bytes.next().copied() } else { None };
        let part = match escaped {
            None => {
                literal.push(byte);
                continue;
            }
            Some(digit @ b'0'..=b'9') => {
                let number = usize::from(digit - b'0');
                if number >= groups {
                    let most = groups - 1;
                    return Err(format!("there is no \\{number}: the expression has {most} in parentheses"));
                }
                Part::Group(number)
            }
            Some(b'i') => Part::Client(Spelling::Plain),
            Some(b'x') => Part::Client(Spelling::Hex),
            Some(b'U') => Part::Case(Case::Upper),
            Some(b'L') => Part::Case(Case::Lower),
            Some(b'E') => Part::Case(Case::AsIs),
            Some(other) => {
                literal.push(other);
                continue;
            }
        };
        if !literal.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut literal)));
        }
        parts.push(part);
    }
    if !literal.is_empty() {
        parts.push(Part::Text(literal));
    }
    Ok(Template::new(parts))
}
