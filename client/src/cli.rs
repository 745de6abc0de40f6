//! The command line: every verb, every flag, each with worked examples.

mod examples;

use std::path::PathBuf;
use std::time::Duration;

use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::{DependencyId, PrincipalId, ScopeId, StageId};
use breakglass_ledger::statement::{Lane, ReviewVerdict, Target};
use breakglass_ledger::time::{Timestamp, Ttl};
use clap::{Args, Parser, Subcommand, ValueHint};

use crate::config::Given;
use crate::output::{Format, parse_duration};
use crate::policy::question::Action;

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
    /// Credentials alive now: who, what, until when
    #[command(after_help = examples::GRANTS)]
    Grants,
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

/// What is locked.
#[derive(Debug, Args)]
pub struct LockArgs {
    /// principal:NAME, key:SHA256:…, scope:NAME, host:NAME or grant:ID
    #[arg(value_name = "TARGET")]
    pub target: Target,
    /// For how long, at most 90d; until it is lifted if left out
    #[arg(long, value_name = "LENGTH", value_parser = length)]
    pub until: Option<Duration>,
    /// Why, in a sentence; whoever is stopped reads it
    #[arg(long, value_name = "TEXT")]
    pub message: String,
}

/// Which lock is lifted.
#[derive(Debug, Args)]
pub struct UnlockArgs {
    /// The lock's number, as `lock` and `locks` print it
    #[arg(value_name = "LOCK")]
    pub lock: u64,
    /// Why, in a sentence
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
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
    /// Into this directory: id and id-cert.pub, mode 0600
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
}

/// Which credential to fetch, and where to.
#[derive(Debug, Args)]
pub struct CollectArgs {
    /// The request: req-…
    #[arg(value_name = "ID")]
    pub id: RequestId,
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

/// What to say about an outage.
#[derive(Debug, Subcommand)]
pub enum OutageVerb {
    /// What is down, since when, and who says so
    #[command(after_help = examples::OUTAGE_STATUS)]
    Status,
    /// Say that a dependency is down; counts once a second person says so too
    #[command(after_help = examples::OUTAGE_DECLARE)]
    Declare {
        /// The dependency, as scopes name it in `outage`
        #[arg(value_name = "DEPENDENCY")]
        dependency: DependencyId,
        /// How long your word counts, at most 4h
        #[arg(long = "for", value_name = "LENGTH", default_value = "1h", value_parser = length)]
        length: Duration,
        /// What you see, in a sentence
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Say that a dependency is up again: every declaration ends; what is measured stays
    #[command(after_help = examples::OUTAGE_RESOLVE)]
    Resolve {
        /// The dependency
        #[arg(value_name = "DEPENDENCY")]
        dependency: DependencyId,
        /// What you see, in a sentence
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
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
    /// What they want to do: request, approve, collect, deny, cancel, withdraw or drop
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

fn approved(text: &str) -> Result<(StageId, PrincipalId), String> {
    let wrong = || "write STAGE=NAME, as in security=bob".to_owned();
    let (stage, who) = text.split_once('=').ok_or_else(wrong)?;
    Ok((stage.parse().map_err(|_| wrong())?, who.parse().map_err(|_| wrong())?))
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
