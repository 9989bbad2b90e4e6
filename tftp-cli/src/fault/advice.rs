//! What the words of an error are: what happened, what the server said, what to try next.

use std::io;

use tftp_core::{ErrorCode, Mode, Operation};
use tftp_mio::client::TransferError;
pub(super) use tftp_mio::of_the_system;

use super::Asked;

/// Bytes of a server's words that are shown; an ERROR may bring a hundred times as many.
const MOST_WORDS: usize = 512;

pub(super) fn explain(mode: Mode, asked: Option<Asked>, error: &TransferError) -> String {
    let whom = |with: &str| asked.map(|asked| format!(" {with} {}", asked.server));
    match error {
        TransferError::Server { code, message } => {
            let said = quote(message);
            let number = code.0;
            let next = after_refusal(*code, mode, asked, message);
            format!("the server refused: {code} (code {number}){said}{next}")
        }
        TransferError::GaveUp { code, message } => {
            format!("the server gave up: {code} (code {}){}", code.0, quote(message))
        }
        TransferError::NoAnswer => format!(
            "no answer{}; check host and port, and whether a firewall drops UDP to it or the \
             answer, which comes from another port",
            whom("from").unwrap_or_default()
        ),
        TransferError::TimedOut => "the server answered at first and then fell silent; \
             a smaller blksize or windowsize may get through"
            .to_owned(),
        TransferError::Unconfirmed => "everything was sent, but the server did not confirm it and may \
             or may not have the file; look there, or send it again"
            .to_owned(),
        TransferError::Protocol(_) => format!("{error}; `options off` (--no-options) may avoid it"),
        TransferError::Size { .. } => {
            format!(
                "{error}; the file may have changed meanwhile, so try again, or take what comes \
                 with `options off` (--no-options)"
            )
        }
        TransferError::Network(cause) if cause.kind() == io::ErrorKind::ConnectionRefused => {
            let there = whom("at").unwrap_or_else(|| " there".to_owned());
            format!("network: nothing listens{there}; check host and port")
        }
        TransferError::Lost(cause) if cause.kind() == io::ErrorKind::ConnectionRefused => {
            "the server answered at first, and now nothing listens there any more; it may have been \
             stopped"
                .to_owned()
        }
        TransferError::Lost(cause) => format!(
            "the server answered at first and cannot be reached any more: {}; check the way to it",
            of_the_system(cause)
        ),
        TransferError::Socket(cause) => {
            format!("no socket: {}{}", of_the_system(cause), without_socket(cause))
        }
        TransferError::MailRead => format!("{error}; choose octet or netascii"),
        TransferError::Local(cause) => local(cause),
        TransferError::Network(cause) => {
            format!("network: {}; check the host, and the way to it", of_the_system(cause))
        }
        TransferError::Cancelled => "interrupted".to_owned(),
        _ => error.to_string(),
    }
}

/// What the server said, if anything: escaped, and cut off where it goes on and on.
pub(crate) fn quote(message: &[u8]) -> String {
    match message.get(..MOST_WORDS) {
        _ if message.is_empty() => String::new(),
        Some(begin) if message.len() > MOST_WORDS => format!(": \"{}\"...", begin.escape_ascii()),
        _ => format!(": \"{}\"", message.escape_ascii()),
    }
}

/// What to try next after an ERROR of that code with those words.
fn after_refusal(
    code: ErrorCode,
    mode: Mode,
    asked: Option<Asked>,
    message: &[u8],
) -> &'static str {
    let operation = asked.map(|asked| asked.operation);
    match code {
        ErrorCode::FILE_NOT_FOUND => "; check the name, upper and lower case too",
        ErrorCode::ACCESS_VIOLATION if names_no_file(message) => {
            "; a folder or a device cannot be transferred"
        }
        ErrorCode::ACCESS_VIOLATION => match operation {
            Some(Operation::Read) => "; the server must allow this file to be read",
            Some(Operation::Write) => "; the server must allow uploads of this name",
            None => "; the server must allow this file to be read, or uploads to be written",
        },
        ErrorCode::FILE_EXISTS => "; choose another name on the server",
        ErrorCode::ILLEGAL_OPERATION if mode == Mode::Mail => {
            "; the server may not take mail: `mode octet` stores a file instead"
        }
        // Without options it has been asked already.
        ErrorCode::ILLEGAL_OPERATION => {
            "; the server may not take such requests, or not in this mode"
        }
        ErrorCode::OPTIONS_REFUSED => "; try `options off` (--no-options)",
        _ => "",
    }
}

/// Whether the server says that the name is that of a folder or a device, as `tftpd` puts it.
fn names_no_file(message: &[u8]) -> bool {
    message.to_ascii_lowercase().windows(NO_FILE.len()).any(|part| part == NO_FILE)
}

const NO_FILE: &[u8] = b"not a regular file";

/// What to try next when the system gave no socket.
fn without_socket(cause: &io::Error) -> &'static str {
    if cause.kind() == io::ErrorKind::AddrInUse {
        return "; choose other local ports with -R FIRST-LAST";
    }
    if cause.kind() == io::ErrorKind::PermissionDenied {
        return "; local ports below 1024 are for administrators, so choose others with -R FIRST-LAST";
    }
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        if matches!(Errno::from_io_error(cause), Some(Errno::MFILE | Errno::NFILE)) {
            return "; raise the limit of open files (ulimit -n)";
        }
    }
    ""
}

/// Trouble with a local file or folder.
pub(super) fn local(error: &io::Error) -> String {
    let next = match error.kind() {
        io::ErrorKind::NotFound => "; check the name",
        io::ErrorKind::PermissionDenied => "; check its permissions, and those of its folder",
        io::ErrorKind::IsADirectory => "; a folder cannot be transferred, but `put DIR/*` can",
        // Not what the system calls an invalid argument.
        io::ErrorKind::InvalidInput if error.raw_os_error().is_none() => {
            "; what comes from a pipe or a device is sent with `put - REMOTE` and `<FILE`"
        }
        io::ErrorKind::FileTooLarge => "; the limit is that of the disk, or `ulimit -f`",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; make room, or choose another disk"
        }
        _ => "",
    };
    of_the_system(error) + next
}
