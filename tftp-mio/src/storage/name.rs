//! Names as boot ROMs write them: `\Boot\BCD`, `//pxelinux.0`, `./x`, and a stray 0xFF at the end.

use std::path::PathBuf;

/// The path that a name stands for, relative to the root; `None` for one that cannot be a path
/// here, or that names a folder by its form.
///
/// Backslashes are slashes, and empty components and `.` collapse. Nothing is decided about `..`
/// and links: the kernel does that when it resolves the path beneath the root.
pub(crate) fn to_path(name: &[u8]) -> Option<PathBuf> {
    // A name that ends in a slash, or in a step that stays where it is, names a folder.
    let last = name.rsplit(|byte| matches!(byte, b'/' | b'\\')).next()?;
    if last.is_empty() || last == b"." {
        return None;
    }
    let mut path = PathBuf::new();
    for component in name.split(|byte| matches!(byte, b'/' | b'\\')) {
        if !component.is_empty() && component != b"." {
            path.push(component_to_os(component)?);
        }
    }
    (!path.as_os_str().is_empty()).then_some(path)
}

/// The same name without the one byte 0xFF that some PXE ROMs append.
pub(crate) fn without_rom_padding(name: &[u8]) -> Option<&[u8]> {
    name.strip_suffix(&[0xFF])
}

/// The same name without any byte 0xFF at its end.
pub(crate) fn without_all_rom_padding(name: &[u8]) -> &[u8] {
    let end = name.iter().rposition(|&byte| byte != 0xFF).map_or(0, |last| last + 1);
    &name[..end]
}

/// A name in the one form that stands for all of its spellings: `boot/x` for `//boot\.\a\..\x`
/// with whatever padding. One that names a folder by its form still does. `None` for a name that
/// leads out of the root.
pub(crate) fn plain(name: &[u8]) -> Option<Vec<u8>> {
    let is_slash = |&byte: &u8| matches!(byte, b'/' | b'\\');
    let mut steps: Vec<&[u8]> = Vec::new();
    let mut names_folder = false;
    for step in without_all_rom_padding(name).split(is_slash) {
        names_folder = matches!(step, b"" | b"." | b"..");
        match step {
            b"" | b"." => {}
            b".." => {
                steps.pop()?;
            }
            step => steps.push(step),
        }
    }
    let end: &[u8] = if names_folder { b"/" } else { b"" };
    Some([&steps.join(&b'/'), end].concat())
}

/// Names are bytes where the system's are.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "on other systems not every name can be a path")]
fn component_to_os(component: &[u8]) -> Option<&std::ffi::OsStr> {
    Some(std::os::unix::ffi::OsStrExt::from_bytes(component))
}

/// Elsewhere they must be UTF-8, and may not name a drive, a stream or a device.
#[cfg(not(unix))]
fn component_to_os(component: &[u8]) -> Option<&std::ffi::OsStr> {
    let text = std::str::from_utf8(component).ok()?;
    (!text.contains(':')).then(|| std::ffi::OsStr::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_of_both_kinds_collapse() {
        for name in ["a/b", "/a/b", "//a//b", "\\a\\b", "./a/./b", "a\\.\\b"] {
            assert_eq!(to_path(name.as_bytes()), Some(PathBuf::from("a/b")), "{name}");
        }
    }

    #[test]
    fn what_ends_like_a_folder_is_no_file() {
        for name in ["", "/", ".", "\\", "./.", "a/", "a\\", "a/."] {
            assert_eq!(to_path(name.as_bytes()), None, "{name:?}");
        }
    }

    #[test]
    fn steps_upwards_are_left_to_the_kernel() {
        assert_eq!(to_path(b"a/../../b"), Some(PathBuf::from("a/../../b")));
    }

    #[test]
    fn all_spellings_of_a_name_have_one_plain_form() {
        for name in ["a/b", "/a/b", "\\a\\b", "./a//./b", "a/x/../b", "/x/../a/b"] {
            assert_eq!(plain(name.as_bytes()).as_deref(), Some(&b"a/b"[..]), "{name}");
        }
        assert_eq!(plain(b"a/b\xFF\xFF").as_deref(), Some(&b"a/b"[..]));
        for (name, form) in
            [("a/", "a/"), ("a/.", "a/"), ("a/b/..", "a/"), ("/", "/"), ("a/..", "/")]
        {
            assert_eq!(plain(name.as_bytes()).as_deref(), Some(form.as_bytes()), "{name}");
            assert_eq!(to_path(form.as_bytes()), None);
        }
        for name in ["..", "../a", "a/../../b", "\\..\\a"] {
            assert_eq!(plain(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn only_one_trailing_ff_is_padding() {
        assert_eq!(without_rom_padding(b"x\xFF"), Some(&b"x"[..]));
        assert_eq!(without_rom_padding(b"x\xFF\xFF"), Some(&b"x\xFF"[..]));
        assert_eq!(without_rom_padding(b"x"), None);
    }
}
