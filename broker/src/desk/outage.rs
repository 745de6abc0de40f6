//! What outages bring about: the probes' word, declarations that run out, and the end of grants that
//! an outage opened.

use breakglass_ledger::entry::{Body, Config, ConfigChange, Evidence, Watched};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::DependencyId;
use breakglass_ledger::time::Timestamp;
use breakglass_rules::{Command, Request, Verdict, decide, drain_due};

use super::batch::{Batch, Draft, UNSIGNED};
use super::memory::Memory;
use super::{DeskError, Incoming, record};
use crate::store::{Anchored, PAGE_ROWS_MAX};

/// What the probes found out about a watched dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probed {
    /// It is down, or up again.
    Measured {
        /// Which.
        dependency: DependencyId,
        /// Whether it is down.
        down: bool,
        /// What each probe saw; 1 to [`EVIDENCE_MAX`](breakglass_ledger::entry::EVIDENCE_MAX).
        evidence: Vec<Evidence>,
    },
    /// How well it can be watched has changed.
    Watched(Watched),
}

impl Batch<'_, '_> {
    /// Writes down what the probes found, if it is news.
    pub(super) fn probed(&mut self, probed: &Probed) -> Result<(), DeskError> {
        match probed {
            Probed::Measured { dependency, down, evidence } => {
                let command = Command::Measured { dependency, down: *down };
                self.unasked(&command, Some(evidence.clone()))?;
            }
            Probed::Watched(watched) => {
                let what = ConfigChange::Watched(watched.clone());
                self.append(Body::Config(Config { what }), None)?;
            }
        }
        Ok(())
    }

    /// Writes off declarations that have run out, and ends grants whose outage is over. Answers how
    /// many deadlines were met, and how many are of grants that cannot be read back.
    pub(super) fn outages_over(&mut self, now: Timestamp) -> Result<(usize, usize), DeskError> {
        let (mut met, mut unreadable) = (0_usize, 0_usize);
        for dependency in self.memory.run_out(now) {
            if self.unasked(&Command::RunOut { dependency: &dependency }, None)? {
                met = met.saturating_add(1);
            }
        }
        for due in self.memory.drains_due(now) {
            match self.known_to_end(due.1) {
                Ok(known) => {
                    if self.end(&known, &Command::Drain)? {
                        met = met.saturating_add(1);
                    }
                    self.memory.drains.remove(&due);
                }
                Err(error) => {
                    crate::report::fault("reading a grant whose outage is over", &error);
                    unreadable = unreadable.saturating_add(1);
                }
            }
        }
        Ok((met, unreadable))
    }

    /// Gives a command that nobody signed and that is about no request. Says whether anything came
    /// of it.
    fn unasked(
        &mut self,
        command: &Command<'_>,
        evidence: Option<Vec<Evidence>>,
    ) -> Result<bool, DeskError> {
        let known = self.known_of(None)?;
        match decide(&known.facts(), command) {
            Ok(Verdict::Change(change, decision)) => {
                let body = record::change(change, decision, None, evidence);
                self.changed(body.ok_or(UNSIGNED)?, None)?;
                Ok(true)
            }
            Ok(Verdict::Record(..) | Verdict::Sign(_) | Verdict::Again { .. }) => {
                Err(DeskError::Ledger { what: "an outage was judged to be something else" })
            }
            // Known already, or not yet due.
            Err(_) => Ok(false),
        }
    }

    /// Appends a change of the world, and plans what follows from it.
    pub(super) fn changed(
        &mut self,
        body: Body,
        incoming: Option<&Incoming>,
    ) -> Result<Draft, DeskError> {
        let (ended, locked) =
            (matches!(body, Body::OutageEnded(_)), matches!(body, Body::Locked(_)));
        let draft = self.append(body, incoming)?;
        if ended {
            self.memory.plan_drains(self.tx)?;
        }
        if locked {
            self.enforce_locks()?;
        }
        Ok(draft)
    }
}

impl Memory {
    /// When the next declaration runs out or the next grant must end with its outage.
    pub(super) fn outage_due(&self) -> Option<Timestamp> {
        let declared = self.world().outages.values().filter_map(breakglass_rules::Outage::next_end);
        let drained = self.drains.first().map(|(at, _)| *at);
        declared.chain(drained).min()
    }

    /// The dependencies of which a declaration has run out.
    fn run_out(&self, now: Timestamp) -> Vec<DependencyId> {
        let outages = self.world().outages.iter();
        let over = outages.filter(|(_, outage)| outage.next_end().is_some_and(|end| end <= now));
        over.map(|(dependency, _)| dependency.clone()).collect()
    }

    /// The grants that must end with their outage now, as far as one pass takes them.
    fn drains_due(&self, now: Timestamp) -> Vec<(Timestamp, RequestId)> {
        let due = self.drains.iter().take_while(|(at, _)| *at <= now);
        due.take(DRAINS_MAX).copied().collect()
    }

    /// Makes the list of grants that end with their outage anew: at the start, when an outage ends,
    /// and under a new policy. An outage that begins again is noticed when their time comes.
    pub(super) fn plan_drains(&mut self, store: &impl Anchored) -> Result<(), DeskError> {
        self.drains.clear();
        let (policy, world) = (self.in_force().clone(), self.world().clone());
        if world.outages.values().all(|outage| outage.ended.is_none()) {
            return Ok(());
        }
        let now = store.head().time.second();
        let mut after = None;
        loop {
            let page = store.read().live_grants(after, PAGE_ROWS_MAX)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.cursor();
            let ends = |row: &&crate::store::RequestRow| {
                policy.scope(&row.scope).is_some_and(|scope| scope.ends_with_outage)
            };
            for row in page.iter().filter(ends) {
                match self.request(store, row.id) {
                    Ok(Some(Request::Live(live))) => {
                        let due = drain_due(&policy, &world, &live.asked.ask, now);
                        self.drains.extend(due.map(|due| (due, row.id)));
                    }
                    Ok(_) => {}
                    Err(DeskError::Store(error)) => return Err(DeskError::Store(error)),
                    // Due at once: the sweep reports it, and nothing is granted until it is mended.
                    Err(_) => drop(self.drains.insert((now, row.id))),
                }
            }
        }
    }
}

/// Grants ended in one pass, so that people never wait long behind the clock.
const DRAINS_MAX: usize = 256;
