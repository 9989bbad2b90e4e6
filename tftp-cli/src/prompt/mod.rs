//! The prompt: commands typed at a terminal.

mod complete;
mod helper;
mod history;
mod seen;

use std::io;

#[cfg(unix)]
use rustix::io::Errno;
use rustyline::{
    ColorMode, CompletionType, Config, Editor, config::BellStyle, error::ReadlineError,
    history::FileHistory,
};

#[cfg(unix)]
use crate::interrupt::End;
use crate::{
    fault::Fault,
    session::{Next, Session},
    show,
};
use helper::Assistant;

const PROMPT: &str = "tftp> ";

/// Lines that are kept between runs.
const HISTORY: usize = 1000;

/// Reads and carries out commands until `bye` or Ctrl-D. A failed command is told and forgotten.
///
/// # Errors
/// When the terminal cannot be used, or a signal ends the program.
pub(crate) fn run(session: &mut Session) -> Result<(), Fault> {
    let mut editor = editor().map_err(terminal_trouble)?;
    let kept = history::file().and_then(|path| {
        // The first run of all finds none.
        let _ = editor.load_history(&path);
        history::make_private(&path).map(|()| path)
    });
    let kept = match kept {
        Ok(path) => Some(path),
        Err(error) => {
            session.mention(&not_kept(error).to_string());
            None
        }
    };
    let earlier: Vec<_> = editor.history().iter().cloned().collect();
    if let Some(assistant) = editor.helper_mut() {
        for line in &earlier {
            assistant.seen.learn(line);
        }
        if let Some(host) = session.host() {
            assistant.seen.learn_host(host);
        }
    }
    loop {
        let line = match editor.readline(PROMPT) {
            Ok(line) => line,
            // Ctrl-C drops the line.
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(terminal_trouble(error)),
        };
        if let Some(path) = &kept
            && let Err(error) = editor.append_history(path)
        {
            session.mention(&not_kept(of_the_editor(error)).to_string());
        }
        if let Some(assistant) = editor.helper_mut() {
            assistant.seen.learn(&line);
        }
        match session.run_line(line.as_bytes()) {
            Ok(Next::Continue) => {}
            Ok(Next::Leave) => return Ok(()),
            Err(fault) if fault.ends_the_program() => return Err(fault),
            Err(fault) => show::fault(&fault),
        }
    }
}

fn editor() -> rustyline::Result<Editor<Assistant, FileHistory>> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .bell_style(BellStyle::None)
        .auto_add_history(true)
        .history_ignore_dups(true)?
        .history_ignore_space(true)
        .max_history_size(HISTORY)?
        .build();
    // The editor uses no colours where NO_COLOR forbids them or the terminal has none.
    let colours = config.color_mode() != ColorMode::Disabled;
    let mut editor = Editor::with_config(config)?;
    editor.set_helper(Some(Assistant::new(colours)));
    Ok(editor)
}

fn not_kept(error: io::Error) -> Fault {
    Fault::System { doing: "the history is not kept", error }
}

fn terminal_trouble(error: ReadlineError) -> Fault {
    let error = of_the_editor(error);
    // It has gone, and the signal that says so may be on its way still.
    #[cfg(unix)]
    if Errno::from_io_error(&error) == Some(Errno::IO) {
        return Fault::Ended(End::HangUp);
    }
    Fault::System { doing: "the terminal", error }
}

fn of_the_editor(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::Io(error) => error,
        error => io::Error::other(error),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use rustix::io::Errno;
    use rustyline::error::ReadlineError;

    use super::terminal_trouble;
    use crate::exit::Status;

    #[test]
    fn a_terminal_that_is_gone_has_hung_up() {
        let gone = terminal_trouble(ReadlineError::Io(Errno::IO.into()));
        assert_eq!(gone.status(), Status::HungUp);
        let other = terminal_trouble(ReadlineError::Io(Errno::BADF.into()));
        assert_eq!(other.status(), Status::Local);
    }
}
