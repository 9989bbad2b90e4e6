//! Words for people.

use std::io;

/// What the system says of an error, without the number that Rust adds.
pub fn of_the_system(error: &io::Error) -> String {
    let said = error.to_string();
    match said.rfind(" (os error ") {
        Some(number) if said.ends_with(')') => said[..number].to_owned(),
        _ => said,
    }
}
