//! Rules as tftp-hpa's `in.tftpd --map-file` takes them (its manual, "Filename remapping").
//!
//! One rule a line: an operation, a regular expression in the style of egrep, and a replacement.

mod egrep;
#[cfg(test)]
mod tests;

use super::{
    faults::MapFault,
    pattern::Pattern,
    rule::{Action, Kinds, Repeat, Rule, Then},
    template::{Case, Part, Template},
};
use crate::{server::Network, storage::client::Spelling};

/// Reads the rules in a file.
///
/// # Errors
/// With every line that cannot be taken over, and why.
pub(super) fn read(content: &[u8], ignore_case: bool) -> Result<Vec<Rule>, Vec<MapFault>> {
    let (mut rules, mut faults) = (Vec::new(), Vec::new());
    for (index, line) in content.split(|&byte| byte == b'\n').enumerate() {
        let number = index + 1;
        match rule(number, line, ignore_case) {
            Ok(rule) => rules.extend(rule),
            Err(what) => faults.push(MapFault { line: Some(number), what }),
        }
    }
    if faults.is_empty() { Ok(rules) } else { Err(faults) }
}

fn rule(line: usize, text: &[u8], ignore_case: bool) -> Result<Option<Rule>, String> {
    let mut fields = Fields(text);
    let Some(letters) = fields.next() else { return Ok(None) };
    check(letters)?;
    let has = |letter: u8| letters.contains(&letter);
    if has(b'~') && has(b'r') {
        return Err("`~` cannot be used together with `r`".into());
    }
    let regex = fields.next().ok_or("there is no regular expression")?;
    let replacement = fields.next().unwrap_or_default();
    let pattern = Pattern::posix(&egrep::translate(regex)?, ignore_case || has(b'i'))?;
    let template = replacement_template(replacement, pattern.groups())?;
    let action = if has(b'a') {
        Action::Deny((!replacement.is_empty()).then_some(template))
    } else if has(b'r') {
        Action::Rewrite(template, if has(b'g') { Repeat::UntilNone } else { Repeat::Once })
    } else {
        Action::Keep
    };
    let then = if has(b'e') {
        Then::Stop
    } else if has(b's') {
        Then::Restart
    } else {
        Then::Next
    };
    let (pattern, unless) = if has(b'~') { (None, Some(pattern)) } else { (Some(pattern), None) };
    let (kinds, clients) = (kinds(letters), clients(letters)?);
    Ok(Some(Rule { line, kinds, clients, pattern, unless, action, then }))
}

/// Looks for letters that mean nothing.
fn check(letters: &[u8]) -> Result<(), String> {
    let Some(unknown) = letters.iter().find(|letter| !b"rgieasGP46~".contains(letter)) else {
        return Ok(());
    };
    if letters.starts_with(b"[[") {
        return Err("a file of rules in TOML must have a name that ends in `.toml`".into());
    }
    let unknown = unknown.escape_ascii();
    Err(format!("`{unknown}` is no operation; there are r, g, i, e, s, a, G, P, 4, 6 and ~"))
}

/// Which way the file must go. One that must go both ways does not exist.
fn kinds(letters: &[u8]) -> Kinds {
    let (get, put) = (letters.contains(&b'G'), letters.contains(&b'P'));
    Kinds { read: !put, write: !get, ..Kinds::NONE }
}

fn clients(letters: &[u8]) -> Result<Vec<Network>, String> {
    let family =
        |letter, network: &str| letters.contains(&letter).then(|| network.parse().ok()).flatten();
    match (family(b'4', "0.0.0.0/0"), family(b'6', "::/0")) {
        (Some(_), Some(_)) => Err("no client has both an IPv4 and an IPv6 address".into()),
        (v4, v6) => Ok(v4.into_iter().chain(v6).collect()),
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
                    return Err(format!(
                        "there is no \\{number}: the expression has {most} in parentheses"
                    ));
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
