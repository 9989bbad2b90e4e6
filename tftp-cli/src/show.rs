//! Names and texts made safe for a terminal.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    io::{self, Write as _},
};

use crate::fault::Fault;

/// A file name as it can be printed: letters of every language as they are, everything that a
/// terminal could take for an instruction escaped.
pub(crate) fn name(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            // `escape_debug` also escapes quotes and backslashes, which do no harm in a name.
            if matches!(character, '\\' | '"' | '\'') {
                shown.push(character);
            } else {
                shown.extend(character.escape_debug());
            }
        }
        // Writing to a string cannot fail.
        let _ = write!(shown, "{}", chunk.invalid().escape_ascii());
    }
    shown
}

/// [`name`] for what the operating system hands out.
pub(crate) fn os(text: impl AsRef<OsStr>) -> String {
    name(text.as_ref().as_encoded_bytes())
}

/// Prints a line to standard output.
///
/// A reader that has gone away is its own business, so a failure is dropped; `println!` would
/// panic.
pub(crate) fn line(text: &str) {
    let _ = try_line(text);
}

/// The same where it matters.
pub(crate) fn try_line(text: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{text}")
}

/// Prints a line to standard error, in the same way.
pub(crate) fn note(text: &str) {
    let _ = try_note(text);
}

/// The same where it matters.
pub(crate) fn try_note(text: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{text}")
}

/// Prints what went wrong, in one line.
pub(crate) fn fault(fault: &Fault) {
    note(&format!("tftp: {fault}"));
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn letters_stay_and_instructions_are_escaped() {
        assert_eq!(name("boot/Übung.efi".as_bytes()), "boot/Übung.efi");
        assert_eq!(name(br"boot\x64\a'b"), r"boot\x64\a'b");
        assert_eq!(name(b"a\x1b[2Jb\n"), r"a\u{1b}[2Jb\n");
        assert_eq!(name("a\u{202e}b".as_bytes()), r"a\u{202e}b");
        assert_eq!(name(b"a\xffb"), r"a\xffb");
    }
}
