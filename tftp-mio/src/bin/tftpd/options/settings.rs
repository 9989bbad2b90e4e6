//! What the options were read from, to tell the operator, and to see what a reload changes.

use std::{collections::BTreeMap, ffi::OsString, fmt, path::Path};

use clap::{ArgAction, ArgMatches, Command, parser::ValueSource};

use super::Options;

/// The options that a reload changes in the running server; the others wait for a restart.
const RELOADED: &[&str] = &[
    "allow",
    "broadcast",
    "client-root",
    "deny",
    "grace",
    "ignore-case",
    "map",
    "max-blksize",
    "max-half-open",
    "max-transfers",
    "max-transfers-per-client",
    "max-upload-size",
    "max-windowsize",
    "min-free",
    "offer",
    "quiet",
    "refuse",
    "retries",
    "timeout",
    "upload-mode",
    "verbose",
    "write",
];

/// The options, and where each of them was given.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) options: Options,
    given: Vec<Given>,
}

/// An option that has not just its default.
#[derive(Clone, Debug)]
struct Given {
    key: String,
    value: String,
    origin: String,
}

impl Settings {
    /// `lines` has the lines of the file at `path` on which the options are that it gave.
    pub(super) fn new(
        options: Options,
        matches: &ArgMatches,
        command: &Command,
        path: Option<&Path>,
        lines: &BTreeMap<String, usize>,
    ) -> Self {
        let given = command
            .get_arguments()
            .filter(|arg| !arg.is_hide_set())
            .filter(|arg| {
                matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine)
            })
            .map(|arg| {
                let id = arg.get_id().as_str();
                let raw: Vec<OsString> =
                    matches.get_raw(id).into_iter().flatten().map(Into::into).collect();
                let texts: Vec<String> = raw.iter().map(toml).collect();
                let value = match arg.get_action() {
                    ArgAction::Append => format!("[{}]", texts.join(", ")),
                    _ => texts.concat(),
                };
                let origin = match (lines.get(id), path) {
                    (Some(line), Some(path)) => format!("{}:{line}", path.display()),
                    _ => "command line".into(),
                };
                Given { key: super::file::key_of(arg).into(), value, origin }
            })
            .collect();
        Self { options, given }
    }

    /// The keys of the options that differ between `self` and `other`.
    fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a str> {
        fn values(settings: &Settings) -> BTreeMap<&str, &str> {
            settings.given.iter().map(|given| (&*given.key, &*given.value)).collect()
        }
        let (ours, theirs) = (values(self), values(other));
        let keys: Vec<&str> = ours.keys().chain(theirs.keys()).copied().collect();
        let mut differing: Vec<&str> =
            keys.into_iter().filter(|key| ours.get(key) != theirs.get(key)).collect();
        differing.sort_unstable();
        differing.dedup();
        differing.into_iter()
    }

    /// What `next` changes that a running server can take.
    pub(crate) fn changed_now<'a>(&'a self, next: &'a Self) -> Vec<&'a str> {
        self.differing(next).filter(|key| RELOADED.contains(key)).collect()
    }

    /// What `next` changes that has to wait for a restart.
    pub(crate) fn changed_later<'a>(&'a self, next: &'a Self) -> Vec<&'a str> {
        self.differing(next).filter(|key| !RELOADED.contains(key)).collect()
    }
}

/// Each option that was given, as a line of a configuration file.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Given { key, value, origin } in &self.given {
            writeln!(f, "{key} = {value}  # {origin}")?;
        }
        Ok(())
    }
}

/// A value as TOML has it.
fn toml(value: &OsString) -> String {
    let text = value.to_string_lossy();
    if text == "true" || text.parse::<u64>().is_ok_and(|number| number.to_string() == text) {
        return text.into_owned();
    }
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() => {
                quoted.extend(format!("\\u{:04X}", u32::from(character)).chars());
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn what_is_reloaded_are_options() {
        let command = Options::command();
        for key in RELOADED {
            assert!(
                command.get_arguments().any(|arg| super::super::file::key_of(arg) == *key),
                "{key}"
            );
        }
    }

    #[test]
    fn values_are_toml() {
        for (text, expected) in [
            ("69", "69"),
            ("644", "644"),
            ("007", "\"007\""),
            ("a\"b\\", r#""a\"b\\""#),
            ("\n", r#""\u000A""#),
        ] {
            assert_eq!(toml(&text.into()), expected);
        }
    }
}
