//! Which rights the process keeps once its sockets are bound.

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Confinement")]
pub(crate) struct Confinement {
    /// Become this user once the sockets are bound, for good: a name or a number
    #[arg(short, long, value_name = "USER")]
    pub(crate) user: Option<String>,

    /// Become a member of this group instead of the user's own
    #[arg(short, long, value_name = "GROUP")]
    pub(crate) group: Option<String>,

    /// Do not confine the process to the folders that it needs (Landlock)
    #[arg(long)]
    pub(crate) no_sandbox: bool,
}
