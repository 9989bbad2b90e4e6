//! Where the lines of earlier runs are kept: nobody's business but the user's.

use std::{
    fs::DirBuilder,
    io,
    path::{Path, PathBuf},
};

use etcetera::{BaseStrategy as _, base_strategy::choose_native_strategy};

/// The file, in the platform's folder for state: `~/.local/state/tftp/history` on Linux, or
/// beneath `XDG_STATE_HOME`.
///
/// # Errors
/// When the user has no home.
pub(super) fn file() -> io::Result<PathBuf> {
    let platform = choose_native_strategy().map_err(io::Error::other)?;
    // macOS and Windows have no folder for state.
    let state = platform.state_dir().unwrap_or_else(|| platform.data_dir());
    Ok(state.join("tftp").join("history"))
}

/// Makes the file's folder, and keeps others out of both. The editor makes the file itself, for
/// its owner alone.
///
/// # Errors
/// When the folder cannot be made.
pub(super) fn make_private(file: &Path) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    #[cfg(unix)]
    {
        use std::{fs, os::unix::fs::PermissionsExt as _};
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
        match fs::set_permissions(file, fs::Permissions::from_mode(0o600)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
