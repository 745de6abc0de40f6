//! What is done to one request, from asking to reviewing its use.

use std::path::PathBuf;
use std::time::Duration;

use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::{PrincipalId, ScopeId, StageId};
use breakglass_ledger::statement::{Kind, Lane, ReviewVerdict};
use breakglass_ledger::time::Ttl;
use clap::{Args, ValueHint};

use super::{length, ttl};

/// A request's id.
#[derive(Debug, Args)]
pub struct Id {
    /// The request: req-…
    #[arg(value_name = "ID")]
    pub id: RequestId,
}

/// How to list what waits.
#[derive(Debug, Args)]
pub struct Pending {
    /// Go on: one line for each change, until you end it
    #[arg(long)]
    pub watch: bool,
}

/// A request's id and what may be said about it.
#[derive(Debug, Args)]
pub struct Commented {
    /// The request: req-…
    #[arg(value_name = "ID")]
    pub id: RequestId,
    /// Why, in a sentence
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// A request's id and what must be said about it.
#[derive(Debug, Args)]
pub struct Reasoned {
    /// The request: req-…
    #[arg(value_name = "ID")]
    pub id: RequestId,
    /// Why, in a sentence; whoever asked will read it
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Which use to review, and what was found.
#[derive(Debug, Args)]
pub struct ReviewArgs {
    /// The request: req-…
    #[arg(value_name = "ID")]
    pub id: RequestId,
    /// What it was: drill, justified, unjustified or inconclusive
    #[arg(long, value_name = "VERDICT")]
    pub verdict: ReviewVerdict,
    /// What was looked at and found
    #[arg(long, value_name = "TEXT")]
    pub comment: String,
}

/// What is asked for.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// What to ask for: a scope of the policy
    pub scope: ScopeId,
    /// Why, in a sentence; approvers read it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// The incident's number
    #[arg(long, value_name = "NUMBER")]
    pub incident: Option<String>,
    /// How long the credential shall live, counted from collecting
    #[arg(long, value_name = "LENGTH", default_value = "30m", value_parser = ttl)]
    pub ttl: Ttl,
    /// What kinds of credential: ssh, x509, jwt; several are one grant
    #[arg(long, value_name = "KIND[,KIND]", default_value = "ssh", value_delimiter = ',')]
    pub kind: Vec<Kind>,
    /// Which way the request takes: normal, outage, emergency or drill
    #[arg(long, value_name = "LANE", default_value = "normal")]
    pub lane: Lane,
    /// For an agent: whom it asks for, the person first, then every agent in between
    #[arg(long, value_name = "WHO[,WHO…]", value_delimiter = ',')]
    pub on_behalf_of: Vec<PrincipalId>,
    /// Wait for the approvers, then collect
    #[arg(long)]
    pub wait: bool,
    /// Stop waiting after this long (exit code 3; the request stays open)
    #[arg(long, value_name = "LENGTH", value_parser = length, requires = "wait")]
    pub deadline: Option<Duration>,
    /// Where the credential goes.
    #[command(flatten)]
    pub place: Place,
}

/// Where a credential goes.
#[derive(Clone, Debug, Default, Args)]
pub struct Place {
    /// Into ssh-agent, for the rest of its life (the default if an agent runs)
    #[arg(long, conflicts_with = "out")]
    pub agent: bool,
    /// Into this directory, mode 0600: id and id-cert.pub for SSH, key.pem, certificate.pem and, if
    /// it is configured, ca.pem for X.509; token for JWT
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
}

/// Which credential to fetch, and where to.
#[derive(Debug, Args)]
pub struct CollectArgs {
    /// The request: req-…
    #[arg(value_name = "ID")]
    pub id: RequestId,
    /// Only this kind of credential: ssh, x509 or jwt; all that were asked for if left out
    #[arg(long, value_name = "KIND[,KIND]", value_delimiter = ',')]
    pub kind: Vec<Kind>,
    /// Wait for the approvers first
    #[arg(long)]
    pub wait: bool,
    /// Stop waiting after this long (exit code 3; the request stays open)
    #[arg(long, value_name = "LENGTH", value_parser = length, requires = "wait")]
    pub deadline: Option<Duration>,
    /// Where the credential goes.
    #[command(flatten)]
    pub place: Place,
}

/// Which request to show.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The request: req-…
    #[arg(value_name = "ID")]
    pub id: RequestId,
    /// Also write all that an approver needs to this new file, for one who reaches no broker
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub save: Option<PathBuf>,
}

/// A request by its id, or a file that holds one.
#[derive(Clone, Debug)]
pub enum OneOrFile {
    /// The request of this id, at the broker.
    Request(RequestId),
    /// What `show --save` wrote.
    File(PathBuf),
}

impl std::str::FromStr for OneOrFile {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::File(text.into()), Self::Request))
    }
}

/// Which request to approve.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The request: req-…, or with --offline the file in which it was carried here
    #[arg(value_name = "ID|FILE", value_hint = ValueHint::FilePath)]
    pub what: OneOrFile,
    /// Sign only, into this new file, and send nothing; with a FILE no broker is asked anything
    #[arg(long, value_name = "OUT", value_hint = ValueHint::FilePath)]
    pub offline: Option<PathBuf>,
    /// For which stage, if you could approve in several
    #[arg(long, value_name = "STAGE")]
    pub stage: Option<StageId>,
    /// Something to add, kept with the approval
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}
