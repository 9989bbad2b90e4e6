//! The program `tftp`.

use std::process::ExitCode;

fn main() -> ExitCode {
    tftp_cli::main()
}
