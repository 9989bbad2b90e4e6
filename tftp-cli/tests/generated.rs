//! The manual page and the completions of `tftp`.

#[path = "../../tftp-mio/tests/support/generated.rs"]
mod support;

use std::path::Path;

#[test]
fn the_generated_files_are_up_to_date() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("package");
    let commands = tftp_cli::commands();
    let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
    let status = tftp_cli::exit_status().replace('\n', " ");
    let sections: [(&str, &[&str]); 4] = [
        ("COMMANDS", &commands[..]),
        ("JSON", &[JSON, FIELDS]),
        ("EXIT STATUS", &[&status]),
        ("SEE ALSO", &["tftpd(8)"]),
    ];
    support::check(&tftp_cli::command(), "1", &sections, &folder);
}

const JSON: &str = "With --json each transfer is an object in a line of its own on standard output, \
                    whether it succeeded or not; beside a file that goes to standard output, on \
                    standard error.";

const FIELDS: &str = "\
operation         get or put
remote, local     the names; - is a standard stream
remote_hex, local_hex
                  all bytes of a name that is not UTF-8; otherwise not there
mode              octet, netascii or mail
server            ADDRESS:PORT that was asked; null where it never came to that
ok, status        whether it succeeded; the exit status of this transfer alone
bytes, seconds, bytes_per_second
                  as they went over the wire; these and the next only of what succeeded
options           what was agreed, by name
retransmissions   packets that were sent again
asked_again       whether the server would not have the options first asked for
error             null, or why it failed: text for people, and the server's code and message";
