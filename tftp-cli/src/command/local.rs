//! The commands about this machine's folders.

use std::{ffi::OsString, path::PathBuf};

use super::{Argument, Command, Misuse, Spec, nothing};
use crate::local;

pub(crate) const LCD: Spec = Spec {
    name: "lcd",
    aliases: &[],
    usage: "lcd [DIR]",
    summary: "change the local folder",
    detail: "Without DIR, to the home folder.",
    arguments: &[Argument::LocalFolder, Argument::None],
    parse: |words| folder(words).map(Command::LocalCd),
};

pub(crate) const LPWD: Spec = Spec {
    name: "lpwd",
    aliases: &[],
    usage: "lpwd",
    summary: "show the local folder",
    detail: "",
    arguments: &[],
    parse: |words| nothing(words, Command::LocalPwd),
};

pub(crate) const LLS: Spec = Spec {
    name: "lls",
    aliases: &[],
    usage: "lls [DIR]",
    summary: "list the local folder",
    detail: "",
    arguments: &[Argument::LocalFolder, Argument::None],
    parse: |words| folder(words).map(Command::LocalLs),
};

fn folder(words: &[OsString]) -> Result<Option<PathBuf>, Misuse> {
    match words {
        [] => Ok(None),
        [folder] => Ok(Some(local::path(folder))),
        _ => Err(Misuse::too_many()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        Command,
        tests::{command, misuse},
    };

    #[test]
    fn a_folder_is_one_word() {
        assert_eq!(command("lcd"), Command::LocalCd(None));
        assert_eq!(command("lcd 'a b'"), Command::LocalCd(Some("a b".into())));
        assert_eq!(command("lls /"), Command::LocalLs(Some("/".into())));
        assert!(misuse("lcd a b").contains("quotes"));
    }
}
