//! Code in C that is loaded into the server, to see it from inside or to make its system a poorer
//! one. It is built with the compiler that Rust links with.

use std::{path::Path, process::Command};

use tempfile::TempDir;

/// Loads the shared object of that source into the program, with one variable in its environment.
/// Keep the folder as long as the program may start.
pub(crate) fn preload(command: &mut Command, source: &str, variable: (&str, &str)) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let object = folder.path().join("preload.so");
    build(&format!("preload/{source}"), &["-shared", "-fPIC", "-o"], &object);
    command.env("LD_PRELOAD", object).env(variable.0, variable.1);
    folder
}

/// Compiles a source that lies beside these tests.
pub(crate) fn build(source: &str, options: &[&str], object: &Path) {
    let path = format!("{}/tests/daemon/{source}", env!("CARGO_MANIFEST_DIR"));
    let built = Command::new("cc")
        .args(["-Wall", "-Werror", "-O1"])
        .args(options)
        .arg(object)
        .arg(path)
        .status()
        .expect("a C compiler");
    assert!(built.success(), "{source} does not compile");
}
