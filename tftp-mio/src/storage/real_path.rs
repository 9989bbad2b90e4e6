//! Paths without links and steps upwards.

use std::{
    ffi::OsString,
    io,
    path::{Component, Path, PathBuf},
};

use cap_std::fs::Dir;

/// Links that one path may lead through, as Linux has it.
const MOST_LINKS: usize = 40;

/// The path that `path` stands for beneath the root, without links and steps upwards. Its last step
/// need not exist.
///
/// It is asked step by step what there is, and none of it is opened: not even for a moment may the
/// other end of a pipe be waited for. `Dir::canonicalize` opens the file where it cannot look into
/// `/proc`, as in the sandbox.
///
/// # Errors
/// When it leads out of the root, through what is no folder, or where the system does not let us look.
pub(super) fn real_path(root: &Dir, path: &Path) -> io::Result<PathBuf> {
    let mut real = PathBuf::new();
    let mut left = MOST_LINKS;
    let mut ahead: Vec<OsString> = Vec::new();
    let push = |ahead: &mut Vec<OsString>, path: &Path| {
        ahead.extend(path.iter().rev().map(OsString::from));
    };
    push(&mut ahead, path);
    while let Some(step) = ahead.pop() {
        match Path::new(&step).components().next() {
            None | Some(Component::CurDir) => continue,
            Some(Component::Normal(_)) => {}
            Some(Component::ParentDir) if real.pop() => continue,
            Some(Component::ParentDir | Component::RootDir | Component::Prefix(_)) => {
                return Err(io::ErrorKind::PermissionDenied.into());
            }
        }
        real.push(&step);
        match root.symlink_metadata(&real) {
            Ok(found) if found.is_symlink() => {
                left = left.checked_sub(1).ok_or(io::ErrorKind::PermissionDenied)?;
                let leads_to = root.read_link_contents(&real)?;
                real.pop();
                push(&mut ahead, &leads_to);
            }
            Ok(found) if !found.is_dir() && !ahead.is_empty() => {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound && ahead.is_empty() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(real)
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use cap_std::ambient_authority;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_path_has_one_form_without_links_and_steps_upwards() {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::write(at("a/file"), "").unwrap();
        for (name, leads_to) in [
            ("a/up", "../a/b"),
            ("file", "a/file"),
            ("twice", "a/up/../file"),
            ("nothing", "a/new"),
            ("out", "../a"),
            ("absolute", "/a"),
            ("loop", "loop"),
            ("through", "a/file/../b"),
        ] {
            symlink(leads_to, at(name)).unwrap();
        }
        let root = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        let real = |path: &str| real_path(&root, Path::new(path)).ok();
        for (path, expected) in [
            ("a/file", "a/file"),
            ("a/../a/./b", "a/b"),
            ("a/up", "a/b"),
            ("a/up/new", "a/b/new"),
            ("file", "a/file"),
            ("twice", "a/file"),
            ("nothing", "a/new"),
            ("new", "new"),
            ("a/..", ""),
        ] {
            assert_eq!(real(path).as_deref(), Some(Path::new(expected)), "{path}");
        }
        for path in ["out", "absolute", "loop", "through", "..", "new/file", "a/file/b"] {
            assert_eq!(real(path), None, "{path}");
        }
    }
}
