//! What went wrong, in one line: what happened, what the server said, what to try next.

mod advice;

use std::{io, net::SocketAddr};

use tftp_core::{Mode, Operation};
use tftp_mio::client::TransferError;

pub(crate) use advice::quote;

use crate::{exit::Status, interrupt::End};

/// Why a command, or the whole program, failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Something was typed that makes no sense; the text says what to type instead.
    #[error("{0}")]
    Usage(String),
    /// The host has no address that can be used.
    #[error("{host}: {why}")]
    Unresolved {
        /// The host as it was typed.
        host: String,
        /// Why, and what to try next.
        why: String,
    },
    /// A transfer was tried and failed.
    #[error("{doing}: {}", advice::explain(*mode, *asked, error))]
    Transfer {
        /// The transfer, such as `get boot/x.efi`.
        doing: String,
        /// The mode that was asked for.
        mode: Mode,
        /// Who was asked for what, if anybody was.
        asked: Option<Asked>,
        /// What the engine says.
        error: TransferError,
    },
    /// Some of several files were refused; each has been named already.
    #[error("{refused} of {all} files were refused")]
    SomeRefused {
        /// How many.
        refused: usize,
        /// Of how many.
        all: usize,
    },
    /// A local file or folder could not be used; nothing was sent.
    #[error("{doing}: {}", advice::local(error))]
    Local {
        /// What was tried, with the name, such as `put a.bin`.
        doing: String,
        /// What the system says.
        error: io::Error,
    },
    /// The system did not give what the program needs to run at all.
    #[error("{doing}: {}", advice::of_the_system(error))]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// A signal that ends the program.
    #[error("{}", match .0 { End::HangUp => "hung up", End::Terminate => "terminated" })]
    Ended(End),
}

/// A request, as far as it helps to explain its failure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) operation: Operation,
    pub(crate) server: SocketAddr,
}

impl Fault {
    /// The exit status that tells a script of this fault.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Usage(_) => Status::Usage,
            Self::Unresolved { .. } => Status::NoAnswer,
            Self::Transfer { error, .. } => match error {
                TransferError::NoAnswer
                | TransferError::TimedOut
                | TransferError::Unconfirmed
                | TransferError::Network(_)
                | TransferError::Lost(_) => Status::NoAnswer,
                TransferError::Name(_) | TransferError::MailRead => Status::Usage,
                TransferError::Local(_) | TransferError::Socket(_) => Status::Local,
                TransferError::Cancelled => Status::Interrupted,
                // Server, GaveUp, Protocol, Size, and whatever else an engine of the future holds against the
                // server.
                _ => Status::Refused,
            },
            Self::SomeRefused { .. } => Status::Refused,
            Self::Local { .. } | Self::System { .. } => Status::Local,
            Self::Interrupted => Status::Interrupted,
            Self::Ended(end) => end.status(),
        }
    }

    /// Whether no other command may follow, not even where failures are forgiven.
    pub(crate) fn ends_the_program(&self) -> bool {
        matches!(self, Self::Ended(_))
    }

    /// Whether nothing listens at that address, and another of the host may do.
    pub(crate) fn is_nobody_there(&self) -> bool {
        matches!(self, Self::Transfer { error: TransferError::Network(_), .. })
    }

    /// Whether the server refused this one file, and may well give another.
    pub(crate) fn is_refusal(&self) -> bool {
        use TransferError::{GaveUp, Server};

        matches!(self, Self::Transfer { error: Server { .. } | GaveUp { .. }, .. })
    }

    /// A failed transfer in `mode`, named by `doing`.
    pub(crate) fn transfer(doing: &str, mode: Mode, error: TransferError) -> Self {
        Self::Transfer { doing: doing.to_owned(), mode, asked: None, error }
    }

    /// The same fault of somebody who was asked.
    pub(crate) fn of(mut self, request: Asked) -> Self {
        if let Self::Transfer { asked, .. } = &mut self {
            *asked = Some(request);
        }
        self
    }

    /// Local trouble during `doing`.
    pub(crate) fn local(doing: &str, error: io::Error) -> Self {
        Self::Local { doing: doing.to_owned(), error }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tftp_core::{ErrorCode, Misconduct, Mode, Operation, UnencodableRequest};
    use tftp_mio::client::TransferError;

    use super::{Asked, End, Fault};

    fn refused(code: u16, message: &[u8]) -> TransferError {
        TransferError::Server { code: ErrorCode(code), message: message.to_vec() }
    }

    #[test]
    fn each_way_to_fail_has_its_exit_status() {
        for (error, status) in [
            (refused(1, b""), 1),
            (refused(99, b""), 1),
            (TransferError::Protocol(Misconduct::OverlongData), 1),
            (TransferError::Size { announced: 1, received: 2 }, 1),
            (TransferError::Name(UnencodableRequest::TooLong), 2),
            (TransferError::MailRead, 2),
            (TransferError::NoAnswer, 3),
            (TransferError::TimedOut, 3),
            (TransferError::Unconfirmed, 3),
            (TransferError::Network(io::ErrorKind::HostUnreachable.into()), 3),
            (TransferError::Lost(io::ErrorKind::ConnectionRefused.into()), 3),
            (TransferError::Local(io::ErrorKind::StorageFull.into()), 4),
            (TransferError::Socket(io::ErrorKind::AddrInUse.into()), 4),
            (TransferError::Cancelled, 130),
        ] {
            let fault = Fault::transfer("get a", Mode::Octet, error);
            assert_eq!(fault.status() as u8, status, "{fault}");
        }
        assert_eq!(Fault::Usage(String::new()).status() as u8, 2);
        assert_eq!(Fault::Interrupted.status() as u8, 130);
        assert_eq!(Fault::Ended(End::HangUp).status() as u8, 129);
        assert_eq!(Fault::Ended(End::Terminate).status() as u8, 143);
        let local = Fault::local("put a", io::ErrorKind::NotFound.into());
        assert_eq!(local.status() as u8, 4);
    }

    #[test]
    fn a_refusal_says_what_the_server_said_and_what_to_try() {
        assert_eq!(
            Fault::transfer("get boot/x.efi", Mode::Octet, refused(1, b"no such file")).to_string(),
            "get boot/x.efi: the server refused: file not found (code 1): \"no such file\"; \
             check the name, upper and lower case too"
        );
    }

    #[test]
    fn the_servers_words_cannot_steer_the_terminal() {
        assert_eq!(
            Fault::transfer("get x", Mode::Octet, refused(0, b"\x1b[2Jgone\n\xff")).to_string(),
            r#"get x: the server refused: undefined error (code 0): "\x1b[2Jgone\n\xff""#
        );
    }

    #[test]
    fn an_error_without_words_has_no_quotes() {
        assert_eq!(
            Fault::transfer("get x", Mode::Octet, refused(300, b"")).to_string(),
            "get x: the server refused: error 300 (code 300)"
        );
    }

    #[test]
    fn the_words_of_a_server_that_goes_on_and_on_are_cut_off() {
        let shown = |len| Fault::transfer("get x", Mode::Octet, refused(0, &vec![0; len]));
        let words = r"\x00".repeat(512);
        assert!(shown(512).to_string().ends_with(&format!(": \"{words}\"")));
        assert!(shown(513).to_string().ends_with(&format!(": \"{words}\"...")));
    }

    #[test]
    fn what_to_try_next_fits_what_was_asked_and_what_was_said() {
        for (mode, error, next) in [
            (Mode::Octet, refused(8, b""), "(code 8); try `options off` (--no-options)"),
            (
                Mode::Octet,
                refused(4, b""),
                "; the server may not take such requests, or not in this mode",
            ),
            (
                Mode::Mail,
                refused(4, b""),
                "; the server may not take mail: `mode octet` stores a file instead",
            ),
            (Mode::Mail, refused(8, b""), "; try `options off` (--no-options)"),
            (
                Mode::Octet,
                refused(2, b"no"),
                "must allow this file to be read, or uploads to be written",
            ),
            (
                Mode::Octet,
                refused(2, b"Not a regular file"),
                "\"Not a regular file\"; a folder or a device cannot be transferred",
            ),
        ] {
            let shown = Fault::transfer("get x", mode, error).to_string();
            assert!(shown.ends_with(next), "{shown}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_systems_numbers_are_left_out_also_where_they_are_quoted() {
        let error = io::Error::from(rustix::io::Errno::ACCESS);
        let quoted = io::Error::new(error.kind(), format!("cannot create: {error}"));
        for error in [error, quoted] {
            let shown = Fault::local("get a", error).to_string();
            assert!(shown.contains("Permission denied; check"), "{shown}");
        }
    }

    #[test]
    fn who_was_asked_for_what_is_told_where_it_helps() {
        let server = "192.0.2.1:6969".parse().unwrap();
        let nobody = || TransferError::Network(io::ErrorKind::ConnectionRefused.into());
        for (operation, error, told) in [
            (Operation::Read, TransferError::NoAnswer, ": no answer from 192.0.2.1:6969; "),
            (Operation::Read, nobody(), ": network: nothing listens at 192.0.2.1:6969; "),
            (Operation::Read, refused(2, b""), "; the server must allow this file to be read"),
            (Operation::Write, refused(2, b""), "; the server must allow uploads of this name"),
        ] {
            let fault = Fault::transfer("x", Mode::Octet, error).of(Asked { operation, server });
            let said = fault.to_string();
            assert!(
                if told.starts_with("; ") { said.ends_with(told) } else { said.contains(told) },
                "{said}"
            );
        }
    }

    #[test]
    fn a_server_that_stops_in_the_middle_has_not_refused() {
        let error =
            TransferError::GaveUp { code: ErrorCode::NOT_DEFINED, message: b"timed out".to_vec() };
        let fault = Fault::transfer("get x", Mode::Octet, error);
        assert_eq!(
            fault.to_string(),
            "get x: the server gave up: undefined error (code 0): \"timed out\""
        );
        assert!(fault.is_refusal());
    }

    #[test]
    fn without_a_socket_it_says_where_to_get_one() {
        let shown = |cause| Fault::transfer("get x", Mode::Octet, TransferError::Socket(cause));
        let taken = shown(io::ErrorKind::AddrInUse.into()).to_string();
        assert!(taken.ends_with("; choose other local ports with -R FIRST-LAST"), "{taken}");
        #[cfg(unix)]
        {
            let many = shown(rustix::io::Errno::MFILE.into()).to_string();
            assert!(many.ends_with("; raise the limit of open files (ulimit -n)"), "{many}");
        }
    }
}
