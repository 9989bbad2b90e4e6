//! The commands of the prompt: a table of them, and a line of words read as one.
//!
//! Each command lives beside its help, its parser and its tests: [`connect`] chooses the server,
//! [`transfer`] moves files, [`setting`] shows and sets, [`local`] is about this machine, and
//! [`general`] is the rest.

pub(crate) mod connect;
pub(crate) mod general;
pub(crate) mod local;
pub(crate) mod setting;
pub(crate) mod transfer;

use std::{
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use tftp_core::{BlockSize, Mode, Timeout, WindowSize};

use crate::{fault::Fault, remote::Host, resolve::Family, show};
use transfer::{Get, Put};

/// A command that makes sense, ready to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Choose the server.
    Connect(Host),
    /// Fetch files.
    Get(Vec<Get>),
    /// Send files.
    Put(Put),
    /// The transfer mode.
    Mode(Change<Mode>),
    /// The block size to ask for.
    BlockSize(Change<BlockSize>),
    /// The window size to ask for.
    WindowSize(Change<WindowSize>),
    /// The time-out to ask for; `None` measures it.
    Timeout(Change<Option<Timeout>>),
    /// Retransmissions before a transfer is given up.
    Retries(Change<u8>),
    /// Whether to ask for options at all.
    Options(Change<bool>),
    /// The local ports to use, first and last; `None` lets the system choose.
    Ports(Change<Option<(u16, u16)>>),
    /// The addresses to use of hosts that are named from now on.
    Family(Change<Family>),
    /// Whether to show a progress bar.
    Progress(Change<bool>),
    /// Whether to use more words; without a value the other way round.
    Verbose(Option<bool>),
    /// Whether to show packets as they pass; without a value the other way round.
    Trace(Option<bool>),
    /// Show what is set.
    Status,
    /// Change the local folder; without one, to the home folder.
    LocalCd(Option<PathBuf>),
    /// Show the local folder.
    LocalPwd,
    /// List a local folder; without one, the current.
    LocalLs(Option<PathBuf>),
    /// Explain one command, or list them all.
    Help(Option<&'static Spec>),
    /// Leave the program.
    Bye,
}

/// What a setting's command is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change<T> {
    /// Show the value.
    Show,
    /// Change the value.
    To(T),
}

/// A command's place in the table.
#[derive(Debug)]
pub(crate) struct Spec {
    /// The name, in full.
    pub(crate) name: &'static str,
    /// Other names.
    pub(crate) aliases: &'static [&'static str],
    /// What to type.
    pub(crate) usage: &'static str,
    /// What it does, in a few words.
    pub(crate) summary: &'static str,
    /// What else there is to know; lines, or nothing.
    pub(crate) detail: &'static str,
    /// What the words after the name are, for completion; the last stands for all that follow.
    pub(crate) arguments: &'static [Argument],
    /// Reads the words after the name.
    pub(crate) parse: fn(&[OsString]) -> Result<Command, Misuse>,
}

/// What a word of a command can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// Nothing that could be guessed.
    None,
    /// The name of a command.
    Command,
    /// One of a few words.
    OneOf(&'static [&'static str]),
    /// A server.
    Host,
    /// A file on a server.
    Remote,
    /// A file here.
    LocalFile,
    /// A folder here.
    LocalFolder,
}

impl Spec {
    /// What the word is that follows `before`.
    pub(crate) fn argument(&self, before: &[&str]) -> Argument {
        let number = match before {
            // All that follow are the same.
            ["-a", ..] => 0,
            before => before.len().min(self.arguments.len().saturating_sub(1)),
        };
        self.arguments.get(number).copied().unwrap_or(Argument::None)
    }
}

/// A name belongs to one command only.
impl PartialEq for Spec {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Spec {}

/// Why the words after a command's name make no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misuse(pub(crate) String);

impl Misuse {
    pub(crate) fn too_many() -> Self {
        Self("too many words; a name with blanks goes in quotes".to_owned())
    }
}

impl<E: std::error::Error> From<E> for Misuse {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// All commands, in the order in which help lists them.
pub(crate) const ALL: &[&Spec] = &[
    &connect::CONNECT,
    &transfer::GET,
    &transfer::PUT,
    &setting::MODE,
    &setting::ASCII,
    &setting::BINARY,
    &setting::BLKSIZE,
    &setting::WINDOWSIZE,
    &setting::TIMEOUT,
    &setting::RETRIES,
    &setting::OPTIONS,
    &setting::PORTS,
    &setting::FAMILY,
    &setting::PROGRESS,
    &setting::VERBOSE,
    &setting::TRACE,
    &general::STATUS,
    &local::LCD,
    &local::LPWD,
    &local::LLS,
    &general::HELP,
    &general::BYE,
];

/// Reads the words of one command; `None` when there are none.
///
/// # Errors
/// When they make no sense: a [`Fault::Usage`] that says what to type instead.
pub(crate) fn parse(words: &[OsString]) -> Result<Option<Command>, Fault> {
    let Some((name, arguments)) = words.split_first() else {
        return Ok(None);
    };
    let spec = find(name).map_err(|Misuse(why)| Fault::Usage(why))?;
    (spec.parse)(arguments)
        .map(Some)
        .map_err(|Misuse(why)| Fault::Usage(format!("{}: {why}; usage: {}", spec.name, spec.usage)))
}

/// The names of all commands, aliases included.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().flat_map(|spec| [spec.name].into_iter().chain(spec.aliases.iter().copied()))
}

/// Finds a command by its name, an alias, or the beginning of just one command.
pub(crate) fn find(word: &OsStr) -> Result<&'static Spec, Misuse> {
    let called = |spec: &Spec, name: &str| spec.name == name || spec.aliases.contains(&name);
    let unknown = || format!("unknown command `{}`", show::os(word));
    let Some(word) = word.to_str().filter(|word| !word.is_empty()) else {
        return Err(Misuse(format!("{}; `help` lists them", unknown())));
    };
    if let Some(spec) = ALL.iter().find(|spec| called(spec, word)) {
        return Ok(spec);
    }
    let begun: Vec<_> = ALL.iter().filter(|spec| spec.name.starts_with(word)).collect();
    match begun.as_slice() {
        [spec] => Ok(spec),
        [] => Err(Misuse(match (of_others(word), nearest(word)) {
            (Some(instead), _) => format!("{}; {instead}", unknown()),
            (None, Some(near)) => format!("{}; did you mean `{near}`?", unknown()),
            (None, None) => format!("{}; `help` lists them", unknown()),
        })),
        several => {
            let names: Vec<_> = several.iter().map(|spec| spec.name).collect();
            Err(Misuse(format!("`{word}` could be {}", names.join(", "))))
        }
    }
}

/// What to do instead of what FTP and other TFTP clients have commands for.
fn of_others(word: &str) -> Option<&'static str> {
    Some(match word {
        "ls" | "dir" => "TFTP cannot list a server's files; `lls` lists the local folder",
        "cd" | "pwd" => "TFTP knows no current folder; `lcd` and `lpwd` are about the local one",
        "delete" | "rm" | "rename" | "mkdir" => "TFTP can only get and put files",
        "open" => "`connect` chooses the server",
        "mget" => "`get -a` fetches several files",
        "mput" => "`put` takes several files, and wildcards",
        "literal" => "a name with colons is written `:NAME`",
        "rexmt" => "`timeout` is when something is sent again, `retries` how often",
        _ => return None,
    })
}

/// The command whose name is most like `word`, if one is like it at all.
fn nearest(word: &str) -> Option<&'static str> {
    let word = word.to_lowercase();
    names()
        .map(|name| (strsim::damerau_levenshtein(&word, name), name))
        .filter(|&(distance, name)| distance * 2 <= name.len().max(2))
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

/// A word that has to be text.
fn text(word: &OsStr) -> Result<&str, Misuse> {
    word.to_str().ok_or_else(|| Misuse(format!("`{}` is not UTF-8", show::os(word))))
}

/// Refuses any word.
fn nothing(words: &[OsString], command: Command) -> Result<Command, Misuse> {
    if words.is_empty() { Ok(command) } else { Err(Misuse("it takes no further words".to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::{ALL, Command, Misuse, find, names, parse};
    use crate::{fault::Fault, word};

    /// Reads a line that makes sense.
    pub(crate) fn command(line: &str) -> Command {
        match parse(&word::split(line.as_bytes()).unwrap()) {
            Ok(Some(command)) => command,
            other => panic!("{line}: {other:?}"),
        }
    }

    /// Reads a line that makes none, and returns what the user is told.
    pub(crate) fn misuse(line: &str) -> String {
        match parse(&word::split(line.as_bytes()).unwrap()) {
            Err(Fault::Usage(text)) => text,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn an_empty_line_is_no_command() {
        assert!(matches!(parse(&[]), Ok(None)));
    }

    #[test]
    fn the_beginning_of_one_command_is_enough() {
        assert_eq!(find("con".as_ref()).unwrap().name, "connect");
        assert_eq!(misuse("b"), "`b` could be binary, blksize, bye");
    }

    #[test]
    fn an_unknown_command_suggests_the_nearest() {
        assert_eq!(misuse("gte a"), "unknown command `gte`; did you mean `get`?");
        assert_eq!(misuse("QUIT"), "unknown command `QUIT`; did you mean `quit`?");
        assert_eq!(misuse("xyzzy"), "unknown command `xyzzy`; `help` lists them");
        assert_eq!(misuse("''"), "unknown command ``; `help` lists them");
    }

    #[test]
    fn whoever_comes_from_ftp_is_told_what_there_is_instead() {
        assert_eq!(
            misuse("ls"),
            "unknown command `ls`; TFTP cannot list a server's files; `lls` lists the local folder"
        );
        for word in
            ["dir", "cd", "pwd", "delete", "rename", "mkdir", "open", "mget", "literal", "rexmt"]
        {
            assert!(find(word.as_ref()).is_err_and(|Misuse(why)| !why.contains("did you mean")));
        }
    }

    #[test]
    fn what_is_wrong_comes_with_the_usage() {
        assert_eq!(misuse("lpwd x"), "lpwd: it takes no further words; usage: lpwd");
    }

    #[test]
    fn no_two_commands_share_a_name_and_each_usage_begins_with_its_own() {
        let mut all: Vec<_> = names().collect();
        all.sort_unstable();
        let count = all.len();
        all.dedup();
        assert_eq!(all.len(), count);
        for spec in ALL {
            assert!(spec.usage.starts_with(spec.name), "{}", spec.name);
        }
    }
}
