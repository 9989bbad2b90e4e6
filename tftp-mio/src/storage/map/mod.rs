//! Rules that give other names to what clients ask for, before any file is looked for.

mod faults;
mod file;
mod hpa;
mod pattern;
mod rule;
mod template;

use std::{io, path::Path};

use tftp_core::{ErrorCode, Mode};

pub use faults::MapFaults;
use pattern::Groups;
use rule::{Action, Repeat, Rule, Then};
use template::Template;

use super::{Denied, Sink, Source, Storage, Wanted, name, read_settings};

/// Ordered rules about names.
///
/// Each rule is looked at in its turn. One that is about the operation and the client, and fits the
/// name, changes it, refuses the request, or ends the looking. A name has no more than
/// [`Self::MOST_STEPS`] rules looked at in excess of their number, and no more than
/// [`Self::LONGEST`] bytes: rules that would never end refuse the request.
#[derive(Debug)]
pub struct Map {
    rules: Vec<Rule>,
    style: Style,
}

/// What names the rules are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// Names in their plain form: `boot/x` for `//boot\.\x`.
    Plain,
    /// Names as clients write them, as tftp-hpa takes them.
    Raw,
}

const LEAVES: Denied = Denied::new(ErrorCode::ACCESS_VIOLATION, "access denied");
const NOT_FOUND: Denied = Denied::new(ErrorCode::FILE_NOT_FOUND, "file not found");
const ENDLESS: Denied =
    Denied::new(ErrorCode::ACCESS_VIOLATION, "the server's rules for this name do not end");
const TOO_LONG: Denied =
    Denied::new(ErrorCode::ACCESS_VIOLATION, "the server's rules make this name too long");

impl Map {
    /// How many more rules than there are may be looked at for one name, because of rules that
    /// repeat or start over.
    pub const MOST_STEPS: usize = 1024;
    /// The longest name that rules may make, in bytes; the longest path of Linux.
    pub const LONGEST: usize = 4096;

    /// Reads the rules in the file at `path`: those of `docs/names.md` from one whose name ends in
    /// `.toml`, and from any other those of tftp-hpa. With `ignore_case`, letters match in either
    /// case throughout, as a server needs it that takes names in any case.
    ///
    /// # Errors
    /// With all that is wrong with it, line by line.
    pub fn load(path: &Path, ignore_case: bool) -> Result<Self, MapFaults> {
        let content = read_settings(path).map_err(|error| MapFaults::unread(path, &error))?;
        let is_ours = path.extension().is_some_and(|extension| extension == "toml");
        let (rules, style) = if is_ours {
            let content = String::from_utf8(content).map_err(|error| {
                MapFaults::unread(path, &io::Error::new(io::ErrorKind::InvalidData, error))
            })?;
            (file::read(&content, ignore_case), Style::Plain)
        } else {
            (hpa::read(&content, ignore_case), Style::Raw)
        };
        let rules = rules.map_err(|faults| MapFaults::in_file(path, faults))?;
        Ok(Self { rules, style })
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The names that a request is really about, the best one first; never none.
    ///
    /// # Errors
    /// When a rule refuses the request, or the rules do not end.
    pub fn apply(&self, wanted: &Wanted<'_>) -> Result<Vec<Vec<u8>>, Denied> {
        let mut name = match (self.style, wanted.mode) {
            // The name of a person.
            (_, Mode::Mail) => wanted.name.to_vec(),
            (Style::Plain, _) => name::plain(wanted.name).ok_or_else(|| {
                wanted.note(format_args!("the name leads out of the root"));
                LEAVES
            })?,
            (Style::Raw, _) => name::without_all_rom_padding(wanted.name).to_vec(),
        };
        if name != wanted.name {
            wanted.note(format_args!("the rules see \"{}\"", name.escape_ascii()));
        }
        let names = match self.walk(wanted, &mut name)? {
            Some(aliases) => aliases,
            None => vec![name],
        };
        if self.style == Style::Raw && wanted.mode != Mode::Mail {
            names.iter().try_for_each(|name| check_raw(wanted, name))?;
        }
        Ok(names)
    }

    /// Takes a name along the rules. Returns the aliases, where one ends that way.
    fn walk(
        &self,
        wanted: &Wanted<'_>,
        name: &mut Vec<u8>,
    ) -> Result<Option<Vec<Vec<u8>>>, Denied> {
        let mut steps = self.rules.len() + Self::MOST_STEPS;
        let mut index = 0;
        while let Some(rule) = self.rules.get(index) {
            index += 1;
            take_step(&mut steps, wanted)?;
            let line = rule.line;
            if let Err(elsewhere) = rule.concerns(wanted) {
                wanted.note(format_args!("rule in line {line} {elsewhere}"));
                continue;
            }
            let Some(groups) = rule.find(name) else {
                wanted.note(format_args!("rule in line {line} does not fit"));
                continue;
            };
            let filled = |template: &Template| {
                let mut out = Vec::new();
                template.fill_in(wanted.client, name, &groups, &mut out);
                out
            };
            match &rule.action {
                Action::Keep => wanted.note(format_args!("rule in line {line} fits")),
                Action::Deny(text) => {
                    let denied = refusal(text.as_ref().map(filled));
                    wanted.note(format_args!("rule in line {line} refuses it: {denied}"));
                    return Err(denied);
                }
                Action::Alias(aliases) => {
                    let names: Vec<Vec<u8>> = aliases.iter().map(filled).collect();
                    for name in &names {
                        checked_length(name, wanted)?;
                        let name = name.escape_ascii();
                        wanted.note(format_args!("rule in line {line} stands for \"{name}\""));
                    }
                    return Ok(Some(names));
                }
                Action::Rewrite(template, repeat) => {
                    let walk = Rewriting { rule, template, repeat: *repeat, wanted };
                    walk.rewrite(name, groups, &mut steps)?;
                    let name = name.escape_ascii();
                    wanted.note(format_args!("rule in line {line} makes it \"{name}\""));
                }
            }
            match rule.then {
                Then::Next => {}
                Then::Stop => break,
                Then::Restart => index = 0,
            }
        }
        Ok(None)
    }
}

/// A rule that puts something in place of what has matched.
struct Rewriting<'a> {
    rule: &'a Rule,
    template: &'a Template,
    repeat: Repeat,
    wanted: &'a Wanted<'a>,
}

impl Rewriting<'_> {
    /// Rewrites a name in which the groups have matched.
    fn rewrite(&self, name: &mut Vec<u8>, groups: Groups, steps: &mut usize) -> Result<(), Denied> {
        let mut found = Some(groups);
        while let Some(groups) = found {
            *name = match self.repeat {
                Repeat::Every => self.every(name, groups),
                Repeat::Once | Repeat::UntilNone => self.one(name, &groups),
            };
            checked_length(name, self.wanted)?;
            found = None;
            if self.repeat == Repeat::UntilNone {
                take_step(steps, self.wanted)?;
                found = self.rule.find(name);
            }
        }
        Ok(())
    }

    fn one(&self, name: &[u8], groups: &Groups) -> Vec<u8> {
        let whole = whole(groups);
        let mut out = name[..whole.start].to_vec();
        self.template.fill_in(self.wanted.client, name, groups, &mut out);
        out.extend_from_slice(&name[whole.end..]);
        out
    }

    fn every(&self, name: &[u8], first: Groups) -> Vec<u8> {
        let (mut out, mut copied) = (Vec::new(), 0);
        let mut found = Some(first);
        while let Some(groups) = found {
            let whole = whole(&groups);
            out.extend_from_slice(&name[copied..whole.start]);
            self.template.fill_in(self.wanted.client, name, &groups, &mut out);
            copied = whole.end;
            // After an empty match the next one must not be the same again.
            let from = if whole.is_empty() { whole.end + 1 } else { whole.end };
            let pattern = self.rule.pattern.as_ref().filter(|_| from <= name.len());
            found = pattern.and_then(|pattern| pattern.find(name, from));
        }
        out.extend_from_slice(&name[copied..]);
        out
    }
}

fn whole(groups: &Groups) -> std::ops::Range<usize> {
    groups.first().cloned().flatten().unwrap_or_default()
}

fn take_step(steps: &mut usize, wanted: &Wanted<'_>) -> Result<(), Denied> {
    if *steps == 0 {
        wanted.note(format_args!("the rules do not end"));
        return Err(ENDLESS);
    }
    *steps -= 1;
    Ok(())
}

fn checked_length(name: &[u8], wanted: &Wanted<'_>) -> Result<(), Denied> {
    if name.len() > Map::LONGEST {
        wanted.note(format_args!("the rules make the name too long"));
        return Err(TOO_LONG);
    }
    Ok(())
}

/// tftp-hpa looks for a file under exactly the name that its rules have left. What would reach
/// one here by another spelling has not been seen by the rules in the spelling that counts.
fn check_raw(wanted: &Wanted<'_>, name: &[u8]) -> Result<(), Denied> {
    if name.contains(&b'\\') {
        wanted.note(format_args!(
            "a backslash is left: with rules of tftp-hpa's it is no slash (`rg \\\\ /` makes it one)"
        ));
        return Err(NOT_FOUND);
    }
    if name.split(|&byte| byte == b'/').any(|step| step == b"..") {
        wanted.note(format_args!("a step upwards is left, which rules cannot see through"));
        return Err(LEAVES);
    }
    Ok(())
}

/// The ERROR for a rule that refuses: printable ASCII, and short enough for one packet.
fn refusal(text: Option<Vec<u8>>) -> Denied {
    const LONGEST: usize = 400;
    let Some(mut text) = text else { return LEAVES };
    text.truncate(LONGEST);
    let printable = |&byte: &u8| if matches!(byte, b' '..=b'~') { char::from(byte) } else { '?' };
    let text: String = text.iter().map(printable).collect();
    Denied { code: ErrorCode::ACCESS_VIOLATION, text: text.into() }
}

/// A storage behind a map: rules first, then the storage under the names that they give.
pub struct Mapped {
    map: Map,
    storage: Box<dyn Storage>,
}

impl Mapped {
    /// Puts `map` before `storage`.
    pub fn new(map: Map, storage: Box<dyn Storage>) -> Self {
        Self { map, storage }
    }
}

impl Storage for Mapped {
    fn open(&self, wanted: &Wanted<'_>) -> Result<Box<dyn Source>, Denied> {
        let mut result = Err(NOT_FOUND);
        for name in self.map.apply(wanted)? {
            result = self.storage.open(&Wanted { name: &name, ..*wanted });
            match &result {
                Err(denied) if denied.code == ErrorCode::FILE_NOT_FOUND => {}
                _ => break,
            }
        }
        result
    }

    fn create(&self, wanted: &Wanted<'_>) -> Result<Box<dyn Sink>, Denied> {
        let name = self.map.apply(wanted)?.into_iter().next().unwrap_or_default();
        self.storage.create(&Wanted { name: &name, ..*wanted })
    }
}
