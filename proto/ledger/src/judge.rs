//! The judge: decides again, from the ledger alone, whether every decision was right.
//!
//! It is written from the contract and shares no code with the broker's own rules, so that one
//! mistake has to be made twice to go unseen. It reads policies, never the broker's opinion of them.

mod approval;
mod change;
mod credential;
mod deadline;
mod delegation;
mod emergency;
mod end;
mod escalation;
mod grant;
mod history;
mod issue;
mod landing;
mod lapse;
mod limits;
mod lock;
mod narrow;
mod outage;
mod reach;
mod request;
mod review;
mod rotation;
mod rules;
mod token;
mod world;
mod x509;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use credential::Authorities;
use deadline::Deadlines;
use grant::{Grant, State};
use history::{History, is_live};
use landing::Landing;
use outage::OutageEnd;
use review::DrillOwed;
use world::World;

pub use lock::LOCK_MAX_SECONDS;
pub use outage::DECLARED_MAX_SECONDS;

use crate::audit::{Code, Eligibility, Findings, Spoken};
use crate::bytes::Digest;
use crate::entry::{Body, Entry, Link};
use crate::id::RequestId;
use crate::key::{KeyType, PublicKey};
use crate::policy::Policy;
use crate::principal::{DependencyId, ScopeId};
use crate::time::{Moment, Timestamp};

/// How long, in seconds, a broker at work may take to end what is due. Generous: it takes
/// milliseconds, and this is a limit for claims of tampering, not for service.
pub const ALLOWANCE_SECONDS: u64 = 300;
/// How long before issuing, in seconds, a credential may begin: the clocks of hosts differ.
pub const BACKDATE_SECONDS: u64 = 60;
/// Most tokens of one grant.
pub const TOKENS_MAX: usize = 144;
/// How long after its credential's end, in seconds, a grant stays open: hosts whose clocks are late
/// still need the revocation list to name it.
pub const CLOSE_AFTER_SECONDS: u64 = 300;

/// An entry with what was established about it before.
pub struct Case<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// SHA-256 of its bytes.
    pub hash: Digest,
    /// The policy in force at its position.
    pub policy: &'a Arc<Policy>,
    /// Its statement, if it has one whose signature verified.
    pub spoken: Option<&'a Spoken>,
}

impl Case<'_> {
    const fn at(&self) -> Timestamp {
        self.entry.time.second()
    }

    /// Notes a finding at this entry.
    fn find(&self, out: &mut Findings, code: Code, detail: impl Into<String>) {
        out.add(code, Some(self.entry.seq), detail);
    }
}

/// What is known after the entries heard so far.
#[derive(Default)]
pub struct Judge<'a> {
    rules: Option<&'a dyn Eligibility>,
    /// Whether the policy of this digest has rules.
    ruled: Option<(Digest, bool)>,
    /// Only what belongs to one grant is heard.
    one_grant: bool,
    world: World,
    history: History,
    landing: Landing,
    outage_ends: BTreeMap<DependencyId, OutageEnd>,
    drill_owed: Option<DrillOwed>,
    open: HashMap<RequestId, Grant>,
    /// Grants that ended with `closed`. An id is never used again.
    closed: HashSet<RequestId>,
    /// Grants of a scope with a credential out.
    live: HashMap<ScopeId, u32>,
    deadlines: Deadlines,
    authorities: Authorities,
    head: Option<(u64, Timestamp)>,
    /// When the policy came into force whose consequences are being heard.
    enacted: Option<Moment>,
    issued: u64,
}

impl<'a> Judge<'a> {
    /// A judge of an empty ledger, who asks `rules` where a policy has rules.
    #[must_use]
    pub fn new(rules: Option<&'a dyn Eligibility>) -> Self {
        Self { rules, ..Self::default() }
    }

    /// A judge who hears the entries of one grant alone, and so knows nothing of outages, locks and
    /// other grants.
    #[must_use]
    pub fn of_one_grant(rules: Option<&'a dyn Eligibility>) -> Self {
        Self { rules, one_grant: true, ..Self::default() }
    }

    const fn is_case(&self) -> bool {
        self.one_grant
    }

    /// Hears the next entry, in order, and notes what is wrong with it.
    pub fn hear(&mut self, case: &Case<'_>, out: &mut Findings) {
        let entry = case.entry;
        self.head = Some((entry.seq, case.at()));
        self.deadlines.pass(case.at(), entry.seq, &self.open, out);
        if self.ruled.is_none_or(|(digest, _)| digest != case.policy.digest) {
            self.ruled = Some((case.policy.digest, rules::has_rules(case.policy)));
        }
        self.follow_policy(case);
        self.check_drill(case, out);
        if !matches!(entry.body, Body::Refused(_)) {
            self.check_actor(case, out);
        }
        self.landing.note(case);
        match (&entry.body, entry.grant()) {
            (Body::Requested(body), _) => self.requested(case, body, out),
            (_, Some(link)) => self.continued(case, link, out),
            (_, None) => self.aside(case, out),
        }
    }

    /// Learns the broker's SSH CA (an OpenSSH line) from entry `seq`: the genesis, before there is
    /// any policy, or a later change of keys.
    pub fn learn_ca(&mut self, line: &str, seq: u64, out: &mut Findings) {
        match PublicKey::from_openssh(line) {
            Ok(key) => self.authorities.ssh = Some(key),
            Err(error) => out.add(Code::Schema, Some(seq), format!("the SSH CA: {error}")),
        }
    }

    /// Learns the broker's X.509 authority (PEM) from entry `seq`.
    pub fn learn_x509_ca(&mut self, pem: &str, seq: u64, out: &mut Findings) {
        self.authorities.x509 = x509::Authority::read(pem);
        if self.authorities.x509.is_none() {
            out.add(Code::Schema, Some(seq), "the X.509 CA is no authority in its one form");
        }
    }

    /// Learns the broker's key for tokens (an OpenSSH line, P-256) from entry `seq`.
    pub fn learn_jwt_key(&mut self, line: &str, seq: u64, out: &mut Findings) {
        let key = PublicKey::from_openssh(line).ok();
        self.authorities.jwt = key.filter(|key| key.key_type() == KeyType::EcdsaP256);
        if self.authorities.jwt.is_none() {
            out.add(Code::Schema, Some(seq), "the key for tokens is not a P-256 key");
        }
    }

    /// After the last entry: what should have ended by then.
    pub fn head(&mut self, out: &mut Findings) {
        if let Some((seq, at)) = self.head {
            self.deadlines.pass(at, seq, &self.open, out);
        }
    }

    /// How many grants were requested.
    #[must_use]
    pub fn grants(&self) -> u64 {
        let count = self.open.len().saturating_add(self.closed.len());
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    /// How many grants are not closed.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// How many credentials were issued.
    #[must_use]
    pub const fn issued(&self) -> u64 {
        self.issued
    }

    /// An entry that belongs to no grant.
    fn aside(&mut self, case: &Case<'_>, out: &mut Findings) {
        match &case.entry.body {
            Body::Keys(body) => self.rotated(body, case.entry.seq, out),
            Body::Policy(_) => {
                self.policy_changed(case);
                self.end_waiting(case);
            }
            Body::Refused(body) => request::refused(case, body, out),
            Body::Reconciled(body) => self.landing.reconciled(case, body, out),
            Body::Applied(_) => self.landing.applied(case, out),
            Body::Locked(_) => self.locked(case, out),
            Body::Unlocked(body) => self.unlocked(case, body, out),
            Body::OutageBegan(body) => self.began(case, body, out),
            Body::OutageEnded(body) => self.ended(case, body, out),
            Body::Reviewed(body) => self.reviewed(case, body, out),
            Body::Genesis(_)
            | Body::Drill(_)
            | Body::Anchor(_)
            | Body::Config(_)
            | Body::Requested(_)
            | Body::Approved(_)
            | Body::Denied(_)
            | Body::Withdrawn(_)
            | Body::Escalated(_)
            | Body::Lapsed(_)
            | Body::Issued(_)
            | Body::PickedUp(_)
            | Body::Used(_)
            | Body::Revoked(_)
            | Body::Closed(_) => {}
        }
    }

    /// An entry of a grant that should be open.
    fn continued(&mut self, case: &Case<'_>, link: &Link, out: &mut Findings) {
        let Some(mut grant) = self.open.remove(&link.grant) else {
            if self.closed.contains(&link.grant) {
                case.find(out, Code::GrantOrder, format!("{} is closed", link.grant));
            } else {
                case.find(out, Code::GrantOrphan, format!("{} was never requested", link.grant));
            }
            return;
        };
        grant.check_link(case, link, out);
        let due = grant.due;
        self.step(case, &mut grant, out);
        if matches!(case.entry.body, Body::Closed(_)) {
            self.owe_drill(&grant);
            self.count(&grant, false);
            self.deadlines.clear(link.grant);
            self.closed.insert(link.grant);
        } else {
            // What is due stays due, whatever else happens to the grant.
            if grant.due != due {
                self.deadlines.set(&grant, case.at());
            }
            self.open.insert(link.grant, grant);
        }
    }

    fn step(&mut self, case: &Case<'_>, grant: &mut Grant, out: &mut Findings) {
        match &case.entry.body {
            Body::Approved(body) => self.approved(case, grant, body, out),
            Body::Denied(_) => {
                end::denied(case, grant, out);
                self.check_end(case, grant, out);
            }
            Body::Withdrawn(_) => end::withdrawn(case, grant, out),
            Body::Escalated(body) => escalation::escalated(self, case, grant, body, out),
            Body::Lapsed(body) => self.lapsed(case, grant, body, out),
            Body::Issued(body) => self.issued_to(case, grant, body, out),
            Body::PickedUp(_) => credential::picked_up(case, grant, out),
            Body::Used(_) => {
                landing::is_its_own(case, out);
                credential::used(case, grant, out);
            }
            Body::Revoked(body) => {
                self.count(grant, false);
                self.check_cause(case, grant, body, out);
                if is_live(grant) {
                    self.history.ended(grant, case.at());
                }
                end::revoked(case, grant, body, out);
            }
            Body::Closed(body) => end::closed(case, grant, body.outcome, out),
            // Without a link, or a request: heard elsewhere.
            Body::Genesis(_)
            | Body::Policy(_)
            | Body::Requested(_)
            | Body::Applied(_)
            | Body::Refused(_)
            | Body::Locked(_)
            | Body::Unlocked(_)
            | Body::OutageBegan(_)
            | Body::OutageEnded(_)
            | Body::Reviewed(_)
            | Body::Drill(_)
            | Body::Anchor(_)
            | Body::Keys(_)
            | Body::Reconciled(_)
            | Body::Config(_) => {}
        }
    }

    /// Counts a live grant of a scope in, or out.
    fn count(&mut self, grant: &Grant, comes: bool) {
        let live = self.live.entry(grant.ask.scope.clone()).or_default();
        if comes {
            *live = live.saturating_add(1);
        } else if matches!(grant.state, State::Live(_)) {
            *live = live.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests;
