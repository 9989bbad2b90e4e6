//! `status`, `help` and `bye`.

use std::ffi::OsString;

use super::{ALL, Argument, Command, Misuse, Spec, find, nothing};

pub(crate) const STATUS: Spec = Spec {
    name: "status",
    aliases: &[],
    usage: "status",
    summary: "show the server and all settings",
    detail: "",
    arguments: &[],
    parse: |words| nothing(words, Command::Status),
};

pub(crate) const HELP: Spec = Spec {
    name: "help",
    aliases: &["?"],
    usage: "help [COMMAND]",
    summary: "list the commands, or explain one",
    detail: "",
    arguments: &[Argument::Command, Argument::None],
    parse: parse_help,
};

pub(crate) const BYE: Spec = Spec {
    name: "bye",
    aliases: &["quit", "exit"],
    usage: "bye",
    summary: "leave; Ctrl-D does too",
    detail: "",
    arguments: &[],
    parse: |words| nothing(words, Command::Bye),
};

fn parse_help(words: &[OsString]) -> Result<Command, Misuse> {
    match words {
        [] => Ok(Command::Help(None)),
        [name] => find(name).map(Some).map(Command::Help),
        _ => Err(Misuse::too_many()),
    }
}

/// The text of `help`, without a command or with one.
pub(crate) fn help(about: Option<&Spec>) -> String {
    let Some(spec) = about else {
        return overview();
    };
    let mut text = format!("{}\n  {}", spec.usage, spec.summary);
    if !spec.aliases.is_empty() {
        text.push_str("\n  also: ");
        text.push_str(&spec.aliases.join(", "));
    }
    if !spec.detail.is_empty() {
        text.push_str("\n\n");
        text.push_str(spec.detail);
    }
    text
}

fn overview() -> String {
    // The usual way to type it; `help COMMAND` has the others.
    let usage = |spec: &Spec| spec.usage.split("  or  ").next().unwrap_or_default();
    let lines = ALL.iter().map(|spec| format!("{:<28} {}", usage(spec), spec.summary));
    let mut text = lines.collect::<Vec<_>>().join("\n");
    text.push_str("\n\nThe first letters of a command are enough; `help COMMAND` says more.");
    text
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            ALL, Command,
            tests::{command, misuse},
        },
        help,
    };

    #[test]
    fn help_lists_every_command() {
        let text = help(None);
        for spec in ALL {
            assert!(text.contains(spec.summary), "{}", spec.name);
        }
    }

    #[test]
    fn help_explains_a_command_under_any_of_its_names() {
        let Command::Help(Some(spec)) = command("? quit") else {
            panic!("no command found");
        };
        assert_eq!(spec.name, "bye");
        assert!(help(Some(spec)).contains("also: quit, exit"));
        assert!(misuse("help gte").contains("did you mean `get`"));
    }

    #[test]
    fn leaving_has_three_names() {
        for line in ["bye", "quit", "exit"] {
            assert_eq!(command(line), Command::Bye);
        }
    }
}
