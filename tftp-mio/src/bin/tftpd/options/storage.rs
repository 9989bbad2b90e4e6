//! What is served, and what may be stored.

use std::path::PathBuf;

use clap::ValueEnum;
use tftp_mio::storage::{ClientFolders, Names, Uploads, WritePolicy};

use super::value;

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Files")]
pub(crate) struct Files {
    /// The folder to serve
    #[arg(default_value = ".")]
    pub(crate) root: PathBuf,

    /// Uploads: refused, under new names only, or replacing files too
    #[arg(short, long, value_name = "POLICY", default_value = "never")]
    write: Write,

    /// Permissions of uploaded files, such as 640. Without it: those of the file that is replaced,
    /// otherwise 644
    #[arg(long, value_name = "OCTAL", value_parser = value::mode)]
    upload_mode: Option<u32>,

    /// Largest upload that is taken, in bytes or with K, M, G, T (powers of 1024)
    #[arg(long, value_name = "SIZE", value_parser = value::size)]
    max_upload_size: Option<u64>,

    /// What uploads leave free on the disk
    #[arg(long, value_name = "SIZE", default_value = "64M", value_parser = value::size)]
    min_free: u64,

    // As a doc comment it would want backticks, which a terminal shows.
    #[arg(
        help = "A folder beneath the root for each client, with {ip} or {ip_hex} in it, such as \
                clients/{ip}. Where a client has one, names are looked for there first, and uploads \
                go there"
    )]
    #[arg(long, value_name = "PATTERN")]
    client_root: Option<ClientFolders>,

    /// Rules that rewrite or refuse names: FILE.toml, or any other name for rules of tftp-hpa
    #[arg(long, value_name = "FILE")]
    pub(crate) map: Option<PathBuf>,

    /// Where a name does not exist as it was asked for, take one in another case
    #[arg(long)]
    pub(crate) ignore_case: bool,

    /// Accept mail: a message to USER is delivered into the Maildir DIR/USER, where that exists
    #[arg(long, value_name = "DIR")]
    pub(crate) mail: Option<PathBuf>,
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

    pub(crate) fn names(&self) -> Names {
        Names { client_folders: self.client_root.clone(), ignore_case: self.ignore_case }
    }

    pub(crate) fn uploads(&self) -> Uploads {
        Uploads {
            policy: self.write_policy(),
            mode: self.upload_mode,
            max_size: self.max_upload_size,
            min_free: self.min_free,
        }
    }
}
