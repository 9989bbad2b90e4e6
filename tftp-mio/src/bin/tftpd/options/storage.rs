//! What is served, and what may be stored.

use std::path::PathBuf;

use clap::ValueEnum;
use tftp_mio::storage::WritePolicy;

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Files")]
pub(crate) struct Files {
    /// The folder to serve
    #[arg(default_value = ".")]
    pub(crate) root: PathBuf,

    /// Uploads: refused, under new names only, or replacing files too
    #[arg(short, long, value_name = "POLICY", default_value = "never")]
    write: Write,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Write {
    Never,
    Create,
    Overwrite,
}

impl Files {
    pub(crate) fn write_policy(&self) -> WritePolicy {
        match self.write {
            Write::Never => WritePolicy::Never,
            Write::Create => WritePolicy::Create,
            Write::Overwrite => WritePolicy::Overwrite,
        }
    }
}
