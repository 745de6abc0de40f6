//! What is known about a host's report, and who has not reported in time.

use breakglass_ledger::entry::{Body, Config, ConfigChange, Overdue};
use breakglass_ledger::principal::{PrincipalId, PrincipalKind};
use breakglass_ledger::statement::{Act, Applied, Kind, List, Use};
use breakglass_ledger::time::Timestamp;
use breakglass_rules::{Landing, Reported, Request, STRANGER_WINDOW_SECONDS};

use super::DeskError;
use super::batch::Batch;
use super::known::Known;
use super::memory::Memory;
use crate::store::Anchored;

/// A revocation that a target has not reported after this is overdue: an agent looks several times a
/// second, so this is a host that is off, cut off, or not looked after.
pub const LANDING_MAX_SECONDS: u64 = 60;

/// Most targets that are said to be late in one pass, so that people never wait long behind it. The
/// rest is looked at with the next revocation.
const OVERDUE_MAX: usize = 256;

impl Batch<'_, '_> {
    /// What there is to know about what a host reports; `None` for every other act.
    pub(super) fn known_of_report(&mut self, act: &Act) -> Result<Option<Known>, DeskError> {
        if let Act::Applied(said) = act {
            let mut known = self.known_of(None)?;
            known.landing = self.landing_of_list(said)?;
            return Ok(Some(known));
        }
        if let Act::Use(said) = act {
            let (request, landing) = self.landing_of_use(said)?;
            let mut known = self.known_of(request)?;
            known.landing = landing;
            return Ok(Some(known));
        }
        Ok(None)
    }

    fn landing_of_list(&self, said: &Applied) -> Result<Landing, DeskError> {
        let reported = self.tx.reported(&said.target, said.list)?;
        let lists = &self.memory.lists;
        Ok(Landing {
            newest: lists.newest(said.list),
            published: lists.digest(said.list, said.version, said.digest),
            reported: reported.map(|row| Reported {
                version: row.version,
                canary: row.canary,
                seq: row.seq,
            }),
            targets: self.tx.targets_of(&said.by)?,
            ..Landing::NONE
        })
    }

    fn landing_of_use(&mut self, said: &Use) -> Result<(Option<Request>, Landing), DeskError> {
        let since = self.second().minus(STRANGER_WINDOW_SECONDS);
        let (strangers, stranger) = self.tx.strangers(&said.target, since)?;
        let seen = self.tx.sighting(&said.target, said.serial.0)?;
        let mut landing = Landing { strangers, stranger, seen, ..Landing::NONE };
        // A credential's serial is the number of the entry that it was issued in.
        if said.serial.0 >= self.tx.size() {
            return Ok((None, landing));
        }
        let record = self.tx.entry(said.serial.0)?;
        let entry = record.map(|record| record.parse()).transpose()?;
        let Some(Body::Issued(issued)) = entry.map(|entry| entry.body) else {
            return Ok((None, landing));
        };
        landing.is_known = true;
        landing.ended = self.tx.ended_at(issued.link.grant)?;
        let request = self.memory.request(&*self.tx, issued.link.grant)?.cloned();
        let open = request.filter(|request| !matches!(request, Request::Closed(_)));
        Ok((open, landing))
    }

    /// Writes down which targets have not reported a `list` with the revocation of entry `revoked`.
    /// Each is named once, until it has.
    pub(super) fn overdue(&mut self, list: List, revoked: u64) -> Result<usize, DeskError> {
        let late = self.tx.late(list, revoked, OVERDUE_MAX)?;
        let policy = std::sync::Arc::clone(self.memory.in_force());
        let enrolled = |by: &PrincipalId| {
            policy.principal(by).is_some_and(|one| one.kind == PrincipalKind::Service)
        };
        let mut written = 0_usize;
        // Whoever is no longer enrolled is not waited for.
        for row in late.into_iter().filter(|row| enrolled(&row.by)) {
            let overdue = Overdue { entry: revoked, target: row.target, version: row.version };
            let what = ConfigChange::Overdue(overdue);
            self.append(Body::Config(Config { what }), None)?;
            written = written.saturating_add(1);
        }
        Ok(written)
    }
}

impl Memory {
    /// Hosts are to report the revocation of entry `seq`, written at `at`, which takes credentials of
    /// these `kinds` back.
    pub(super) fn expect_landing(
        &mut self,
        at: Timestamp,
        seq: u64,
        kinds: impl IntoIterator<Item = Kind>,
    ) {
        if self.has_targets {
            let at = at.plus(LANDING_MAX_SECONDS);
            kinds.into_iter().for_each(|kind| self.agenda.expect_landing(at, list_of(kind), seq));
        }
    }

    /// After a start: looks once at whether the newest revocation on each list has landed everywhere.
    pub(super) fn plan_landing(&mut self, store: &impl Anchored) -> Result<(), DeskError> {
        self.has_targets = store.read().has_targets()?;
        if !self.has_targets {
            return Ok(());
        }
        for kind in [Kind::Ssh, Kind::X509, Kind::Jwt] {
            if let Some((at, seq)) = store.read().newest_revocation(kind)? {
                self.expect_landing(at, seq, [kind]);
            }
        }
        Ok(())
    }
}

/// The list on which a credential of this kind is taken back.
#[must_use]
pub const fn list_of(kind: Kind) -> List {
    match kind {
        Kind::Ssh => List::Krl,
        Kind::X509 => List::Crl,
        Kind::Jwt => List::Deny,
    }
}
