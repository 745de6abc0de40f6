//! The agent of a host. Its configuration is what `--config` names, else `/etc/breakglass/host.toml`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::examples;

/// What the agent does.
#[derive(Debug, Subcommand)]
pub enum HostVerb {
    /// Keep the revocation list, end sessions whose grant is over, report; until it is stopped
    #[command(after_help = examples::HOST_RUN)]
    Run,
    /// What sshd and systemd have to be told; nothing is written without --write
    #[command(after_help = examples::HOST_INSTALL)]
    Install(InstallArgs),
    /// What is in force at each server of this host, and what is in the way
    #[command(after_help = examples::HOST_STATUS)]
    Status,
    /// For AuthorizedPrincipalsCommand: the roles that open an account
    #[command(after_help = examples::HOST_PRINCIPALS)]
    Principals(PrincipalsArgs),
}

/// What to write.
#[derive(Debug, Args)]
pub struct InstallArgs {
    /// Print what would be written (the default)
    #[arg(long, conflicts_with = "write")]
    pub print: bool,
    /// Write the files, the CA's key and the static roles
    #[arg(long)]
    pub write: bool,
    /// Roles from one file for each account instead of a command
    #[arg(long)]
    pub static_principals: bool,
    /// Write below this directory instead of /
    #[arg(long, value_name = "DIR", default_value = "/", value_hint = ValueHint::DirPath)]
    pub root: PathBuf,
}

/// What sshd tells of a log-in.
#[derive(Debug, Args)]
pub struct PrincipalsArgs {
    /// The account (%u)
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// The certificate's key id (%i)
    #[arg(value_name = "KEY-ID", allow_hyphen_values = true)]
    pub key_id: String,
    /// Its serial (%s)
    #[arg(value_name = "SERIAL", allow_hyphen_values = true)]
    pub serial: String,
}
