//! What is done with a policy, and the questions that can be put to one.

use std::path::PathBuf;
use std::time::Duration;

use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::{PrincipalId, ScopeId, StageId};
use breakglass_ledger::statement::Lane;
use breakglass_ledger::time::{Timestamp, Ttl};
use clap::{Args, Subcommand, ValueHint};

use super::{examples, length, ttl};
use crate::policy::question::Action;

/// What to do with a policy.
#[derive(Debug, Subcommand)]
pub enum PolicyVerb {
    /// List every fault of the four files in DIR
    #[command(after_help = examples::POLICY_CHECK)]
    Check {
        /// Where authority.toml, people.toml, rules.cedar and scopes.toml are
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
    /// Put the cases of DIR/tests.toml to the rules, and say which are not as expected
    #[command(after_help = examples::POLICY_TEST)]
    Test {
        /// Where the four files and tests.toml are
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        /// Another file of cases
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        cases: Option<PathBuf>,
    },
    /// Say why somebody may or may not do something, what is missing, and who could
    #[command(after_help = examples::POLICY_EXPLAIN)]
    Explain(Box<ExplainArgs>),
    /// Say who gains and who loses by a new policy, and which live grants it would end
    #[command(after_help = examples::POLICY_DIFF)]
    Diff(DiffArgs),
    /// Make DIR/manifest if need be, and sign it with your key; or collect what others signed
    #[command(after_help = examples::POLICY_SIGN)]
    Sign(SignArgs),
    /// Send DIR with its signatures to the broker, which puts it into force
    #[command(after_help = examples::POLICY_PUSH)]
    Push {
        /// Where the four files, the manifest and the signatures are
        #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
}

/// What to sign.
#[derive(Debug, Args)]
pub struct SignArgs {
    /// Where the four files are
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub dir: PathBuf,
    /// Number of the new policy; asked from a broker if left out
    #[arg(long = "policy-version", value_name = "NUMBER", requires = "previous")]
    pub number: Option<u64>,
    /// Digest of the manifest before it (64 zeros for the first); asked likewise
    #[arg(long, value_name = "DIGEST", requires = "number")]
    pub previous: Option<breakglass_ledger::bytes::Digest>,
    /// Do not sign: take in a signature that somebody else made; may be repeated
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "number")]
    pub add: Vec<PathBuf>,
    /// Do not sign: say who has signed and what the quorum lacks (exit code 3 if anything)
    #[arg(long, conflicts_with = "number")]
    pub list: bool,
}

/// Two policies to compare.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The policy before: a directory, or `in-force` for the one that the broker has in force
    #[arg(value_name = "OLD", value_hint = ValueHint::DirPath)]
    pub old: PathBuf,
    /// The policy after
    #[arg(value_name = "NEW", value_hint = ValueHint::DirPath)]
    pub new: PathBuf,
    /// Live grants, as `breakglass grants -o json` printed them
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub grants: Option<PathBuf>,
    /// Ask the broker which grants are live
    #[arg(long, conflicts_with = "grants")]
    pub live: bool,
}

/// A question about a policy, or a request that was made.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A policy's directory (or one of its files), a request's id, or an export of the record
    #[arg(value_name = "DIR|ID|EXPORT", value_hint = ValueHint::AnyPath)]
    pub what: PathBuf,
    /// Of an export: which request; needed if there are several
    #[arg(long, value_name = "ID", conflicts_with_all = ["who", "scope"])]
    pub request: Option<RequestId>,
    /// Who acts
    #[arg(long, value_name = "NAME")]
    pub who: Option<PrincipalId>,
    /// What they want to do: request, approve, collect, deny, cancel, withdraw, drop, escalate, review or read
    #[arg(long, value_name = "ACTION", default_value = "request")]
    pub action: Action,
    /// The scope that the request is for
    #[arg(long, value_name = "SCOPE")]
    pub scope: Option<ScopeId>,
    /// Whose request it is, where somebody else acts on it
    #[arg(long, value_name = "NAME")]
    pub requester: Option<PrincipalId>,
    /// The stage that is approved in, if the scope has several
    #[arg(long, value_name = "STAGE")]
    pub stage: Option<StageId>,
    /// Which way the request takes
    #[arg(long, value_name = "LANE", default_value = "normal")]
    pub lane: Lane,
    /// How long the credential shall live; 30m, or what the scope allows if that is less
    #[arg(long, value_name = "LENGTH", value_parser = ttl)]
    pub ttl: Option<Ttl>,
    /// The incident's number
    #[arg(long, value_name = "NUMBER")]
    pub incident: Option<String>,
    /// Suppose that no reason is given
    #[arg(long)]
    pub no_reason: bool,
    /// The principals behind an agent, outermost first
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub on_behalf_of: Vec<PrincipalId>,
    /// When it is done, as 2026-01-07T12:00:00Z; now if left out
    #[arg(long, value_name = "TIME", conflicts_with_all = ["weekday", "hour"])]
    pub at: Option<Timestamp>,
    /// On which day: mon, tue, wed, thu, fri, sat or sun
    #[arg(long, value_name = "DAY")]
    pub weekday: Option<String>,
    /// In which hour, 0 to 23, UTC
    #[arg(long, value_name = "HOUR")]
    pub hour: Option<u32>,
    /// How long before that the request was made
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    pub waited: Option<Duration>,
    /// Suppose that somebody has approved in a stage; may be repeated
    #[arg(long, value_name = "STAGE=NAME", value_parser = approved)]
    pub approved: Vec<(StageId, PrincipalId)>,
    /// Suppose that so many grants of the scope are alive
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub live: u32,
    /// Suppose that the scope's dependency has been down for so long
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    pub outage: Option<Duration>,
    /// For lane emergency: suppose that the requester's ordinary request has waited for so long
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    pub unanswered: Option<Duration>,
    /// Suppose that the last use of the scope was not reviewed
    #[arg(long)]
    pub unreviewed: bool,
}

fn approved(text: &str) -> Result<(StageId, PrincipalId), String> {
    let wrong = || "write STAGE=NAME, as in security=bob".to_owned();
    let (stage, who) = text.split_once('=').ok_or_else(wrong)?;
    Ok((stage.parse().map_err(|_| wrong())?, who.parse().map_err(|_| wrong())?))
}
