//! The options of `tftpd`: one definition, from which the command line and the configuration file
//! are both read.
//!
//! Each option is a field with its help in the file of its theme. What a configuration file says is
//! turned into the words of a command line, which clap then reads: names, values and errors are
//! those of the command line.

mod confinement;
mod file;
mod limits;
mod listening;
mod log;
mod negotiation;
mod service;
mod settings;
mod storage;
mod value;

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, parser::ValueSource};
use tftp_mio::server::Config;

pub(crate) use confinement::Confinement;
pub(crate) use file::FileFaults;
pub(crate) use log::{Form, Log};
pub(crate) use service::Service;
pub(crate) use settings::Settings;
pub(crate) use storage::Files;

/// TFTP server: serves the files of one folder.
#[derive(Clone, Debug, Parser)]
#[command(name = "tftpd", version, after_help = EXAMPLES)]
pub(crate) struct Options {
    #[command(flatten)]
    pub(crate) files: Files,
    #[command(flatten)]
    listening: listening::Listening,
    #[command(flatten)]
    negotiation: negotiation::Negotiation,
    #[command(flatten)]
    limits: limits::Limits,
    #[command(flatten)]
    pub(crate) confinement: Confinement,
    #[command(flatten)]
    pub(crate) log: Log,
    #[command(flatten)]
    pub(crate) service: Service,
}

const EXAMPLES: &str = "\
Examples:
  tftpd /srv/tftp                                read-only on port 69, as root
  tftpd --listen 127.0.0.1:6969 .                this folder, this machine only, any user
  tftpd --listen '[::]:6969' --write create in   take uploads under new names";

impl Options {
    /// How the server is to serve.
    pub(crate) fn config(&self) -> Config {
        let mut config = Config::default();
        self.listening.apply(&mut config);
        self.negotiation.apply(&mut config);
        self.limits.apply(&mut config);
        self.service.apply(&mut config);
        config
    }
}

/// The words that the process was started with. Together with the configuration file that they
/// name they say all; both are read again to reload.
#[derive(Clone, Debug)]
pub(crate) struct CommandLine(Vec<OsString>);

/// Why the options make no sense.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Misuse {
    /// Something is wrong with the command line, or with it and the file together.
    #[error(transparent)]
    CommandLine(#[from] clap::Error),
    /// Something is wrong with the file.
    #[error(transparent)]
    File(#[from] FileFaults),
}

impl CommandLine {
    /// `words` begin with the name of the program.
    pub(crate) fn new(words: impl IntoIterator<Item = OsString>) -> Self {
        Self(words.into_iter().collect())
    }

    /// Reads the options, from the configuration file too where one is named.
    ///
    /// # Errors
    /// When they make no sense, or the file cannot be read.
    pub(crate) fn read(&self) -> Result<Settings, Misuse> {
        let mut command = Options::command();
        let matches = command.try_get_matches_from_mut(&self.0)?;
        let path = matches.get_one::<PathBuf>("config").map(PathBuf::as_path);
        let mut entries = match path {
            Some(path) => file::read(path, &Options::command())?,
            None => Vec::new(),
        };
        entries.retain(|entry| !is_given(&matches, &entry.id));
        let lines: BTreeMap<String, usize> =
            entries.iter().map(|entry| (entry.id.clone(), entry.line)).collect();

        // The later of two words that exclude each other wins, so the file's come first.
        let (program, own) = self.0.split_at(self.0.len().min(1));
        let from_file = entries.iter().flat_map(|entry| &entry.words);
        let merged =
            command.try_get_matches_from_mut(program.iter().chain(from_file).chain(own))?;
        let options = Options::from_arg_matches(&merged)?;
        Ok(Settings::new(options, &merged, &command, path, &lines))
    }
}

/// Whether an option stands on the command line.
fn is_given(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, time::Duration};

    use tempfile::TempDir;
    use tftp_mio::storage::WritePolicy;
    use tracing::level_filters::LevelFilter;

    use super::*;

    /// Reads a file of this content with these words behind it.
    fn read(content: &str, words: &[&str]) -> Result<Settings, String> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("tftpd.toml");
        fs::write(&path, content).unwrap();
        let start = ["tftpd".into(), "--config".into(), path.clone().into_os_string()];
        let line = CommandLine(start.into_iter().chain(words.iter().map(Into::into)).collect());
        line.read().map_err(|misuse| misuse.to_string().replace(path.to_str().unwrap(), "FILE"))
    }

    #[test]
    fn the_definition_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_file_says_the_same_as_a_command_line() {
        let content = "\
            root = \"/srv\"\n\
            write = \"create\"\n\
            listen = [\"192.0.2.1\", \"[::1]:7\"]\n\
            refuse = \"tsize\"\n\
            max-blksize = 1_468\n\
            timeout = 0.5\n\
            verbose = 2\n";
        let options = read(content, &[]).unwrap().options;
        assert_eq!(options.files.root, Path::new("/srv"));
        assert_eq!(options.files.write_policy(), WritePolicy::Create);
        let config = options.config();
        let listen = ["192.0.2.1:69".parse().unwrap(), "[::1]:7".parse().unwrap()];
        assert_eq!(config.listen, listen);
        assert_eq!(config.limits.max_block_size.get(), 1468);
        assert_eq!(options.log.level(), LevelFilter::TRACE);
    }

    #[test]
    fn the_command_line_wins() {
        let content = "listen = [\"192.0.2.1\", \"192.0.2.2\"]\nquiet = true\ngrace = 3\n";
        let options = read(content, &["--listen", "192.0.2.9", "-v", "/srv"]).unwrap().options;
        assert_eq!(options.config().listen, ["192.0.2.9:69".parse().unwrap()]);
        assert_eq!(options.log.level(), LevelFilter::DEBUG);
        assert_eq!(options.config().grace, Duration::from_secs(3));
        assert_eq!(options.files.root, Path::new("/srv"));
    }

    #[test]
    fn every_fault_of_a_file_has_its_line_and_says_what_to_write() {
        for (content, fault) in [
            ("\nwirte = \"create\"", "FILE:2: there is no option `wirte`; did you mean `write`?"),
            (
                "write = \"maybe\"",
                "FILE:1: `maybe` is no value of `write`: use never, create or overwrite",
            ),
            (
                "ports = \"9-7\"",
                "FILE:1: `9-7` is no value of `ports`: use FIRST-LAST, such as 20000-29999",
            ),
            (
                "max-blksize = 7",
                "FILE:1: `7` is no value of `max-blksize`: 7 is out of range: blksize takes 8 to 65464",
            ),
            ("retries = \"x\"", "FILE:1: `x` is no value of `retries`: use a number from 0 to 255"),
            ("quiet = \"yes\"", "FILE:1: `quiet` is on or off: write quiet = true"),
            ("write = [\"never\", \"create\"]", "FILE:1: `write` takes one value, not a list"),
            (
                "[write]\na = 1",
                "FILE:1: `write` takes a value such as write = \"POLICY\", not a table",
            ),
            ("config = \"x\"", "FILE:1: `config` belongs on the command line"),
            (
                "listen = [\"::1\",\n  \"there\"]",
                "FILE:2: `there` is no value of `listen`: use an address such as 192.0.2.1:69, [2001:db8::1]:69 or 0.0.0.0",
            ),
        ] {
            assert_eq!(read(content, &[]).unwrap_err(), fault, "{content}");
        }
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let said = read("wirte = 1\nretries = 300\nports = [", &[]).unwrap_err();
        assert!(
            said.contains("FILE:1:") && said.contains("FILE:2:") && said.contains("FILE:3:"),
            "{said}"
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_said() {
        let line = CommandLine(["tftpd", "--config", "/missing/x.toml"].map(Into::into).into());
        let said = line.read().unwrap_err().to_string();
        assert!(said.starts_with("cannot read the configuration /missing/x.toml: "), "{said}");
    }
}
