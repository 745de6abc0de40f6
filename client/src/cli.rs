//! The command line: every verb, every flag, each with worked examples.

mod acts;
mod doctor;
mod examples;
mod host;
mod policy;
mod standing;
pub mod ways;

use std::path::PathBuf;
use std::time::Duration;

use breakglass_ledger::id::RequestId;
use breakglass_ledger::time::Ttl;
use clap::{Args, Parser, Subcommand, ValueHint};

pub use acts::{
    ApproveArgs, CollectArgs, Commented, Id, OneOrFile, Pending, Place, Reasoned, RequestArgs,
    ReviewArgs, ShowArgs,
};
pub use doctor::{DoctorArgs, TargetKind};
pub use host::{HostVerb, InstallArgs, PrincipalsArgs};
pub use policy::{DiffArgs, ExplainArgs, PolicyVerb, SignArgs};
pub use standing::{GrantsArgs, LockArgs, OutageVerb, UnlockArgs};

use crate::config::Given;
use crate::output::{Format, parse_duration};

/// Ask for emergency access, approve it, use it, give it back, and prove what happened
#[derive(Debug, Parser)]
#[command(name = "breakglass", version, after_help = examples::ALL, propagate_version = true)]
pub struct Cli {
    /// How to talk. First, because the heading of the flags below would cover these too.
    #[command(flatten)]
    pub common: Common,
    /// Where brokers, keys and memory are.
    #[command(flatten)]
    pub given: Given,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// Flags of every verb.
#[derive(Debug, Args)]
pub struct Common {
    /// How the result is printed on stdout; everything else goes to stderr
    #[arg(
        short,
        long,
        global = true,
        hide_short_help = true,
        value_enum,
        default_value_t,
        env = "BREAKGLASS_OUTPUT",
        value_name = "FORMAT"
    )]
    pub output: Format,
    /// Do not ask on the terminal; the answer is yes
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// Longest wait for a broker's answer
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "LENGTH",
        default_value = "10s",
        value_parser = length,
        env = "BREAKGLASS_TIMEOUT"
    )]
    pub timeout: Duration,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Ask for a scope; prints the request's id
    #[command(after_help = examples::REQUEST)]
    Request(RequestArgs),
    /// How a request of yours stands; the exit code says it too
    #[command(after_help = examples::STATUS)]
    Status(Id),
    /// Fetch the credential of an approved request
    #[command(after_help = examples::COLLECT)]
    Collect(CollectArgs),
    /// Log in with the credential you hold; at the end it can be given back
    #[command(after_help = examples::SSH)]
    Ssh(ways::SshArgs),
    /// Run a program with the credential you hold in its environment
    #[command(after_help = examples::EXEC)]
    Exec(ways::ExecArgs),
    /// Run a PostgreSQL client with the X.509 certificate you hold, or print its variables
    #[command(after_help = examples::PG)]
    Pg(ways::PgArgs),
    /// Run curl with the X.509 certificate you hold
    #[command(after_help = examples::CURL)]
    Curl(ways::ExecArgs),
    /// The token you hold, alone on stdout; a fresh one of the same grant when it is about to end
    #[command(after_help = examples::TOKEN)]
    Token(ways::TokenArgs),
    /// The X.509 certificate or token you hold, as kubectl takes it from an exec plugin
    #[command(after_help = examples::KUBE)]
    Kube(ways::KubeArgs),
    /// A session of an AWS role for the credential you hold, as `credential_process` prints it
    #[command(after_help = examples::AWS)]
    Aws(ways::AwsArgs),
    /// Give a credential back before it expires
    #[command(after_help = examples::DROP)]
    Drop(Commented),
    /// Take a request back that is not collected yet
    #[command(after_help = examples::WITHDRAW)]
    Withdraw(Commented),
    /// Requests waiting for somebody
    #[command(after_help = examples::PENDING)]
    Pending(Pending),
    /// The same, live: a table on a terminal, one line for each change elsewhere
    #[command(after_help = examples::WATCH)]
    Watch,
    /// One request: who asks what and why, verified on this machine
    #[command(after_help = examples::SHOW)]
    Show(ShowArgs),
    /// Say yes to a request, after seeing it
    #[command(after_help = examples::APPROVE)]
    Approve(ApproveArgs),
    /// Send an approval that somebody signed with `approve --offline`; anybody may
    #[command(after_help = examples::SUBMIT)]
    Submit {
        /// What `approve --offline` wrote
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Say no to a request
    #[command(after_help = examples::DENY)]
    Deny(Reasoned),
    /// Ask the next approvers of a request that nobody answers
    #[command(after_help = examples::ESCALATE)]
    Escalate(Commented),
    /// Say what a use that is over was: a drill, justified, unjustified, or not to be told
    #[command(after_help = examples::REVIEW)]
    Review(ReviewArgs),
    /// End a request or a live credential that you approve for or own
    #[command(after_help = examples::CANCEL)]
    Cancel(Reasoned),
    /// Stop a person, key, scope, host or grant at once; live credentials it covers are revoked
    #[command(after_help = examples::LOCK)]
    Lock(LockArgs),
    /// Lift a lock
    #[command(after_help = examples::UNLOCK)]
    Unlock(UnlockArgs),
    /// What is locked: by whom, until when, and why
    #[command(after_help = examples::LOCKS)]
    Locks,
    /// The agent of a host that credentials open
    #[command(subcommand, after_help = examples::HOST)]
    Host(HostVerb),
    /// Credentials alive now: who, what, until when; and what was revoked and is not so everywhere
    #[command(after_help = examples::GRANTS)]
    Grants(GrantsArgs),
    /// Which dependencies are down; declare one down, or up again
    #[command(subcommand)]
    Outage(OutageVerb),
    /// Export the record, verify it offline, read it
    #[command(subcommand)]
    Audit(Audit),
    /// Check, sign and put a policy into force
    #[command(subcommand)]
    Policy(PolicyVerb),
    /// One whole emergency on this machine, with throw-away keys
    #[command(after_help = examples::DEMO)]
    Demo(DemoArgs),
    /// What works right now on this machine; with --target whether revocation holds on a server
    #[command(after_help = examples::DOCTOR)]
    Doctor(DoctorArgs),
    /// Print completions for a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page of the whole, or of one verb
    #[command(after_help = examples::MAN)]
    Man {
        /// Which verb, as on the command line: `approve`, `audit verify`
        #[arg(value_name = "VERB")]
        verb: Vec<String>,
    },
}

/// What to do with the record.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Copy the record, as it is, into a new directory: all of it, or what belongs to one request
    #[command(after_help = examples::AUDIT_EXPORT)]
    Export {
        /// Only this request, with the proof that each of its entries is in the record
        #[arg(long, value_name = "ID")]
        request: Option<RequestId>,
        /// The directory to make
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        out: PathBuf,
    },
    /// Verify an export offline, trusting nothing but the trust file
    #[command(after_help = examples::AUDIT_VERIFY)]
    Verify {
        /// The export
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        /// Whom to trust: from the operator or the authority, never from the export; without it
        /// nothing is proven
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        trust: Option<PathBuf>,
    },
    /// Read an export as a table (verify it first)
    #[command(after_help = examples::AUDIT_SHOW)]
    Show {
        /// The export
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        /// Only the entries of this request
        #[arg(long, value_name = "ID")]
        request: Option<RequestId>,
    },
}

/// How to show it.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Leave the throw-away broker running at the end, to go on by hand
    #[arg(long)]
    pub keep: bool,
    /// Where to put its files instead of a temporary directory; must not exist
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}

fn length(text: &str) -> Result<Duration, String> {
    parse_duration(text).map(Duration::from_secs)
}

fn ttl(text: &str) -> Result<Ttl, String> {
    let seconds = parse_duration(text)?;
    let ttl = u32::try_from(seconds).ok().and_then(Ttl::from_seconds);
    ttl.ok_or_else(|| "longer than 12 hours, which no scope allows".to_owned())
}

#[cfg(test)]
mod tests;
