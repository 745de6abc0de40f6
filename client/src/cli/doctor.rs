//! What to look at, and with which settings.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

/// What to look at.
#[derive(Clone, Debug, Args)]
pub struct DoctorArgs {
    /// A server on this host instead of this machine's own side
    #[arg(long, value_enum, value_name = "KIND")]
    pub target: Option<TargetKind>,
    /// The server's program (for PostgreSQL: psql) instead of the one that is found
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "target")]
    pub program: Option<PathBuf>,
    /// The server's configuration instead of its own (sshd, nginx)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "target")]
    pub file: Option<PathBuf>,
    /// An account (sshd) or role (PostgreSQL) that credentials open; may be repeated
    #[arg(long = "account", value_name = "NAME", requires = "target")]
    pub accounts: Vec<String>,
    /// How to connect to PostgreSQL, as libpq takes it
    #[arg(long, value_name = "CONNINFO", requires = "target")]
    pub connect: Option<String>,
}

/// Kinds of servers that credentials open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TargetKind {
    /// OpenSSH's server.
    Sshd,
    /// nginx with client certificates.
    Nginx,
    /// PostgreSQL with client certificates.
    Postgresql,
}
