//! `get` and `put`: the names of a transfer.

use std::{
    collections::HashSet,
    ffi::{OsStr, OsString},
    path::PathBuf,
};

use super::{Argument, Command, Misuse, Spec};
use crate::{local, remote::Remote, show};

/// One file to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Get {
    /// What to ask for.
    pub(crate) remote: Remote,
    /// Where it goes.
    pub(crate) to: Target,
}

/// Where a fetched file goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Standard output.
    Stdout,
    /// A file, or a folder that takes the file under its own name.
    Path(PathBuf),
}

/// Files to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Put {
    /// Where they come from: at least one, and each may have wildcards.
    pub(crate) from: Vec<Origin>,
    /// Where they go. A name that is empty, or ends in a slash, is completed by each file's own.
    pub(crate) to: Remote,
}

/// Where a file to send comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Standard input, to its end.
    Stdin,
    /// A file.
    Path(PathBuf),
}

pub(crate) const GET: Spec = Spec {
    name: "get",
    aliases: &[],
    usage: "get REMOTE [LOCAL]  or  get -a REMOTE...",
    summary: "fetch a file, or with -a several",
    detail: "\
LOCAL is the last part of REMOTE unless given; a folder takes the file under that name; - is
standard output (./- is a file of that name). A get that fails leaves LOCAL as it was.
With -a, names that the server refuses do not keep the others from being fetched.

REMOTE is one of:
  NAME                 a file on the connected server
  HOST:NAME            a file on another server, at port 69; [HOST]:NAME for an IPv6 address
  :NAME                a file on the connected server whose name holds a colon: :flash:config
  tftp://HOST[:PORT]/NAME[;mode=netascii]
A name with a slash or backslash before its first colon, such as ./a:b, and one that begins with
a drive, such as C:/a, are plain names too.
A name with blanks or backslashes goes in quotes: get 'boot\\x64\\wdsnbp.com'",
    arguments: &[Argument::Remote, Argument::LocalFile, Argument::None],
    parse: parse_get,
};

pub(crate) const PUT: Spec = Spec {
    name: "put",
    aliases: &[],
    usage: "put LOCAL [REMOTE]  or  put LOCAL... FOLDER/  or  put -a LOCAL...",
    summary: "send a file, or several",
    detail: "\
REMOTE is the last part of LOCAL unless given. It may name another server, as HOST:NAME, HOST:
or a tftp:// URL; `help get` has the rules. One that ends in / is a folder there: each file goes
into it under its own name. With -a all words are LOCAL.
LOCAL may have wildcards: put *.cfg backup/
Nothing is sent unless all files can be read.
LOCAL - is standard input, and needs a REMOTE; at the prompt it ends with Ctrl-D.",
    arguments: &[Argument::LocalFile, Argument::Remote],
    parse: parse_put,
};

impl Get {
    /// The file that `remote` names, for `to` or its own last part.
    pub(crate) fn parse(remote: &OsStr, to: Option<&OsStr>) -> Result<Self, Misuse> {
        let word = remote.as_encoded_bytes();
        let remote = Remote::parse(word)?.named(word)?;
        let to = match to {
            Some(to) if to.is_empty() => return Err(Misuse("LOCAL is empty".to_owned())),
            Some(to) if to == "-" => Target::Stdout,
            Some(to) => Target::Path(local::path(to)),
            None => Target::Path(local::last_part(&remote.name).ok_or_else(|| {
                Misuse(format!(
                    "`{}` does not end in a file name; say LOCAL",
                    show::name(&remote.name)
                ))
            })?),
        };
        Ok(Self { remote, to })
    }
}

fn parse_get(words: &[OsString]) -> Result<Command, Misuse> {
    let (words, options) = part(words);
    let files = match words {
        [all, names @ ..] if options && all == "-a" => {
            let (names, _) = part(names);
            if names.is_empty() {
                return Err(missing("REMOTE"));
            }
            let files: Vec<_> =
                names.iter().map(|name| Get::parse(name, None)).collect::<Result<_, _>>()?;
            all_apart(files.iter().filter_map(|file| match &file.to {
                Target::Stdout => None,
                Target::Path(path) => Some(show::os(path)),
            }))?;
            files
        }
        [option, ..] if options && looks_like_an_option(option) => {
            return Err(unknown_option(option, ":"));
        }
        [_, to] if options && looks_like_an_option(to) => return Err(unknown_option(to, "./")),
        [] => return Err(missing("REMOTE")),
        [remote] => vec![Get::parse(remote, None)?],
        [remote, to] => vec![Get::parse(remote, Some(to))?],
        _ => {
            return Err(Misuse(
                "too many names; several files are fetched with -a, and a name with blanks goes in quotes"
                    .to_owned(),
            ));
        }
    };
    Ok(Command::Get(files))
}

/// Refuses two files of one name, of which the second would replace the first.
pub(crate) fn all_apart(names: impl Iterator<Item = String>) -> Result<(), Misuse> {
    let mut seen = HashSet::new();
    for name in names {
        if let Some(name) = seen.replace(name) {
            return Err(Misuse(format!(
                "two files would be called `{name}`; transfer one by itself, under another name"
            )));
        }
    }
    Ok(())
}

/// The words of a `get` that name files on a server.
pub(crate) fn names_of_get(words: &[OsString]) -> impl Iterator<Item = &OsStr> {
    let names = match words {
        [_, all, names @ ..] if all == "-a" => names,
        [_, name, ..] => std::slice::from_ref(name),
        _ => &[],
    };
    names.iter().map(OsString::as_os_str)
}

fn parse_put(words: &[OsString]) -> Result<Command, Misuse> {
    let (words, options) = part(words);
    let (from, to) = match words {
        [all, from @ ..] if options && all == "-a" => (part(from).0, None),
        [option, ..] if options && looks_like_an_option(option) => {
            return Err(unknown_option(option, "./"));
        }
        [from] => (std::slice::from_ref(from), None),
        [from @ .., to] => (from, Some(to)),
        [] => (words, None),
    };
    let to = match to {
        Some(to) if to.is_empty() => return Err(Misuse("REMOTE is empty".to_owned())),
        Some(to) if options && looks_like_an_option(to) => return Err(unknown_option(to, ":")),
        Some(to) => Remote::parse(to.as_encoded_bytes())?,
        None => Remote { host: None, name: Vec::new(), mode: None },
    };
    if from.len() > 1 && !to.name.is_empty() && !to.is_folder() {
        return Err(Misuse(format!(
            "too many names, or `{}` is a folder and needs a / at its end; \
             -a sends all under their own names, and a name with blanks goes in quotes",
            show::name(&to.name)
        )));
    }
    let from = from.iter().map(|word| Origin::parse(word)).collect::<Result<Vec<_>, _>>()?;
    let put = Put { from, to };
    if put.from.is_empty() {
        return Err(missing("LOCAL"));
    }
    for from in &put.from {
        put.remote_of(from)?;
    }
    Ok(Command::Put(put))
}

impl Origin {
    fn parse(word: &OsStr) -> Result<Self, Misuse> {
        match word {
            word if word.is_empty() => Err(Misuse("LOCAL is empty".to_owned())),
            word if word == "-" => Ok(Self::Stdin),
            word => Ok(Self::Path(local::path(word))),
        }
    }
}

impl Put {
    /// What one of the files is called on the server.
    ///
    /// # Errors
    /// When it has no name of its own where it needs one.
    pub(crate) fn remote_of(&self, from: &Origin) -> Result<Remote, Misuse> {
        let mut remote = self.to.clone();
        if remote.name.is_empty() || remote.is_folder() {
            let Origin::Path(path) = from else {
                return Err(Misuse("standard input has no name; say REMOTE".to_owned()));
            };
            let name = path
                .file_name()
                .ok_or_else(|| Misuse(format!("`{}` is not a file", show::os(path))))?;
            remote.name.extend(name.as_encoded_bytes());
        }
        Ok(remote)
    }
}

fn missing(what: &str) -> Misuse {
    Misuse(format!("{what} is missing"))
}

/// Words without the `--` behind which all are names, and whether they may be options.
fn part(words: &[OsString]) -> (&[OsString], bool) {
    match words {
        [end, names @ ..] if end == "--" => (names, false),
        _ => (words, true),
    }
}

fn looks_like_an_option(word: &OsStr) -> bool {
    word.len() > 1 && word.as_encoded_bytes().starts_with(b"-")
}

/// `escape` makes a name of it.
fn unknown_option(word: &OsStr, escape: &str) -> Misuse {
    let word = show::os(word);
    Misuse(format!("unknown option `{word}`; a name that begins with - is written {escape}{word}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{
        super::{
            Command,
            tests::{command, misuse},
        },
        Origin, Target,
    };

    /// Each file of a `get` as `remote > local`.
    fn get(line: &str) -> Vec<String> {
        let Command::Get(files) = command(line) else {
            panic!("{line}");
        };
        let shown = files.into_iter().map(|file| {
            let to = match &file.to {
                Target::Stdout => Path::new("STDOUT"),
                Target::Path(path) => path,
            };
            format!("{} > {}", file.remote.name.escape_ascii(), to.display())
        });
        shown.collect()
    }

    /// Each file of a `put` as `local > host:remote`.
    fn puts(line: &str) -> Vec<String> {
        let Command::Put(put) = command(line) else {
            panic!("{line}");
        };
        let shown = put.from.iter().map(|from| {
            let remote = put.remote_of(from).unwrap();
            let from = match from {
                Origin::Stdin => Path::new("STDIN"),
                Origin::Path(path) => path,
            };
            let host = remote.host.map(|host| host.name + ":").unwrap_or_default();
            format!("{} > {host}{}", from.display(), remote.name.escape_ascii())
        });
        shown.collect()
    }

    fn put(line: &str) -> String {
        puts(line).join(", ")
    }

    #[test]
    fn local_is_the_last_part_of_remote_unless_given() {
        assert_eq!(get("get boot/x.efi"), ["boot/x.efi > x.efi"]);
        assert_eq!(get(r"get 'boot\x.efi'"), [r"boot\\x.efi > x.efi"]);
        assert_eq!(get("get boot/x.efi y"), ["boot/x.efi > y"]);
        assert_eq!(get("get host:x"), ["x > x"]);
    }

    #[test]
    fn only_a_local_that_is_typed_means_standard_output() {
        assert_eq!(get("get x -"), ["x > STDOUT"]);
        assert_eq!(get("get boot/-"), ["boot/- > -"]);
        assert_eq!(get("get x ./-"), ["x > ./-"]);
    }

    #[test]
    fn several_files_are_fetched_with_a() {
        assert_eq!(get("get -a a b/c"), ["a > a", "b/c > c"]);
        assert!(misuse("get a b c").contains("-a"));
        assert!(misuse("get -a").contains("REMOTE is missing"));
    }

    #[test]
    fn a_get_without_a_name_is_refused() {
        for line in ["get", "get ''", "get host:", "get :", "get dir/", "get dir/..", "get x ''"] {
            assert!(misuse(line).contains("usage: get"), "{line}");
        }
        assert!(misuse("get --all x").contains("unknown option `--all`"));
    }

    #[test]
    fn behind_two_dashes_all_are_names() {
        assert_eq!(get("get -- -a -b"), ["-a > -b"]);
        assert_eq!(get("get -a -- -a b"), ["-a > -a", "b > b"]);
        assert_eq!(get("get -- a -"), ["a > STDOUT"]);
        assert_eq!(put("put -- -a"), "-a > -a");
        assert_eq!(put("put -- -a -b"), "-a > -b");
        assert_eq!(put("put -a -- -a b"), "-a > -a, b > b");
        assert!(misuse("get --").contains("REMOTE is missing"));
    }

    #[test]
    fn remote_is_the_last_part_of_local_unless_given() {
        assert_eq!(put("put dir/a"), "dir/a > a");
        assert_eq!(put("put dir/a up/b"), "dir/a > up/b");
        assert_eq!(put("put dir/a host:b"), "dir/a > host:b");
        assert_eq!(put("put dir/a host:"), "dir/a > host:a");
    }

    #[test]
    fn several_files_go_into_a_folder_or_under_their_own_names() {
        assert_eq!(put("put a d/b up/"), "a > up/a, d/b > up/b");
        assert_eq!(put("put a up/"), "a > up/a");
        assert_eq!(put("put a b host:"), "a > host:a, b > host:b");
        assert_eq!(put("put -a a b"), "a > a, b > b");
        assert!(misuse("put a b c").contains("`c` is a folder"));
    }

    #[test]
    fn standard_input_needs_a_remote() {
        assert_eq!(put("put - b"), "STDIN > b");
        assert!(misuse("put -").contains("say REMOTE"));
        assert!(misuse("put - host:").contains("say REMOTE"));
    }

    #[test]
    fn a_put_without_a_file_is_refused() {
        for line in ["put", "put ''", "put a ''", "put ..", "put -x", "put a b c", "put -a"] {
            assert!(misuse(line).contains("usage: put"), "{line}");
        }
    }
}
