//! What is wrong with a file of rules.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// All that is wrong with a file of rules, in the order of its lines. It is displayed with one line
/// for each: `FILE:LINE: what is wrong, and what to write`.
#[derive(Debug)]
pub struct MapFaults {
    path: PathBuf,
    list: Vec<MapFault>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct MapFault {
    /// Counted from 1; none where the file as a whole is meant.
    pub(super) line: Option<usize>,
    pub(super) what: String,
}

impl MapFaults {
    pub(super) fn unread(path: &Path, error: &io::Error) -> Self {
        Self::in_file(path, vec![MapFault { line: None, what: crate::of_the_system(error) }])
    }

    pub(super) fn in_file(path: &Path, mut list: Vec<MapFault>) -> Self {
        list.sort_by_key(|fault| fault.line);
        Self { path: path.into(), list }
    }
}

impl std::error::Error for MapFaults {}

impl fmt::Display for MapFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, MapFault { line, what }) in self.list.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            let path = self.path.display();
            match line {
                Some(line) => write!(f, "{separator}{path}:{line}: {what}")?,
                None => write!(f, "{separator}cannot read the map {path}: {what}")?,
            }
        }
        Ok(())
    }
}
