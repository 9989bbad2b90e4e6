//! The configuration file: TOML, whose keys are the long names of the options.

use std::{
    ffi::OsString,
    fmt, io,
    ops::Range,
    path::{Path, PathBuf},
};

use clap::{
    Arg, ArgAction, Command,
    error::{ContextKind, ContextValue, ErrorKind},
};
use tftp_mio::{of_the_system, storage::read_settings};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Options about the file itself, or about what to do instead of serving.
const COMMAND_LINE_ONLY: [&str; 3] = ["config", "check", "as"];

/// One key of the file.
#[derive(Debug)]
pub(super) struct Entry {
    /// The option.
    pub(super) id: String,
    /// Where it stands, counted from 1.
    pub(super) line: usize,
    /// The words of a command line that say the same.
    pub(super) words: Vec<OsString>,
}

/// All that is wrong with a file.
#[derive(Debug)]
pub(crate) struct FileFaults {
    path: PathBuf,
    list: Vec<FileFault>,
}

#[derive(Debug)]
struct FileFault {
    /// Counted from 1; none where the file as a whole is meant.
    line: Option<usize>,
    what: String,
}

impl std::error::Error for FileFaults {}

impl fmt::Display for FileFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.list.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            let (path, what) = (self.path.display(), &fault.what);
            match fault.line {
                Some(line) => write!(f, "{separator}{path}:{line}: {what}")?,
                None => write!(f, "{separator}cannot read the configuration {path}: {what}")?,
            }
        }
        Ok(())
    }
}

/// Reads the file at `path`. Every value is one that `command` takes.
///
/// # Errors
/// With all that is wrong with it.
pub(super) fn read(path: &Path, command: &Command) -> Result<Vec<Entry>, FileFaults> {
    let text = |content| {
        String::from_utf8(content).map_err(|_| io::Error::other("that is no text in UTF-8"))
    };
    let content = read_settings(path).and_then(text).map_err(|error| {
        let fault = FileFault { line: None, what: of_the_system(&error) };
        FileFaults { path: path.into(), list: vec![fault] }
    })?;
    let mut reader = Reader { content: &content, command, faults: Vec::new() };
    let entries = reader.read();
    if reader.faults.is_empty() {
        Ok(entries)
    } else {
        reader.faults.sort_by_key(|fault| fault.line);
        Err(FileFaults { path: path.into(), list: reader.faults })
    }
}

struct Reader<'a> {
    content: &'a str,
    command: &'a Command,
    faults: Vec<FileFault>,
}

impl Reader<'_> {
    fn read(&mut self) -> Vec<Entry> {
        let (table, errors) = DeTable::parse_recoverable(self.content);
        for error in errors {
            self.fault(error.span().unwrap_or_default(), error.message().into());
        }
        let table = table.get_ref();
        table
            .iter()
            .filter_map(|(key, value)| self.entry(key.get_ref(), key.span(), value))
            .collect()
    }

    fn entry(
        &mut self,
        key: &str,
        span: Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Entry> {
        let Some(arg) = self.command.get_arguments().find(|arg| key_of(arg) == key) else {
            let advice = self.similar(key);
            self.fault(span, format!("there is no option `{key}`{advice}"));
            return None;
        };
        if COMMAND_LINE_ONLY.contains(&key) || arg.is_hide_set() {
            self.fault(span, format!("`{key}` belongs on the command line"));
            return None;
        }
        let words = match value.get_ref() {
            DeValue::Array(_) if !matches!(arg.get_action(), ArgAction::Append) => {
                self.fault(span.clone(), format!("`{key}` takes one value, not a list"));
                Vec::new()
            }
            DeValue::Array(list) => {
                list.iter().filter_map(|value| self.words(arg, value)).flatten().collect()
            }
            _ => self.words(arg, value).unwrap_or_default(),
        };
        Some(Entry { id: arg.get_id().to_string(), line: self.line(span.start), words })
    }

    /// The words that stand for one value, once the command line has taken them.
    fn words(&mut self, arg: &Arg, value: &Spanned<DeValue<'_>>) -> Option<Vec<OsString>> {
        let words = match spell(arg, value.get_ref()) {
            Ok(words) => words,
            Err(what) => {
                self.fault(value.span(), what);
                return None;
            }
        };
        let tried = std::iter::once("tftpd".into()).chain(words.iter().cloned());
        match self.command.clone().try_get_matches_from(tried) {
            Err(error) if is_about_the_value(error.kind()) => {
                self.fault(value.span(), reason(&error, key_of(arg)));
                None
            }
            // Whether it goes with the other options is seen when all are together.
            _ => Some(words),
        }
    }

    fn similar(&self, key: &str) -> String {
        let near = self
            .command
            .get_arguments()
            .filter(|arg| !arg.is_hide_set())
            .map(|arg| (strsim::jaro_winkler(key, key_of(arg)), key_of(arg)))
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        match near {
            Some((likeness, name)) if likeness > 0.8 => format!("; did you mean `{name}`?"),
            _ => "; `tftpd --help` has all of them".into(),
        }
    }

    fn fault(&mut self, at: Range<usize>, what: String) {
        self.faults.push(FileFault { line: Some(self.line(at.start)), what });
    }

    fn line(&self, at: usize) -> usize {
        let before = self.content.get(..at).unwrap_or(self.content);
        1 + before.matches('\n').count()
    }
}

/// The key of an option: its long name, or that of its place.
pub(super) fn key_of(arg: &Arg) -> &str {
    arg.get_long().unwrap_or(arg.get_id().as_str())
}

/// The words of a command line that give this value to this option.
fn spell(arg: &Arg, value: &DeValue<'_>) -> Result<Vec<OsString>, String> {
    let key = key_of(arg);
    match (arg.get_action(), value) {
        (ArgAction::SetTrue, DeValue::Boolean(on)) => {
            return Ok(if *on { vec![format!("--{key}").into()] } else { Vec::new() });
        }
        (ArgAction::SetTrue, _) => {
            return Err(format!("`{key}` is on or off: write {key} = true"));
        }
        (ArgAction::Count, DeValue::Integer(times)) => {
            let times = times.as_str().parse::<u8>().ok().filter(|&times| times <= 9);
            let times = times.ok_or_else(|| format!("write {key} = 1 or {key} = 2"))?;
            return Ok(vec![format!("--{key}").into(); times.into()]);
        }
        (ArgAction::Count, _) => return Err(format!("write {key} = 1 or {key} = 2")),
        _ => {}
    }
    let text = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.as_str().into(),
        DeValue::Boolean(on) => on.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) | DeValue::Table(_) => {
            let what = if matches!(value, DeValue::Table(_)) { "table" } else { "list" };
            let example = arg.get_value_names().and_then(|names| names.first());
            let example = example.map_or("...", |name| name.as_str());
            return Err(format!(
                "`{key}` takes a value such as {key} = \"{example}\", not a {what}"
            ));
        }
    };
    Ok(vec![if arg.is_positional() { text.into() } else { format!("--{key}={text}").into() }])
}

fn is_about_the_value(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::InvalidValue | ErrorKind::ValueValidation | ErrorKind::UnknownArgument
    )
}

/// What clap has against a value, without the spelling of the command line.
fn reason(error: &clap::Error, key: &str) -> String {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let why = match (error.get(ContextKind::ValidValue), std::error::Error::source(error)) {
        (Some(ContextValue::Strings(values)), _) => format!("use {}", alternatives(values)),
        (_, Some(source)) => source.to_string(),
        _ => error.kind().to_string(),
    };
    format!("`{}` is no value of `{key}`: {why}", text(ContextKind::InvalidValue).escape_debug())
}

fn alternatives(values: &[String]) -> String {
    match values {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => values.concat(),
    }
}
