//! A question about what is no act on a request: locks, outages, and the whole record.

use std::fmt;

use breakglass_ledger::principal::{DependencyId, PrincipalId};
use breakglass_ledger::statement::Target;
use breakglass_ledger::time::Timestamp;

use super::question::Question;

/// Who wants to do what, and what is true besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    /// Who acts.
    pub who: PrincipalId,
    /// What they want to do.
    pub deed: Deed,
    /// When.
    pub at: Timestamp,
    /// For how many seconds the dependency has been measured down; `None` while it is up.
    pub outage: Option<u64>,
    /// Who has declared the dependency down before; the first of them first.
    pub declared: Vec<PrincipalId>,
    /// What is locked.
    pub locked: Vec<Target>,
    /// The request of the grant that is locked, where that is the target.
    pub grant: Option<Question>,
}

/// What is done besides acting on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Lock.
    Lock(Target),
    /// Lift a lock.
    Unlock(Target),
    /// Say that a dependency is down.
    Declare(DependencyId),
    /// Say that it is up again.
    Resolve(DependencyId),
    /// Export the whole record.
    Export,
}

impl Deed {
    /// The words in `tests.toml` for all of them.
    pub const NAMES: [&'static str; 5] = ["lock", "unlock", "declare", "resolve", "export"];

    /// The word in `tests.toml`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Lock(_) => "lock",
            Self::Unlock(_) => "unlock",
            Self::Declare(_) => "declare",
            Self::Resolve(_) => "resolve",
            Self::Export => "export",
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
