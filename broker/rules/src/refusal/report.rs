//! Why a host's report was not recorded.

use breakglass_ledger::principal::{PrincipalId, TargetId};
use breakglass_ledger::statement::List;
use breakglass_ledger::time::Timestamp;

/// Why a host's report was not recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportRefusal {
    /// Only services report.
    #[error(
        "{by} is not a service of the policy in force; only enrolled services report for hosts: \
         enrol the host's key in people.toml with kind = \"service\""
    )]
    NotAHost {
        /// Who tried.
        by: PrincipalId,
    },
    /// The target is another's.
    #[error(
        "{by} may not report of {target}; a service reports of the target with its own name and of \
         {by}.… below it: name the target so, or enrol a service of that name"
    )]
    TargetNotTheirs {
        /// Who tried.
        by: PrincipalId,
        /// What of.
        target: TargetId,
    },
    /// No such list is published here.
    #[error(
        "this broker publishes no list {list}; nothing was recorded: report the lists it serves"
    )]
    ListUnknown {
        /// Which.
        list: List,
    },
    /// The list does not exist yet.
    #[error(
        "the {list} {version} was never published, the newest is {newest}; whatever that host \
         enforces is not ours: look at where it fetches its lists"
    )]
    ListNotPublished {
        /// Which.
        list: List,
        /// The version reported.
        version: u64,
        /// The newest there is.
        newest: u64,
    },
    /// The target enforced a newer one before.
    #[error(
        "{target} reported the {list} {reported} before and now reports {version}; lists never go \
         back: look at what was restored on that host"
    )]
    ListOlder {
        /// Where.
        target: TargetId,
        /// Which.
        list: List,
        /// The version reported now.
        version: u64,
        /// The version reported before.
        reported: u64,
    },
    /// The list is not the one that was published under its number.
    #[error(
        "the {list} {version} reported is none that this broker knows to have published; fetch \
         the newest, {newest}, and report that; if it stays so, the host is shown other lists"
    )]
    ListMismatch {
        /// Which.
        list: List,
        /// The version reported.
        version: u64,
        /// The newest there is.
        newest: u64,
    },
    /// The service has enough targets.
    #[error(
        "{by} reports of {most} targets already; more are another host's: enrol another service"
    )]
    TargetsMany {
        /// Who.
        by: PrincipalId,
        /// How many it may have.
        most: u32,
    },
    /// A use that is still to come.
    #[error("a use at {at} was reported at {now}; it is ahead of us: set the host's clock")]
    UseAhead {
        /// The time reported.
        at: Timestamp,
        /// The second it was judged at.
        now: Timestamp,
    },
}
