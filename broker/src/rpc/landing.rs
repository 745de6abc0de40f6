//! What became of a revocation on hosts, put together from what they reported.

use std::collections::BTreeSet;

use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::policy::Policy;
use breakglass_ledger::principal::{PrincipalId, PrincipalKind};
use breakglass_ledger::statement::{Canary, List};
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1;

use super::limits::TARGETS_SHOWN_MAX;
use super::service::Service;
use crate::desk::list_of;
use crate::store::{LandingRow, Reader, Record, StoreError};

/// A grant's revocation.
pub(super) struct Revocation {
    /// Its entry.
    pub(super) seq: u64,
    /// When it was written down.
    pub(super) at: Timestamp,
    /// The lists that carry it: one for each kind that was issued.
    pub(super) lists: BTreeSet<List>,
}

impl Revocation {
    /// The one among the entries of a grant; `None` if it was not revoked.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if an entry does not read back.
    pub(super) fn among(records: &[Record]) -> Result<Option<Self>, StoreError> {
        let (mut lists, mut revoked) = (BTreeSet::new(), None);
        for record in records {
            let Entry { seq, time, body, .. } = record.parse()?;
            if let Body::Issued(issued) = body {
                lists.insert(list_of(issued.kind));
            } else if let Body::Revoked(_) = body {
                revoked = Some((seq, time.second()));
            }
        }
        Ok(revoked.map(|(seq, at)| Self { seq, at, lists }))
    }

    /// What became of it, list by list.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if what hosts reported cannot be read.
    pub(super) fn views(
        &self,
        reader: &Reader,
        policy: &Policy,
        newest: Newest,
    ) -> Result<Vec<v1::LandingView>, StoreError> {
        self.lists.iter().map(|list| self.view(reader, policy, newest, *list)).collect()
    }

    fn view(
        &self,
        reader: &Reader,
        policy: &Policy,
        newest: Newest,
        list: List,
    ) -> Result<v1::LandingView, StoreError> {
        let reported = reader.targets(list)?.into_iter();
        let mut rows: Vec<_> = reported.filter(|row| is_enrolled(policy, &row.by)).collect();
        let landed = rows.iter().filter(|row| row.version > self.seq).count();
        let total = rows.len();
        // Stable: by name among those that are alike.
        rows.sort_by_key(|row| row.version > self.seq);
        rows.truncate(TARGETS_SHOWN_MAX);
        let targets = rows.iter().map(|row| self.at_target(reader, list, row));
        Ok(v1::LandingView {
            seq: self.seq,
            list: list.name().to_owned(),
            sent_at: self.at.unix_seconds(),
            newest: newest.of(list),
            targets: targets.collect::<Result<_, _>>()?,
            targets_total: count(total),
            landed_total: count(landed),
        })
    }

    fn at_target(
        &self,
        reader: &Reader,
        list: List,
        newest: &LandingRow,
    ) -> Result<v1::TargetLandingView, StoreError> {
        let mut view = v1::TargetLandingView {
            target: newest.target.to_string(),
            by: newest.by.to_string(),
            version: newest.version,
            overdue: newest.overdue.is_some_and(|late| late <= self.seq),
            ..v1::TargetLandingView::default()
        };
        if newest.version <= self.seq {
            return Ok(view);
        }
        if let Some(first) = reader.landed(&newest.target, list, self.seq, false)? {
            view.applied_at = first.at.unix_seconds();
            view.version = first.version;
            view.latency_ms = first.latency;
            view.sessions_ended = first.ended;
        }
        let verified = reader.landed(&newest.target, list, self.seq, true)?;
        view.verified_at = verified.map_or(0, |row| row.at.unix_seconds());
        view.accepted = newest.canary == Canary::Accepted;
        Ok(view)
    }
}

/// The newest versions that are put up; 0 where there is no such list.
#[derive(Clone, Copy)]
pub(super) struct Newest {
    krl: u64,
    crl: u64,
    deny: u64,
}

impl Newest {
    /// Those of now.
    pub(super) fn at(service: &Service) -> Self {
        let signed = service.desk.lists();
        // While its key is away, the one for TLS servers is an older one.
        let crl = signed.crl.as_ref().map_or(0, |crl| crl.number.version());
        let deny = if signed.deny.is_some() { signed.version } else { 0 };
        Self { krl: signed.version, crl, deny }
    }

    /// That of `list`.
    pub(super) const fn of(self, list: List) -> u64 {
        match list {
            List::Krl => self.krl,
            List::Crl => self.crl,
            List::Deny => self.deny,
        }
    }
}

/// Whether `by` may still report. Whoever is no longer enrolled is not waited for.
pub(super) fn is_enrolled(policy: &Policy, by: &PrincipalId) -> bool {
    policy.principal(by).is_some_and(|one| one.kind == PrincipalKind::Service)
}

/// A count on the wire.
pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
