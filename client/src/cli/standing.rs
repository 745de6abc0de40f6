//! What stands beside single requests and bears on many: locks and outages.

use std::time::Duration;

use breakglass_ledger::principal::DependencyId;
use breakglass_ledger::statement::Target;
use clap::{Args, Subcommand};

use super::{examples, length};

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

/// What of grants to show.
#[derive(Debug, Args)]
pub struct GrantsArgs {
    /// Instead: where revocation lists are in force, of which version, and how old the report is
    #[arg(long)]
    pub targets: bool,
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
