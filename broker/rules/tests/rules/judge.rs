//! Re-derives from the bytes of the entries, and the policies they name, that every outcome was
//! right at its place. Shares no code with the rules; knows nothing of requests in memory.

use std::collections::{BTreeMap, BTreeSet};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{self, Body, Cause, Entry, Outcome};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::key::{Fingerprint, PublicKey};
use breakglass_ledger::policy::{Approval, Members, Policy, Scope, Stage};
use breakglass_ledger::principal::{PrincipalId, PrincipalKind, StageId};
use breakglass_ledger::sshsig::SshSig;
use breakglass_ledger::statement::{Act, Ask, Kind, Lane, ReviewVerdict, Statement, Target};
use breakglass_ledger::time::{Timestamp, Ttl};

use crate::outages::Outages;

/// Reads a ledger entry by entry and panics at the first that should not be there.
#[derive(Default)]
pub(crate) struct Judge {
    policies: Vec<Policy>,
    cases: BTreeMap<RequestId, Case>,
    statements: BTreeSet<Digest>,
    /// An exercise has closed: the next entry says what it came to.
    exercise: Option<(RequestId, bool)>,
    locks: BTreeMap<Digest, (Target, Option<Timestamp>)>,
    last_time: Option<Timestamp>,
    outages: Outages,
    /// Set when policies of the past are lost: then a grant may end for want of them.
    pub(crate) policies_lost: bool,
}

/// What the entries said of one grant.
struct Case {
    ask: Ask,
    statement: Digest,
    key: Fingerprint,
    /// Which policy was in force.
    law: usize,
    lapses: Timestamp,
    approvals: Vec<Approval1>,
    issued: Option<Issued>,
    ended: Option<Outcome>,
    closed: bool,
    /// When it was asked for.
    at: Timestamp,
    /// When its credential was taken back.
    end: Option<Timestamp>,
    escalated: Vec<StageId>,
    review: Option<ReviewVerdict>,
}

struct Approval1 {
    seq: u64,
    by: PrincipalId,
    stage: StageId,
    ttl_max: u32,
    key: Fingerprint,
}

struct Issued {
    serial: u64,
    /// Tokens that came in its place, one after the other.
    later: Vec<u64>,
    kind: Kind,
    entry: Digest,
    /// When the grant is over.
    valid_before: Timestamp,
    picked_up: bool,
    at: Timestamp,
}

impl Judge {
    /// The policy that the next `policy` entry puts into force.
    pub(crate) fn enact(&mut self, policy: Policy) {
        self.policies.push(policy);
    }

    /// What lives after a change of policy must be allowed by it.
    pub(crate) fn after_policy(&self) {
        for case in self.cases.values() {
            if case.issued.is_some() && case.ended.is_none() {
                self.holds(case).unwrap_or_else(|why| panic!("alive and not allowed: {why}"));
            }
        }
    }

    /// Nor does anything wait that it would never let be issued.
    pub(crate) fn after_rejudging(&self, now: Timestamp) {
        for case in self.cases.values() {
            let waits = case.issued.is_none() && case.ended.is_none() && now < case.lapses;
            if waits && !self.policies_lost {
                self.may_wait(case).unwrap_or_else(|why| panic!("open and not allowed: {why}"));
            }
        }
    }

    /// Whether the policy in force leaves a way to a credential for what waits.
    fn may_wait(&self, case: &Case) -> Result<(), &'static str> {
        self.holds(case)?;
        let scope_id = &case.ask.scope;
        let then = self.policies[case.law].scope(scope_id).ok_or("no scope then")?;
        let now = self.law().scope(scope_id).ok_or("no scope")?;
        require(now.ssh == then.ssh, "it opens something else")?;
        if case.ask.lane == Lane::Emergency {
            return Ok(());
        }
        let Approval::Stages(stages) = &now.approval else { return Ok(()) };
        for set in 1..1_usize << stages.len() {
            let chosen = || stages.iter().enumerate().filter(|(at, _)| set & (1 << at) != 0);
            let needed: u32 = chosen().map(|(_, stage)| stage.quorum).sum();
            let people: BTreeSet<_> =
                chosen().flat_map(|(_, stage)| self.could_approve(case, then, stage)).collect();
            let enough = people.len() >= usize::try_from(needed).unwrap();
            require(enough, "too few people are left")?;
        }
        Ok(())
    }

    /// Everybody whose approval in `stage` could count, now or once it is passed on.
    fn could_approve(&self, case: &Case, then: &Scope, stage: &Stage) -> Vec<PrincipalId> {
        let before = &self.policies[case.law];
        let Some(old) = then.stages().iter().find(|old| old.name == stage.name) else {
            return Vec::new();
        };
        let own = |key: &PublicKey| {
            let held = before.owner_of(key).map(|owner| &owner.id);
            held.is_some_and(|id| *id == case.ask.by || case.ask.on_behalf_of.contains(id))
                || key.fingerprint() == case.key
                || case.ask.key.as_ref() == Some(key)
        };
        let both = |who: &PrincipalId, new: &[Members], old: &[Members]| {
            self.among(who, new) && old.iter().any(|of| before.is_member(who, of))
        };
        let all = self.law().people.iter().filter(|one| {
            one.kind == PrincipalKind::Human
                && one.id != case.ask.by
                && !case.ask.on_behalf_of.contains(&one.id)
                && one.keys.iter().any(|key| !own(key))
                && (both(&one.id, &stage.approvers, &old.approvers)
                    || both(&one.id, &stage.escalate, &old.escalate))
        });
        all.map(|one| one.id.clone()).collect()
    }

    pub(crate) fn read(&mut self, bytes: &[u8]) {
        let entry = Entry::parse(bytes).unwrap();
        let at = entry.time.second();
        assert!(self.last_time.is_none_or(|last| last <= at), "time ran backwards");
        self.last_time = Some(at);
        if let Some(decision) = entry.body.decision() {
            assert_eq!(decision.policy, self.law().digest, "decided under another policy");
            assert_eq!(decision.context.time, at);
            assert!(!decision.rules.is_empty());
        }
        let refused = matches!(entry.body, Body::Refused(_));
        if let Some(signed) = entry.body.signed().filter(|_| !refused) {
            assert!(self.statements.insert(signed.digest()), "one statement, two outcomes");
            let expires = read(signed).expires().unwrap();
            assert!(at <= expires && expires.since(at) <= 86_400, "an expired statement counted");
        }
        if !refused {
            self.nobody_locked_acts(&entry.body, at);
        }
        let digest = Digest::of(bytes);
        if let Some((request, passed)) = self.exercise.take() {
            let Body::Drill(body) = &entry.body else { panic!("an exercise without its result") };
            assert_eq!((body.request, body.passed), (request, passed));
            assert_eq!(body.scope, self.cases[&request].ask.scope);
            return;
        }
        match &entry.body {
            Body::Locked(body) => self.locked(&body.signed, at),
            Body::Unlocked(body) => self.unlocked(body, at),
            Body::Requested(body) => self.requested(body, at),
            Body::Approved(body) => self.approved(body, entry.seq, at),
            Body::Denied(body) => self.denied(body, at),
            Body::Withdrawn(body) => self.withdrawn(body, at),
            Body::Lapsed(body) => {
                let case = self.waiting(body.link.grant);
                case.ended = Some(Outcome::Lapsed);
                let early = at < case.lapses;
                let rules: Vec<&str> = body.decision.rules.iter().map(String::as_str).collect();
                assert_eq!(rules.first() == Some(&"policy-changed"), early, "{rules:?}");
                if early {
                    assert!(rules.len() > 1, "it is not said what forbids it");
                    let case = &self.cases[&body.link.grant];
                    let forbidden = self.is_ruled() || self.may_wait(case).is_err();
                    assert!(forbidden, "ended, and the policy allows it: {rules:?}");
                }
            }
            Body::Issued(body) => self.issued(body, entry.seq, at, digest),
            Body::PickedUp(body) => self.picked_up(body),
            Body::Revoked(body) => self.revoked(body, at),
            Body::Closed(body) => self.closed(body, at),
            Body::OutageBegan(body) => self.outages.began(body, at),
            Body::OutageEnded(body) => self.outages.ended(body, at),
            Body::Escalated(body) => self.escalated(body, at),
            Body::Reviewed(body) => self.reviewed(body),
            // What hosts report changes nothing that is judged here; `reports` has its rules.
            Body::Policy(_) | Body::Refused(_) | Body::Applied(_) | Body::Reconciled(_) => {}
            other => panic!("an entry of type {} by these rules", other.type_name()),
        }
    }

    fn now(&self) -> Timestamp {
        self.last_time.unwrap()
    }

    /// The targets of the locks that hold.
    fn locked_now(&self) -> impl Iterator<Item = &Target> {
        let now = self.now();
        let holds = move |until: &Option<Timestamp>| until.is_none_or(|until| now < until);
        self.locks.values().filter(move |(_, until)| holds(until)).map(|(target, _)| target)
    }

    fn nobody_locked_acts(&self, body: &Body, at: Timestamp) {
        assert_eq!(at, self.now());
        let Some(signed) = body.signed() else { return };
        let statement = read(signed);
        if matches!(statement.act(), Act::Drop(_) | Act::Withdraw(_)) {
            return;
        }
        let key = signer(signed).fingerprint();
        for target in self.locked_now() {
            let by = statement.by().map(|by| Target::Principal(by.clone()));
            assert_ne!(Some(target), by.as_ref(), "a locked principal acts");
            assert_ne!(*target, Target::Key(key), "a locked key acts");
        }
    }

    fn is_covered(&self, case: &Case) -> bool {
        let ask = &case.ask;
        let hosts = self.law().scope(&ask.scope).and_then(|scope| scope.ssh.as_ref());
        let hosts = hosts.map(|ssh| ssh.hosts.clone()).unwrap_or_default();
        let people = ask.on_behalf_of.iter().chain([&ask.by]).cloned().map(Target::Principal);
        let keys = ask.key.iter().map(PublicKey::fingerprint).chain([case.key]).map(Target::Key);
        let mut all: Vec<Target> = people.chain(keys).collect();
        all.extend(hosts.into_iter().map(Target::Host));
        all.extend([Target::Scope(ask.scope.clone()), Target::Grant(ask.id)]);
        self.locked_now().any(|target| all.contains(target))
    }

    /// Whatever a new lock covers is over.
    pub(crate) fn after_lock(&self) {
        let alive = |case: &&Case| case.issued.is_some() && case.ended.is_none();
        let left = self.cases.values().filter(alive).find(|case| self.is_covered(case));
        assert!(left.is_none(), "alive and locked: {:?}", left.map(|case| case.ask.id));
    }

    fn locked(&mut self, signed: &entry::Signed, at: Timestamp) {
        let statement = read(signed);
        let Act::Lock(said) = statement.act() else { panic!("not a lock") };
        self.may_lock(&said.by, &said.target, signed);
        let most = at.plus(90 * 86_400);
        assert!(said.until.is_none_or(|until| at < until && until <= most), "an end out of range");
        self.locks.insert(statement.digest(), (said.target.clone(), said.until));
    }

    fn unlocked(&mut self, body: &entry::Unlocked, at: Timestamp) {
        let (target, until) = self.locks.remove(&body.lock).expect("no such lock");
        let Some(signed) = &body.signed else {
            assert!(until.is_some_and(|until| until <= at), "unlocked before its time");
            return;
        };
        let statement = read(signed);
        let Act::Unlock(said) = statement.act() else { panic!("not an unlock") };
        assert_eq!(said.lock, body.lock);
        self.may_lock(&said.by, &target, signed);
        let own = self.law().principal(&said.by).unwrap();
        let keys = own.keys.iter().map(|key| Target::Key(key.fingerprint()));
        let person = Target::Principal(said.by.clone());
        assert!(!keys.chain([person]).any(|own| own == target), "{} unlocks themselves", said.by);
        if let Target::Grant(id) = &target {
            let ask = &self.cases[id].ask;
            assert!(ask.by != said.by && !ask.on_behalf_of.contains(&said.by), "their own grant");
        }
    }

    fn may_lock(&self, by: &PrincipalId, target: &Target, signed: &entry::Signed) {
        self.owns(by, &signer(signed));
        assert_eq!(self.law().principal(by).unwrap().kind, PrincipalKind::Human);
        let scope = match target {
            Target::Scope(id) => Some(id.clone()),
            Target::Grant(id) => Some(self.cases[id].ask.scope.clone()),
            _ => None,
        };
        let mut scopes = self.law().scopes.iter();
        let may = scopes.any(|one| {
            scope.as_ref().is_none_or(|scope| one.id == *scope) && self.is_owner(one, by)
        });
        assert!(may || self.is_ruled(), "{by} may not lock {target}");
    }

    /// Whether the policy has rules of its own: what they add and take away is told by stories.
    fn is_ruled(&self) -> bool {
        !self.law().rules.is_empty()
    }

    fn law(&self) -> &Policy {
        self.policies.last().unwrap()
    }

    fn case(&mut self, grant: RequestId) -> &mut Case {
        self.cases.get_mut(&grant).expect("an entry of a grant that nobody asked for")
    }

    fn waiting(&mut self, grant: RequestId) -> &mut Case {
        let case = self.case(grant);
        assert!(case.ended.is_none() && case.issued.is_none(), "{grant} does not wait any more");
        case
    }

    fn requested(&mut self, body: &entry::Requested, at: Timestamp) {
        let statement = read(&body.signed);
        let Act::Request(ask) = statement.act() else { panic!("not a request") };
        let key = signer(&body.signed);
        let case = Case {
            ask: ask.clone(),
            statement: statement.digest(),
            key: key.fingerprint(),
            law: self.policies.len() - 1,
            lapses: body.lapses,
            approvals: Vec::new(),
            issued: None,
            ended: None,
            closed: false,
            at,
            end: None,
            escalated: Vec::new(),
            review: None,
        };
        self.restrained(&case, at)
            .unwrap_or_else(|why| panic!("should not have been asked: {why}"));
        if ask.lane == Lane::Emergency {
            assert!(self.cases.values().any(|other| self.unanswered(other, &case, at)), "answered");
        }
        assert!(!self.is_covered(&case), "asked for what is locked");
        self.holds(&case).unwrap_or_else(|why| panic!("should not have been asked: {why}"));
        self.lane_open(&case.ask, at);
        let scope = self.law().scope(&ask.scope).unwrap();
        assert_eq!(body.lapses, at.plus(u64::from(scope.pending_max)));
        assert!(!scope.require_reason || ask.reason.is_some(), "no reason");
        if let Some(pattern) = &scope.require_incident {
            assert!(pattern.matches(ask.incident.as_deref().unwrap_or_default()), "no incident");
        }
        for other in self.cases.values() {
            let waits = other.ended.is_none() && other.issued.is_none();
            let same = other.ask.by == ask.by && other.ask.scope == ask.scope;
            let ordinary = ask.lane == Lane::Emergency && other.ask.lane == Lane::Normal;
            assert!(!(waits && same && !ordinary), "two open requests of one person for one scope");
        }
        assert!(self.cases.insert(ask.id, case).is_none(), "an id used twice");
    }

    fn approved(&mut self, body: &entry::Approved, seq: u64, at: Timestamp) {
        let statement = read(&body.signed);
        let Act::Approve(said) = statement.act() else { panic!("not an approval") };
        assert_eq!(said.policy, self.law().digest, "approved under another policy");
        assert_eq!(said.stage, body.stage);
        let approval = Approval1 {
            seq,
            by: said.by.clone(),
            stage: said.stage.clone(),
            ttl_max: said.ttl_max.seconds(),
            key: signer(&body.signed).fingerprint(),
        };
        let case = self.waiting(body.link.grant);
        assert_ne!(case.ask.lane, Lane::Emergency, "an emergency was approved");
        assert_eq!(said.request, case.statement, "an approval of another request");
        assert!(at < case.lapses, "a late approval");
        let again = case.approvals.iter().any(|earlier| earlier.by == approval.by);
        assert!(!again, "one person, two approvals");
        case.approvals.push(approval);
        let case = &self.cases[&body.link.grant];
        assert!(!self.is_covered(case), "approved what is locked");
        let approval = case.approvals.last().unwrap();
        self.counts(case, approval).unwrap_or_else(|why| panic!("does not count: {why}"));
        let missing: u64 = self.missing(case).iter().map(|(_, more)| u64::from(*more)).sum();
        assert_eq!(body.missing, missing);
    }

    fn denied(&mut self, body: &entry::Denied, at: Timestamp) {
        let statement = read(&body.signed);
        let cancels = matches!(statement.act(), Act::Cancel(_));
        let (Act::Deny(said) | Act::Cancel(said)) = statement.act() else { panic!("not a denial") };
        self.owns(&said.by, &signer(&body.signed));
        let case = &self.cases[&body.link.grant];
        let scope = self.law().scope(&case.ask.scope).unwrap();
        let may = self.approves(scope, &said.by)
            || self.asked_since(case, scope, &said.by)
            || (cancels || case.ask.lane == Lane::Emergency) && self.is_owner(scope, &said.by);
        assert!(may, "{} may not deny", said.by);
        assert_eq!(self.law().principal(&said.by).unwrap().kind, PrincipalKind::Human);
        let case = self.waiting(body.link.grant);
        assert_eq!(said.request, case.statement, "a denial of another request");
        assert!(at < case.lapses);
        case.ended = Some(Outcome::Denied);
    }

    fn withdrawn(&mut self, body: &entry::Withdrawn, at: Timestamp) {
        let statement = read(&body.signed);
        let Act::Withdraw(said) = statement.act() else { panic!("not a withdrawal") };
        self.owns(&said.by, &signer(&body.signed));
        let case = self.waiting(body.link.grant);
        assert_eq!(said.request, case.statement);
        assert_eq!(said.by, case.ask.by, "withdrawn by somebody else");
        assert!(at < case.lapses);
        case.ended = Some(Outcome::Withdrawn);
    }

    fn issued(&mut self, body: &entry::Issued, seq: u64, at: Timestamp, digest: Digest) {
        let statement = read(&body.signed);
        let Act::Collect(said) = statement.act() else { panic!("not a collect") };
        let grant = body.link.grant;
        let case = self.case(grant);
        assert_eq!(said.request, case.statement, "collected for another request");
        let signer = signer(&body.signed);
        match &case.ask.key {
            Some(key) => assert_eq!(&signer, key, "collected by another key"),
            None => assert_eq!(signer.fingerprint(), case.key, "collected by another key"),
        }
        assert_eq!(body.subject, case.ask.key.as_ref().map_or(Digest::ZERO, PublicKey::digest));
        assert!(case.ended.is_none(), "issued after the end");
        assert_eq!((body.serial, body.kind), (seq, said.kind));
        assert!(case.ask.kinds.contains(&body.kind), "issued what nobody asked for");
        let case = &self.cases[&grant];
        assert!(!self.is_covered(case), "issued what is locked");
        self.holds(case).unwrap_or_else(|why| panic!("issued and not allowed: {why}"));
        self.lane_open(&case.ask, at);
        let missing = self.missing(case);
        assert!(missing.is_empty(), "issued without its quorum: {missing:?}");
        for (_, counted) in self.counted(case) {
            assert!(body.approvals.contains(&counted), "an approval that counted is not named");
        }
        self.opens(case, body, at);
        if case.issued.is_some() {
            return self.another(body, at);
        }
        let delay = u64::from(case.ask.lane == Lane::Emergency) * 120;
        assert!(at < case.lapses, "issued after it lapsed");
        assert!(at >= case.at.plus(delay), "issued before anybody could cancel");
        let ends = at.plus(u64::from(case.ask.ttl.seconds()));
        assert_eq!((body.grant_ends(), body.replaces), (ends, None));
        self.restrained(case, at).unwrap_or_else(|why| panic!("issued and not allowed: {why}"));
        let alive = |other: &&Case| other.issued.is_some() && other.ended.is_none();
        let same = |other: &&Case| other.ask.scope == case.ask.scope;
        let live = self.cases.values().filter(alive).filter(same).count();
        let max = self.law().scope(&case.ask.scope).unwrap().live_max;
        assert!(live < usize::try_from(max).unwrap(), "too many alive");
        self.case(grant).issued = Some(Issued {
            serial: seq,
            later: Vec::new(),
            kind: body.kind,
            entry: digest,
            valid_before: ends,
            picked_up: false,
            at,
        });
    }

    /// A grant gives a token in the place of the one before, and nothing else twice.
    fn another(&mut self, body: &entry::Issued, at: Timestamp) {
        let issued = self.case(body.link.grant).issued.as_mut().unwrap();
        assert_eq!((body.kind, issued.kind), (Kind::Jwt, Kind::Jwt), "a second certificate");
        assert!(at < issued.valid_before, "issued after the grant was over");
        assert_eq!(body.grant_ends(), issued.valid_before, "the grant is longer than it was");
        let before = issued.later.last().unwrap_or(&issued.serial);
        assert_eq!(body.replaces.as_ref(), Some(before), "the one before still counts");
        issued.later.push(body.serial);
        // A day of tokens of ten minutes each.
        assert!(issued.later.len() < 144, "tokens without end");
    }

    /// It opens what approvers were shown, for as long as it may.
    fn opens(&self, case: &Case, body: &entry::Issued, at: Timestamp) {
        let scope = self.law().scope(&case.ask.scope).unwrap();
        let then = self.policies[case.law].scope(&case.ask.scope).unwrap();
        let shown = (&scope.ssh, &scope.jwt) == (&then.ssh, &then.jwt);
        assert!(shown, "issued for what approvers were not shown");
        if body.kind == Kind::Jwt {
            assert_eq!(body.valid_before, body.grant_ends().min(at.plus(300)), "a token's life");
            return;
        }
        assert_eq!((body.valid_after, body.valid_before), (at.minus(60), body.grant_ends()));
        let drill = if case.ask.lane == Lane::Drill { "drill-" } else { "" };
        let names = scope.ssh.as_ref().unwrap().principals.iter();
        assert!(names.map(|name| format!("{drill}{name}")).eq(body.principals.iter().cloned()));
    }

    fn picked_up(&mut self, body: &entry::PickedUp) {
        let statement = read(&body.signed);
        let Act::Pickup(said) = statement.act() else { panic!("not a pickup") };
        let case = self.case(body.link.grant);
        assert_eq!(Some(&signer(&body.signed)), case.ask.key.as_ref());
        assert!(case.ended.is_none());
        assert_eq!(said.request, case.statement);
        let issued = case.issued.as_mut().unwrap();
        assert_eq!(said.issued, issued.entry);
        assert!(!issued.picked_up);
        issued.picked_up = true;
    }

    fn revoked(&mut self, body: &entry::Revoked, at: Timestamp) {
        let case = &self.cases[&body.link.grant];
        let issued = case.issued.as_ref().expect("nothing was issued");
        assert!(case.ended.is_none(), "revoked twice");
        assert_eq!((body.serial, body.valid_before), (issued.serial, issued.valid_before));
        let also = body.also.as_deref().unwrap_or_default();
        assert_eq!(also, issued.later, "a token goes on counting");
        let said = body.signed.as_ref().map(|signed| {
            let by = read(signed);
            let by = by.by().unwrap().clone();
            self.owns(&by, &signer(signed));
            by
        });
        if let Some(signed) = &body.signed {
            assert_eq!(read(signed).about(), Some(case.statement), "revoked for another request");
            assert!(at < issued.valid_before);
        }
        match (body.cause, said) {
            (Cause::Expired, None) => assert!(at >= issued.valid_before, "ended before its time"),
            (Cause::PolicyChanged, None) => {
                let ends = self.is_ruled() || self.holds(case).is_err();
                assert!(self.policies_lost || ends, "still allowed");
            }
            (Cause::OutageEnded, None) => {
                let scope = self.law().scope(&case.ask.scope).unwrap();
                assert_eq!(case.ask.lane, Lane::Outage, "never opened by an outage");
                assert!(scope.ends_with_outage, "it may outlive the outage");
                let over = self.outages.over_since(scope.outage.as_ref().unwrap(), at);
                let over = over.expect("ended while the outage lasts");
                assert!(at >= over.plus(u64::from(scope.grace)), "no grace");
            }
            (Cause::Locked, None) => assert!(self.is_covered(case), "revoked, and nothing locked"),
            (Cause::Dropped, Some(by)) => assert_eq!(by, case.ask.by, "dropped by another"),
            (Cause::Cancelled, Some(by)) => {
                let scope = self.law().scope(&case.ask.scope).unwrap();
                let may = self.approves(scope, &by) || self.is_owner(scope, &by);
                assert!(may, "{by} may not cancel");
                assert_eq!(self.law().principal(&by).unwrap().kind, PrincipalKind::Human);
            }
            (cause, said) => panic!("{cause} by {said:?}"),
        }
        let case = self.case(body.link.grant);
        (case.ended, case.end) = (Some(Outcome::Revoked), Some(at));
    }

    fn closed(&mut self, body: &entry::Closed, at: Timestamp) {
        let case = self.case(body.link.grant);
        assert_eq!(Some(body.outcome), case.ended, "closed before it ended");
        assert!(!case.closed, "closed twice");
        if let Some(issued) = &case.issued {
            assert!(at >= issued.valid_before.plus(300), "off the list before hosts agree");
        }
        case.closed = true;
        let picked_up = case.issued.as_ref().is_some_and(|issued| issued.picked_up);
        let exercise = (case.ask.lane == Lane::Drill)
            .then_some((body.link.grant, picked_up && body.outcome == Outcome::Revoked));
        self.exercise = exercise;
    }

    fn escalated(&mut self, body: &entry::Escalated, at: Timestamp) {
        let case = self.waiting(body.link.grant);
        assert!(at < case.lapses && !case.escalated.contains(&body.stage), "escalated twice");
        let case = &self.cases[&body.link.grant];
        assert_ne!(case.ask.lane, Lane::Emergency);
        let scope = self.law().scope(&case.ask.scope).unwrap();
        let stage = scope.stages().iter().find(|stage| stage.name == body.stage).unwrap();
        assert!(!stage.escalate.is_empty(), "escalated to nobody");
        let missing = self.missing(case);
        assert!(missing.iter().any(|(name, _)| *name == body.stage), "it was answered");
        if let Some(signed) = &body.signed {
            let statement = read(signed);
            let Act::Escalate(said) = statement.act() else { panic!("not an escalation") };
            assert_eq!(said.request, case.statement);
            self.owns(&said.by, &signer(signed));
            let may = said.by == case.ask.by
                || self.approves(scope, &said.by)
                || self.is_owner(scope, &said.by);
            assert!(may, "{} may not escalate", said.by);
        } else {
            let within = u64::from(stage.within.unwrap());
            assert!(at >= case.at.plus(within), "escalated before its time");
        }
        self.case(body.link.grant).escalated.push(body.stage.clone());
    }

    fn reviewed(&mut self, body: &entry::Reviewed) {
        let statement = read(&body.signed);
        let Act::Review(said) = statement.act() else { panic!("not a review") };
        self.owns(&said.by, &signer(&body.signed));
        let case = &self.cases[&body.request];
        assert_eq!(said.request, case.statement);
        assert!(case.issued.is_some() && case.end.is_some(), "reviewed before it ended");
        assert_ne!(said.by, case.ask.by, "one's own grant");
        assert!(case.approvals.iter().all(|given| given.by != said.by), "one's own approval");
        assert!(self.is_owner(self.law().scope(&case.ask.scope).unwrap(), &said.by));
        let person = self.law().principal(&said.by).unwrap().kind == PrincipalKind::Human;
        assert!(person && matches!(case.review, None | Some(ReviewVerdict::Inconclusive)));
        self.case(body.request).review = Some(said.verdict);
    }

    /// Whether what happened before lets the requester have it once more.
    fn restrained(&self, case: &Case, at: Timestamp) -> Result<(), &'static str> {
        let scope = self.law().scope(&case.ask.scope).ok_or("no scope")?;
        if case.ask.lane == Lane::Drill {
            return Ok(());
        }
        let mut used = 0;
        for other in self.cases.values() {
            let Some(issued) = &other.issued else { continue };
            if other.ask.scope != case.ask.scope || other.ask.lane == Lane::Drill {
                continue;
            }
            let gated = scope.review_gate || other.ask.lane == Lane::Emergency;
            require(!gated || other.end.is_none() || other.review.is_some(), "review")?;
            if other.ask.by == case.ask.by {
                let cooled = other.end.map(|end| end.plus(scope.cooldown.unwrap_or(0).into()));
                require(cooled.is_none_or(|cooled| cooled <= at), "cooldown")?;
                let begin = at.minus(scope.budget.map_or(0, |budget| budget.window.into()));
                let until = other.end.unwrap_or(issued.valid_before);
                used += until.since(issued.at.max(begin));
            }
        }
        let wanted = used + u64::from(case.ask.ttl.seconds());
        require(scope.budget.is_none_or(|budget| wanted <= u64::from(budget.time)), "budget")
    }

    /// Whether `other` is the ordinary request that lets `case` go alone.
    fn unanswered(&self, other: &Case, case: &Case, at: Timestamp) -> bool {
        let scope = self.law().scope(&case.ask.scope).unwrap();
        let after = u64::from(scope.emergency.unwrap().after);
        let silent = |stage: &Stage| other.approvals.iter().all(|given| given.stage != stage.name);
        other.ask.by == case.ask.by
            && other.ask.scope == case.ask.scope
            && other.ask.lane == Lane::Normal
            && other.issued.is_none()
            && other.ended.is_none()
            && (other.at.plus(after)..other.lapses).contains(&at)
            && scope.stages().iter().any(silent)
    }

    /// Whether a stage was passed on to `by`.
    fn asked_since(&self, case: &Case, scope: &Scope, by: &PrincipalId) -> bool {
        let person = self.law().principal(by).is_some_and(|p| p.kind == PrincipalKind::Human);
        let mut stages = scope.stages().iter();
        person
            && stages.any(|stage| {
                case.escalated.contains(&stage.name) && self.among(by, &stage.escalate)
            })
    }

    /// A refusal for want of approvals must name what is really missing.
    pub(crate) fn agrees(&self, grant: RequestId, missing: &[(StageId, u32)]) {
        if self.is_ruled() {
            return;
        }
        assert_eq!(self.missing(&self.cases[&grant]), missing, "refused for what is not missing");
    }

    /// Whether the policy in force lets the requester hold what the case is about.
    fn holds(&self, case: &Case) -> Result<(), &'static str> {
        let (law, ask) = (self.law(), &case.ask);
        let scope = law.scope(&ask.scope).ok_or("no scope")?;
        let requester = law.principal(&ask.by).ok_or("no requester")?;
        require(self.among(&ask.by, &scope.requesters), "not a requester")?;
        require(scope.kinds.contains(&requester.kind), "kind of identity")?;
        self.chain_holds(ask, scope)?;
        require(requester.keys.iter().any(|key| key.fingerprint() == case.key), "key")?;
        require(scope.lanes.contains(&ask.lane), "lane")?;
        let short = |ttl: Ttl| ask.lane != Lane::Emergency || ask.ttl <= ttl;
        require(scope.emergency.is_none_or(|terms| short(terms.ttl_max)), "emergency ttl")?;
        require(ask.ttl.seconds() <= scope.ttl_max.seconds(), "ttl")?;
        if let Some(subject) = &ask.key {
            require(law.owner_of(subject).is_none(), "the subject key is enrolled")?;
        } else {
            let bearer = scope.jwt.as_ref().is_some_and(|jwt| jwt.bearer);
            require(ask.kinds == [Kind::Jwt] && bearer, "no subject key")?;
        }
        let now = scope.ssh.as_ref().ok_or("no ssh")?;
        let then = self.policies[case.law].scope(&ask.scope).ok_or("no scope then")?;
        let then = then.ssh.as_ref().ok_or("no ssh then")?;
        let few = |few: &[String], many: &[String]| few.iter().all(|one| many.contains(one));
        require(few(&then.principals, &now.principals), "principals")?;
        require(few(&then.extensions, &now.extensions), "extensions")?;
        let anywhere = now.source_address.is_empty();
        let from =
            !then.source_address.is_empty() && few(&then.source_address, &now.source_address);
        require(anywhere || from, "networks")?;
        require(now.force_command.is_none() || now.force_command == then.force_command, "command")
    }

    /// Whether everybody behind the requester exists, answers for the next and may ask themselves.
    fn chain_holds(&self, ask: &Ask, scope: &Scope) -> Result<(), &'static str> {
        let law = self.law();
        let mut chain: Vec<_> = ask.on_behalf_of.iter().map(|hop| law.principal(hop)).collect();
        chain.push(law.principal(&ask.by));
        let chain: Vec<_> = chain.into_iter().collect::<Option<_>>().ok_or("a hop is nobody")?;
        if chain.len() == 1 {
            return require(chain[0].kind != PrincipalKind::Agent, "an agent of its own accord");
        }
        require(chain[0].kind == PrincipalKind::Human, "no person at the beginning")?;
        for pair in chain.windows(2) {
            let (hop, next) = (pair[0], pair[1]);
            require(next.kind != PrincipalKind::Human, "a person on somebody's behalf")?;
            let sponsors = next.sponsor.as_ref() == Some(&hop.id);
            require(sponsors || self.among(&hop.id, &next.owner), "nobody answers for it")?;
            require(self.among(&hop.id, &scope.requesters), "passes on what it may not hold")?;
        }
        Ok(())
    }

    fn lane_open(&self, ask: &Ask, at: Timestamp) {
        if ask.lane == Lane::Outage {
            let scope = self.law().scope(&ask.scope).unwrap();
            let down = self.outages.down(scope.outage.as_ref().unwrap(), at);
            assert!(down, "the outage lane was used without an outage");
        }
    }

    /// Whether an approval counts at this place.
    fn counts(&self, case: &Case, approval: &Approval1) -> Result<(), &'static str> {
        let law = self.law();
        let then = &self.policies[case.law];
        let silent = self.locked_now().any(|target| {
            *target == Target::Principal(approval.by.clone())
                || *target == Target::Key(approval.key)
        });
        require(!silent, "its author is locked")?;
        require(approval.by != case.ask.by, "self-approval")?;
        require(!case.ask.on_behalf_of.contains(&approval.by), "self-approval through an agent")?;
        require(approval.key != case.key, "self-approval by key")?;
        let requester = then.principal(&case.ask.by).ok_or("no requester")?;
        let behind = case.ask.on_behalf_of.iter().filter_map(|hop| then.principal(hop));
        let mut keys = behind.chain([requester]).flat_map(|one| &one.keys);
        let own = keys.any(|key| key.fingerprint() == approval.key);
        require(!own, "self-approval by another key")?;
        let approver = law.principal(&approval.by).ok_or("no approver")?;
        require(approver.kind == PrincipalKind::Human, "not a person")?;
        require(approver.keys.iter().any(|key| key.fingerprint() == approval.key), "key")?;
        require(approval.ttl_max >= case.ask.ttl.seconds(), "ttl-max")?;
        let mut asked_since = 0;
        for policy in [law, then] {
            let scope = policy.scope(&case.ask.scope).ok_or("no scope")?;
            let Approval::Stages(stages) = &scope.approval else { return Err("no stages") };
            let stage = stages.iter().find(|stage| stage.name == approval.stage);
            let stage = stage.ok_or("no such stage")?;
            let among = |of: &[Members]| of.iter().any(|of| policy.is_member(&approval.by, of));
            let passed_on = case.escalated.contains(&stage.name) && among(&stage.escalate);
            require(passed_on || among(&stage.approvers), "not an approver of the stage")?;
            asked_since += usize::from(!among(&stage.approvers));
            asked_since += 10 * usize::from(!passed_on);
        }
        // Either an approver then and now, or one to whom it was passed on then and now.
        require(asked_since % 10 == 0 || asked_since < 10, "one then and the other now")
    }

    fn counted(&self, case: &Case) -> BTreeMap<(StageId, PrincipalId), u64> {
        let good = case.approvals.iter().filter(|approval| self.counts(case, approval).is_ok());
        good.map(|approval| ((approval.stage.clone(), approval.by.clone()), approval.seq)).collect()
    }

    fn missing(&self, case: &Case) -> Vec<(StageId, u32)> {
        if case.ask.lane == Lane::Emergency {
            return Vec::new();
        }
        let counted = self.counted(case);
        let scope = self.law().scope(&case.ask.scope).unwrap();
        let Approval::Stages(stages) = &scope.approval else { return Vec::new() };
        assert!(!stages.is_empty());
        let lacking = stages.iter().map(|stage| {
            let have = counted.keys().filter(|(name, _)| *name == stage.name).count();
            (stage.name.clone(), stage.quorum.saturating_sub(u32::try_from(have).unwrap()))
        });
        lacking.filter(|(_, more)| *more > 0).collect()
    }

    fn owns(&self, by: &PrincipalId, key: &PublicKey) {
        let owner = self.law().owner_of(key).map(|owner| &owner.id);
        assert_eq!(owner, Some(by), "signed with a key of somebody else");
    }

    fn approves(&self, scope: &Scope, by: &PrincipalId) -> bool {
        let person = self.law().principal(by).is_some_and(|p| p.kind == PrincipalKind::Human);
        let Approval::Stages(stages) = &scope.approval else { return false };
        person && stages.iter().any(|stage| self.among(by, &stage.approvers))
    }

    fn is_owner(&self, scope: &Scope, by: &PrincipalId) -> bool {
        let owners = &scope.owners;
        [&owners.business, &owners.technical, &owners.identity].iter().any(|o| self.among(by, o))
    }

    fn among(&self, who: &PrincipalId, members: &[Members]) -> bool {
        members.iter().any(|of| self.law().is_member(who, of))
    }
}

fn require(holds: bool, why: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(why) }
}

fn read(signed: &entry::Signed) -> Statement {
    Statement::parse(signed.statement.as_bytes()).unwrap()
}

fn signer(signed: &entry::Signed) -> PublicKey {
    SshSig::parse(&signed.signature).unwrap().public_key().clone()
}
