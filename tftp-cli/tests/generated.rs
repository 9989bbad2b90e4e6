//! The manual page and the completions of `tftp`.

#[path = "../../tftp-mio/tests/support/generated.rs"]
mod support;

use std::path::Path;

#[test]
fn the_generated_files_are_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("package");
    let commands = tftp_cli::commands();
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let sections = [("COMMANDS", &commands[..]), ("SEE ALSO", &["tftpd(8)"])];
    support::check(&tftp_cli::command(), "1", &sections, &folder);
}
