//! Arguments of the ways in: programs run with a credential that is on this machine.

use std::ffi::OsString;
use std::path::PathBuf;

use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::ScopeId;
use clap::{Args, ValueHint};

use crate::aws::Arn;

/// What happens to the grant when the program has ended.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Afterwards {
    /// Give the credential back at the end, without asking
    #[arg(long, conflicts_with = "keep")]
    pub drop: bool,
    /// Keep it at the end, without asking; without a terminal that is what happens
    #[arg(long)]
    pub keep: bool,
}

/// Where to log in, and by which grant.
#[derive(Debug, Args)]
pub struct SshArgs {
    /// By the grant of this scope, if you hold several
    #[arg(long, value_name = "SCOPE")]
    pub scope: Option<ScopeId>,
    /// What happens at the end.
    #[command(flatten)]
    pub afterwards: Afterwards,
    /// A request's id if you hold several, the host, and whatever else ssh takes
    #[arg(
        value_name = "[ID] [USER@]HOST [ARGUMENT",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_hint = ValueHint::Hostname
    )]
    pub words: Vec<OsString>,
}

/// What to run, and by which grant.
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// By the grant of this request, if you hold several: req-…
    #[arg(value_name = "ID")]
    pub id: Option<RequestId>,
    /// By the grant of this scope, if you hold several
    #[arg(long, value_name = "SCOPE", conflicts_with = "id")]
    pub scope: Option<ScopeId>,
    /// What happens at the end.
    #[command(flatten)]
    pub afterwards: Afterwards,
    /// The program and its arguments
    #[arg(
        value_name = "COMMAND",
        required = true,
        last = true,
        value_hint = ValueHint::CommandWithArguments
    )]
    pub command: Vec<OsString>,
}

/// Which grant's certificate a PostgreSQL client shows.
#[derive(Debug, Args)]
pub struct PgArgs {
    /// By the grant of this request, if you hold several: req-…
    #[arg(value_name = "ID")]
    pub id: Option<RequestId>,
    /// By the grant of this scope, if you hold several
    #[arg(long, value_name = "SCOPE", conflicts_with = "id")]
    pub scope: Option<ScopeId>,
    /// Who vouches for the server, PEM; otherwise PGSSLROOTCERT or libpq's own default counts
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub server_ca: Option<PathBuf>,
    /// What happens at the end of the program.
    #[command(flatten)]
    pub afterwards: Afterwards,
    /// A program and its arguments; without one the variables are printed for a shell
    #[arg(value_name = "COMMAND", last = true, value_hint = ValueHint::CommandWithArguments)]
    pub command: Vec<OsString>,
}

/// Which role of AWS, and by which credential.
#[derive(Debug, Args)]
pub struct AwsArgs {
    /// By the grant of this request, if you hold several: req-…
    #[arg(value_name = "ID")]
    pub id: Option<RequestId>,
    /// By the grant of this scope, if you hold several
    #[arg(long, value_name = "SCOPE", conflicts_with = "id")]
    pub scope: Option<ScopeId>,
    /// The role
    #[arg(long, value_name = "ARN")]
    pub role: Arn,
    /// By certificate, IAM Roles Anywhere: the trust anchor that holds the broker's X.509 authority
    #[arg(long, value_name = "ARN", requires = "profile")]
    pub trust_anchor: Option<Arn>,
    /// By certificate, IAM Roles Anywhere: the profile that names the role
    #[arg(long, value_name = "ARN", requires = "trust_anchor")]
    pub profile: Option<Arn>,
    /// By token, AssumeRoleWithWebIdentity: the region whose STS is asked
    #[arg(long, value_name = "REGION", value_parser = region,
        required_unless_present_any = ["trust_anchor", "endpoint"], conflicts_with = "trust_anchor")]
    pub region: Option<String>,
    /// Another address of the service, a VPC endpoint for example
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub endpoint: Option<String>,
}

/// A region's name is part of an address.
fn region(text: &str) -> Result<String, &'static str> {
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=REGION_MAX).contains(&text.len()) && text.bytes().all(is_name) {
        return Ok(text.to_owned());
    }
    Err("a region is 1 to 32 of a-z 0-9 -, such as eu-west-1")
}

/// The longest today has 14 characters.
const REGION_MAX: usize = 32;

/// Which grant's token.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// By the grant of this request, if you hold several: req-…
    #[arg(value_name = "ID")]
    pub id: Option<RequestId>,
    /// By the grant of this scope, if you hold several
    #[arg(long, value_name = "SCOPE", conflicts_with = "id")]
    pub scope: Option<ScopeId>,
}

/// Which grant's certificate, or token, kubectl gets.
#[derive(Debug, Args)]
pub struct KubeArgs {
    /// By the grant of this request, if you hold several: req-…
    #[arg(value_name = "ID")]
    pub id: Option<RequestId>,
    /// By the grant of this scope, if you hold several
    #[arg(long, value_name = "SCOPE", conflicts_with = "id")]
    pub scope: Option<ScopeId>,
    /// Only for this cluster; kubectl says which it is if `provideClusterInfo` is set
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub server: Option<String>,
}
