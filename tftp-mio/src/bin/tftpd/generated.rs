//! The manual page and the completions of `tftpd`, and the configuration that is packaged with it.

#[path = "../../../tests/support/generated.rs"]
mod support;

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;

use crate::options::{CommandLine, Options};

fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("package")
}

#[test]
fn the_generated_files_are_up_to_date() {
    let sections: &[(&str, &[&str])] = &[
        (
            "CONFIGURATION FILE",
            &[
                "The file of --config is TOML. Its keys are the long names of the options: write = \
                 \"create\", max-blksize = 1468, listen = [\"192.0.2.1\", \"[::1]:6969\"] for those \
                 that can be repeated, single-port = true for those without a value. The key of the \
                 folder is root. What stands on the command line wins over the file. An unknown key \
                 or a wrong value is an error with its line, and nothing is served.",
                "Relative names are relative to the folder in which tftpd was started.",
            ],
        ),
        (
            "SIGNALS",
            &[
                "TERM and INT: no new request is taken; running transfers may finish within --grace \
                 seconds, and are then ended with an ERROR. A second one ends them at once.",
                "HUP: the log file is opened anew, and the configuration and the map are read again. \
                 Transfers are not disturbed. What only a restart can change is said in the log; if \
                 anything is wrong, the old configuration stays as a whole.",
                "USR1: the state is written to the log.",
            ],
        ),
        (
            "EXIT STATUS",
            &["0: stopped as asked. 1: failed while starting or running. 2: wrong usage or \
                 configuration."],
        ),
        ("SEE ALSO", &["tftp(1), systemd.socket(5)"]),
    ];
    support::check(&Options::command(), "8", sections, &package());
}

#[test]
fn the_packaged_configuration_is_one_that_is_read() {
    let file = package().join("tftpd.toml").into_os_string();
    let words = ["tftpd".into(), "--config".into(), file];
    let settings = CommandLine::new(words).read().unwrap();
    assert_eq!(settings.options.files.root, Path::new("/srv/tftp"));
}
