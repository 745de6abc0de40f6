//! Whether a watched dependency is down: measured by the probes, or declared by two people.

use std::collections::BTreeSet;

use breakglass_ledger::entry::{OutageEnded, Signed};
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::Act;
use breakglass_ledger::time::Timestamp;

use crate::request::FoldError;

/// The word of the decision with which an outage is over.
const ENDED: &str = "ended";

/// How many people must declare a dependency down before it counts.
const DECLARERS: usize = 2;

/// What the ledger says about one dependency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outage {
    /// Since when the probes measure it down.
    pub measured: Option<Timestamp>,
    /// Declarations that were neither resolved nor written off, in the ledger's order. One whose
    /// `until` has come no longer counts, although it is here until the clock says so.
    pub declared: Vec<Declared>,
    /// Since when it is down on record: an entry made it so and none has ended it.
    pub began: Option<Timestamp>,
    /// When it was last no longer down.
    pub ended: Option<Timestamp>,
}

/// One person's word that a dependency is down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Whose.
    pub by: PrincipalId,
    /// When it was recorded.
    pub at: Timestamp,
    /// First second at which it no longer counts.
    pub until: Timestamp,
    /// The `seq` of its `outage-began` entry.
    pub seq: u64,
}

impl Outage {
    /// Since when it is down at `now`: measured, or by the word of two people that
    /// stands; `None` if it is not.
    #[must_use]
    pub fn active(&self, now: Timestamp) -> Option<Timestamp> {
        let declared = self.declared_since(now);
        match (self.measured, declared) {
            (Some(measured), Some(declared)) => Some(measured.min(declared)),
            (measured, declared) => measured.or(declared),
        }
    }

    /// The declarations that count at `now`.
    pub fn standing(&self, now: Timestamp) -> impl Iterator<Item = &Declared> {
        self.declared.iter().filter(move |declared| now < declared.until)
    }

    /// When the next declaration runs out, counted or not.
    #[must_use]
    pub fn next_end(&self) -> Option<Timestamp> {
        self.declared.iter().map(|declared| declared.until).min()
    }

    fn declared_since(&self, now: Timestamp) -> Option<Timestamp> {
        let mut people = BTreeSet::new();
        let distinct = self.standing(now).filter(|declared| people.insert(&declared.by));
        distinct.map(|declared| declared.at).nth(DECLARERS.saturating_sub(1))
    }

    pub(super) fn begin(
        &mut self,
        seq: u64,
        at: Timestamp,
        signed: Option<&Signed>,
    ) -> Result<(), FoldError> {
        match signed {
            None => self.measure(at),
            Some(signed) => {
                let statement = super::read(seq, signed)?;
                let Act::Declare(declare) = statement.act() else {
                    return Err(FoldError::OtherAct { seq });
                };
                // Never without an end, whatever the statement's form allows.
                let until = declare.until.unwrap_or(at);
                self.declare(Declared { by: declare.by.clone(), at, until, seq });
            }
        }
        Ok(())
    }

    /// Which ground falls away is told by the entry: a person resolves what people declared, the
    /// probes what they measured, and the clock whatever has run out.
    pub(super) fn end(&mut self, at: Timestamp, body: &OutageEnded) {
        match (&body.signed, &body.evidence) {
            (Some(_), _) => self.resolve(at),
            (None, Some(_)) => self.recover(at),
            (None, None) => self.run_out(at),
        }
        // The store keeps the entry that ended an outage and forgets those that began it: its own
        // word must do, or a start would not know what is still to be drained.
        if self.began.is_none() && body.decision.outcome == ENDED {
            self.ended = Some(at);
        }
    }

    /// The probes measure it down.
    pub(crate) fn measure(&mut self, at: Timestamp) {
        self.measured = self.measured.or(Some(at));
        self.settle(at);
    }

    /// Somebody declares it down.
    pub(crate) fn declare(&mut self, declared: Declared) {
        let at = declared.at;
        self.declared.push(declared);
        self.settle(at);
    }

    /// Somebody takes the declarations back.
    pub(crate) fn resolve(&mut self, at: Timestamp) {
        self.declared.clear();
        self.settle(at);
    }

    /// The probes measure it up.
    pub(crate) fn recover(&mut self, at: Timestamp) {
        self.measured = None;
        self.settle(at);
    }

    /// What has run out by `at` is written off.
    pub(crate) fn run_out(&mut self, at: Timestamp) {
        self.declared.retain(|declared| at < declared.until);
        self.settle(at);
    }

    /// Notes whether it became down, or ceased to be.
    fn settle(&mut self, at: Timestamp) {
        match (self.began, self.active(at)) {
            (None, Some(_)) => self.began = Some(at),
            (Some(_), None) => {
                self.began = None;
                self.ended = Some(at);
            }
            (None, None) | (Some(_), Some(_)) => {}
        }
    }
}
