//! What nobody asked for: deadlines, and the anchor of an idle ledger.

use breakglass_ledger::entry::{Anchor, Body};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::note::SignedCheckpoint;
use breakglass_ledger::policy::STAGES_MAX;
use breakglass_ledger::time::Timestamp;
use breakglass_rules::{Command, Event, Verdict, decide};

use super::agenda::Task;
use super::batch::{Batch, Draft, UNSIGNED};
use super::known::Known;
use super::{DeskError, Swept, record};
use crate::store::{Due, RevokedX509, TokenRow};

/// Deadlines met in one pass, so that people never wait long behind the clock: a pass takes some six
/// milliseconds. With fewer, more of the time goes into commits, and the last one ends later.
const SWEEP_MAX: usize = 128;

/// An idle ledger gets an `anchor` this often, so that silence is provable.
const ANCHOR_EVERY_SECONDS: u64 = 3600;

impl Batch<'_, '_> {
    /// Meets deadlines that have come, at most [`SWEEP_MAX`] of them.
    ///
    /// A request that cannot be read back does not keep the others from their end: it is logged and
    /// counted, and the sweep's caller stops minting for it.
    pub(super) fn sweep(&mut self) -> Result<Swept, DeskError> {
        // What was over when the newest entry was written stays over when the clock steps back.
        let now = self.now.max(self.tx.time()).second();
        let due = self.tx.due(now, SWEEP_MAX)?;
        let (mut met, mut unreadable) = (0_usize, 0_usize);
        for (id, what, _) in &due {
            let command = match what {
                Due::Lapse => Command::Lapse,
                Due::Expire => Command::Expire,
                Due::Close => Command::Close,
            };
            match self.known_to_end(*id) {
                Ok(known) if self.end(&known, &command)? => met = met.saturating_add(1),
                Ok(_) => {}
                Err(error) => {
                    crate::report::fault("reading a request whose time has come", &error);
                    unreadable = unreadable.saturating_add(1);
                }
            }
        }
        met = met.saturating_add(self.keep_agenda(now, &mut unreadable)?);
        let (ended, lost) = self.outages_over(now)?;
        met = met.saturating_add(ended);
        unreadable = unreadable.saturating_add(lost);
        met = met.saturating_add(self.locks_over(now)?);
        self.anchor_if_idle()?;
        // Also what this pass itself made due: a credential that expired long ago closes at once.
        let next = self.next_due()?;
        let left = next.is_some_and(|next| next <= now);
        Ok(Swept { met, unreadable, more: left && met > 0 })
    }

    /// Looks at what the agenda names for `now` or before, at most [`SWEEP_MAX`] of it; answers how
    /// much came of it.
    fn keep_agenda(&mut self, now: Timestamp, unreadable: &mut usize) -> Result<usize, DeskError> {
        let mut met = 0_usize;
        for _ in 0..SWEEP_MAX {
            let Some(task) = self.memory.agenda.take(now) else { break };
            match self.look_at(&task) {
                Ok(came) => met = met.saturating_add(came),
                Err(error @ DeskError::Store(_)) => return Err(error),
                Err(error) => {
                    crate::report::fault("looking at what the agenda names", &error);
                    *unreadable = unreadable.saturating_add(1);
                }
            }
        }
        Ok(met)
    }

    fn look_at(&mut self, task: &Task) -> Result<usize, DeskError> {
        match task {
            Task::Escalate(id) => self.escalate(*id),
            Task::Landing(list, revoked) => self.overdue(*list, *revoked),
        }
    }

    /// Several stages of a request may have waited long enough.
    fn escalate(&mut self, id: RequestId) -> Result<usize, DeskError> {
        let mut met = 0_usize;
        for _ in 0..STAGES_MAX {
            let known = self.known_to_end(id)?;
            if !self.end(&known, &Command::Escalate)? {
                break;
            }
            met = met.saturating_add(1);
        }
        Ok(met)
    }

    /// What there is to know about a request whose time has come. Writes nothing.
    pub(super) fn known_to_end(&mut self, id: RequestId) -> Result<Known, DeskError> {
        let request = self.memory.request(&*self.tx, id)?.cloned();
        let request = request.ok_or(DeskError::Ledger { what: "a deadline is of no request" })?;
        self.known_of(Some(request))
    }

    /// Gives one of the clock's (or the policy's) commands about a request. Says whether anything
    /// came of it: the rules may find that the time has not come.
    pub(super) fn end(&mut self, known: &Known, command: &Command<'_>) -> Result<bool, DeskError> {
        match decide(&known.facts(), command) {
            Ok(verdict) => self.ended(known, verdict).map(|_| true),
            Err(_) => Ok(false),
        }
    }

    /// Writes down an end that nobody signed.
    pub(super) fn ended(&mut self, known: &Known, verdict: Verdict) -> Result<Draft, DeskError> {
        let Verdict::Record(event, decision) = verdict else {
            let what = "a request's end was judged to be something else";
            return Err(DeskError::Ledger { what });
        };
        let closes = event.closes();
        let of_no_request = DeskError::Ledger { what: "an ending of no request" };
        let request = known.request.as_ref().ok_or(of_no_request)?;
        let (link, is_closed) = (request.next_link(), matches!(event, Event::Closed { .. }));
        let body = record::body(link, event, decision, None).ok_or(UNSIGNED)?;
        let draft = self.append(body, None)?;
        self.close(link.grant, closes)?;
        if is_closed {
            self.drilled(request)?;
        }
        Ok(draft)
    }

    /// The next deadline of all: of requests, of outages and locks, and of the agenda.
    pub(super) fn next_due(&self) -> Result<Option<Timestamp>, DeskError> {
        let (request, other) = (self.tx.next_due()?, self.memory.next_due());
        Ok(request.into_iter().chain(other).min())
    }

    fn anchor_if_idle(&mut self) -> Result<(), DeskError> {
        let idle = self.now.second().since(self.tx.time().second());
        if idle < ANCHOR_EVERY_SECONDS {
            return Ok(());
        }
        self.anchor().map(drop)
    }

    /// Puts serials on the revocation list that the start did not find. The list's version is the
    /// ledger's size, so that hosts take it there must be one more entry: an anchor.
    pub(super) fn enlist(
        &mut self,
        serials: &[u64],
        x509: &[RevokedX509],
        tokens: &[TokenRow],
    ) -> Result<Draft, DeskError> {
        self.memory.enlist(serials);
        self.memory.tokens.enlist(tokens);
        self.memory.enlist_x509(x509)?;
        self.anchor()
    }

    fn anchor(&mut self) -> Result<Draft, DeskError> {
        // In parts: a signed note holds U+2014, and entries hold ASCII only.
        let note = SignedCheckpoint::parse(&self.checkpoint)
            .map_err(|_| DeskError::Ledger { what: "the newest checkpoint is no note" })?;
        let (checkpoint, cosignatures) = note.to_parts();
        self.append(Body::Anchor(Anchor { checkpoint, cosignatures }), None)
    }
}
