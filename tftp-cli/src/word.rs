//! The words of a command line.

use std::ffi::OsString;

/// A quote that was opened and never closed, or a backslash at the very end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a quote is not closed, or a backslash ends the line; write a literal backslash as '\\' in single quotes"
)]
pub(crate) struct OpenQuote;

/// Splits a line as a shell does: blanks part words, `'..'` keeps everything, `"..."` and `\`
/// protect blanks and quotes, and `#` at the start of a word begins a comment.
pub(crate) fn split(line: &[u8]) -> Result<Vec<OsString>, OpenQuote> {
    let words = shlex::bytes::split(line).ok_or(OpenQuote)?;
    Ok(words.into_iter().map(from_bytes).collect())
}

/// The bytes of a name as the operating system's string.
#[cfg(unix)]
pub(crate) fn from_bytes(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

/// The bytes of a name as the operating system's string; what is not UTF-8 is replaced.
#[cfg(not(unix))]
pub(crate) fn from_bytes(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::{OpenQuote, split};

    #[test]
    fn words_are_split_as_in_a_shell() {
        for (line, words) in [
            ("", &[][..]),
            ("  get \t a  b ", &["get", "a", "b"]),
            ("get 'a b' c\\ d \"e f\"", &["get", "a b", "c d", "e f"]),
            ("get ''", &["get", ""]),
            ("get a#b # the first one", &["get", "a#b"]),
        ] {
            assert_eq!(split(line.as_bytes()).unwrap(), words, "{line}");
        }
    }

    #[test]
    fn a_name_with_backslashes_is_written_in_quotes() {
        assert_eq!(
            split(br#"get 'boot\x64\wdsnbp.com' "boot\x86\n""#).unwrap(),
            ["get", r"boot\x64\wdsnbp.com", r"boot\x86\n"]
        );
    }

    #[test]
    fn an_open_quote_is_an_error() {
        for line in [&b"get 'a"[..], b"get \"a", b"get a\\"] {
            assert_eq!(split(line), Err(OpenQuote));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_name_need_not_be_utf_8() {
        let words = split(b"get \xff").unwrap();
        assert_eq!(words.last().unwrap().as_encoded_bytes(), b"\xff");
    }
}
