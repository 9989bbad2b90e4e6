//! `--check`: says what would run, and binds nothing.

use crate::{options::Settings, prepared::Prepared};

/// Writes it to standard output, as a configuration file that says the same.
pub(crate) fn tell(settings: &Settings, prepared: &Prepared) {
    println!("# {}", prepared.says(&prepared.config.listen));
    print!("{settings}");
}
