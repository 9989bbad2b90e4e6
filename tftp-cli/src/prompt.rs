//! The prompt: commands typed at a terminal.

use rustyline::{
    CompletionType, Config, Context, Editor, Helper, completion::Completer, error::ReadlineError,
    highlight::Highlighter, hint::Hinter, history::DefaultHistory, validate::Validator,
};

use crate::{
    command,
    fault::Fault,
    session::{Next, Session},
    show,
};

const PROMPT: &str = "tftp> ";

/// Reads and carries out commands until `bye` or Ctrl-D. A failed command is told and forgotten.
///
/// # Errors
/// When the terminal cannot be used, or a signal ends the program.
pub(crate) fn run(session: &mut Session) -> Result<(), Fault> {
    let config =
        Config::builder().completion_type(CompletionType::List).auto_add_history(true).build();
    let mut editor: Editor<_, DefaultHistory> =
        Editor::with_config(config).map_err(terminal_trouble)?;
    editor.set_helper(Some(CommandNames));
    loop {
        let line = match editor.readline(PROMPT) {
            Ok(line) => line,
            // Ctrl-C drops the line.
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(terminal_trouble(error)),
        };
        match session.run_line(line.as_bytes()) {
            Ok(Next::Continue) => {}
            Ok(Next::Leave) => return Ok(()),
            Err(fault) if fault.ends_the_program() => return Err(fault),
            Err(fault) => show::fault(&fault),
        }
    }
}

fn terminal_trouble(error: ReadlineError) -> Fault {
    let error = match error {
        ReadlineError::Io(error) => error,
        error => std::io::Error::other(error),
    };
    Fault::System { doing: "the terminal", error }
}

/// Completes the names of commands.
struct CommandNames;

impl Helper for CommandNames {}
impl Highlighter for CommandNames {}
impl Validator for CommandNames {}
impl Hinter for CommandNames {
    type Hint = String;
}

impl Completer for CommandNames {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(candidates(line.get(..position).unwrap_or(line)))
    }
}

/// Where the word at the end of `line` begins, and the commands that it may become: the first word
/// of a line is a command, and the second after `help`.
fn candidates(line: &str) -> (usize, Vec<String>) {
    let start = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let (before, begun) = line.split_at(start.min(line.len()));
    if !matches!(before.trim(), "" | "help" | "?") {
        return (start, Vec::new());
    }
    let names = command::names().filter(|name| name.starts_with(begun));
    (start, names.map(|name| format!("{name} ")).collect())
}

#[cfg(test)]
mod tests {
    use super::candidates;

    #[test]
    fn the_first_word_of_a_line_is_completed_to_a_command() {
        assert_eq!(candidates("con"), (0, vec!["connect ".to_owned()]));
        assert_eq!(candidates("  wi"), (2, vec!["windowsize ".to_owned()]));
        assert_eq!(candidates("l").1, ["lcd ", "lpwd ", "lls "]);
    }

    #[test]
    fn help_is_completed_and_names_of_files_are_not() {
        assert_eq!(candidates("help ge"), (5, vec!["get ".to_owned()]));
        assert_eq!(candidates("get con"), (4, vec![]));
    }
}
