//! The law: who may ask, who says yes, for how long, and what ends it.
//!
//! Everything a decision depends on is an argument of [`decide`]: the clock's reading, the policy,
//! the request folded from the ledger, and the command. There is no clock here, no I/O and no
//! randomness, so the same ledger gives the same decisions on another machine in another year.
//! Signatures are verified before a statement gets here, and credentials are made elsewhere:
//! what comes out is at most a [`Clearance`], permission to sign once.

mod approve;
mod ask;
mod clearance;
mod collect;
mod decide;
mod delegation;
pub mod eligibility;
mod emergency;
mod ending;
mod escalation;
mod grounds;
mod history;
mod landing;
mod lock;
mod outage;
mod profile;
mod reach;
mod refusal;
mod rejudge;
mod request;
mod restraint;
mod review;
#[cfg(test)]
mod sample;
mod stages;
mod verdict;
mod world;

pub use clearance::Clearance;
pub use decide::{Command, Facts, SeenVerdict, decide, refused};
pub use history::{Held, History, used};
pub use landing::{
    Landing, Reported, STRANGER_WINDOW_SECONDS, STRANGERS_MAX, TARGETS_MAX, USE_AHEAD_SECONDS,
    USE_WINDOW_SECONDS, unlogged,
};
pub use lock::{LOCK_MAX_SECONDS, LOCKS_EACH_MAX, LOCKS_MAX};
pub use outage::{DECLARATION_MAX_SECONDS, drain_due};
pub use profile::Profile;
pub use refusal::{
    AskRefusal, DelegationRefusal, LockRefusal, Missing, OutageRefusal, Refusal, ReportRefusal,
    RestraintRefusal, ReviewRefusal, StatementRefusal,
};
pub use request::{Asked, Closed, Ended, FoldError, Given, Issued, Live, Pending, Request};
pub use verdict::{Change, Event, Verdict};
pub use world::{Declared, Lock, Outage, World};

/// A revoked grant closes, and its serial leaves the revocation list, this many seconds after
/// the credential is over by itself: hosts whose clocks are slow still find it on the list.
pub const CLOSE_AFTER_SECONDS: u64 = 300;

/// A credential is valid from this many seconds before it is made, for hosts with slow clocks.
pub const BACKDATE_SECONDS: u64 = 60;

/// A token is valid from this many seconds before it is made: `nbf` is so much before `iat`.
pub const TOKEN_BACKDATE_SECONDS: u64 = 5;

/// Most tokens of one grant: one every ten minutes for twelve hours, and room for answers that were
/// lost. Each is an entry for ever.
pub const TOKENS_MAX: usize = 144;

/// What the principals of a drill's certificate begin with: hosts know nobody of that name.
pub const DRILL_PREFIX: &str = "drill-";
