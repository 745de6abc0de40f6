//! Which entries about hosts are alarms: somebody may be let in who should not be.

use std::fmt;

use breakglass_ledger::entry::{Body, ConfigChange, Entry, Signed};
use breakglass_ledger::principal::TargetId;
use breakglass_ledger::statement::{Act, Applied, Canary, List, Statement, Use};

/// What is wrong where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Where.
    pub target: TargetId,
    /// What.
    pub what: Wrong,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The target has not reported a list with the revocation of this entry in time.
    Overdue {
        /// The `revoked` entry.
        revoked: u64,
    },
    /// A revoked credential was tried against this list there, and accepted.
    Accepted {
        /// Which list.
        list: List,
        /// Its version.
        version: u64,
    },
    /// A credential was used there that names this broker and that the ledger knows nothing of.
    Unlogged {
        /// Its serial.
        serial: u64,
    },
}

impl Alarm {
    /// The alarm that `entry` is, if it is one.
    #[must_use]
    pub fn of(entry: &Entry) -> Option<Self> {
        if let Body::Config(config) = &entry.body {
            let ConfigChange::Overdue(late) = &config.what else { return None };
            let what = Wrong::Overdue { revoked: late.entry };
            return Some(Self { target: late.target.clone(), what });
        }
        if let Body::Applied(applied) = &entry.body {
            let Act::Applied(said) = said(&applied.signed)? else { return None };
            let Applied { target, list, version, canary, .. } = said;
            let what = Wrong::Accepted { list, version };
            return (canary == Canary::Accepted).then_some(Self { target, what });
        }
        let Body::Reconciled(body) = &entry.body else { return None };
        if body.matched > 0 {
            return None;
        }
        let Act::Use(Use { target, serial, .. }) = said(body.signed.as_ref()?)? else {
            return None;
        };
        Some(Self { target, what: Wrong::Unlogged { serial: serial.0 } })
    }
}

impl Alarm {
    /// Its name to programs.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self.what {
            Wrong::Overdue { .. } => "landing-overdue",
            Wrong::Accepted { .. } => "canary-accepted",
            Wrong::Unlogged { .. } => "credential-unlogged",
        }
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, what } = self;
        match what {
            Wrong::Overdue { revoked } => {
                write!(f, "{target} has not reported the revocation of entry {revoked} in time")
            }
            Wrong::Accepted { list, version } => {
                write!(f, "{target} accepts a revoked credential under {} {version}", list.name())
            }
            Wrong::Unlogged { serial } => {
                write!(f, "{target} saw credential {serial}, which the ledger knows nothing of")
            }
        }
    }
}

fn said(signed: &Signed) -> Option<Act> {
    Statement::parse(signed.statement.as_bytes()).ok().map(|statement| statement.act().clone())
}
