//! A broker in memory: gathers the facts, asks `decide`, writes real entries, folds them.
//!
//! Fakes only the clock, the entropy, the certificate and the raw signatures, none of which are the
//! rules' business. After every entry the judge reads its bytes.

use std::collections::BTreeMap;

use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::entry::{self, Body, Entry, Link, Numbered, Signed};
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::policy::{MINTED, Policy};
use breakglass_ledger::principal::Origin;
use breakglass_ledger::sshsig::{assemble, ed25519_signature_blob};
use breakglass_ledger::statement::{Act, Ask, Kind, Lane, ReviewVerdict, Seen, Statement, Target};
use breakglass_ledger::time::{Moment, Timestamp};
use breakglass_rules::eligibility::Rules;
use breakglass_rules::{
    Change, Clearance, Command, Event, Facts, Held, History, Landing, Profile, Refusal, Request,
    SeenVerdict, Verdict, World,
};
use breakglass_rules::{decide, refused, used};

use crate::judge::Judge;
use crate::law::{law, log};

/// When every story begins.
pub(crate) const START: u64 = 1_795_000_000;

pub(crate) struct House {
    /// What the clock says.
    pub(crate) now: Timestamp,
    pub(crate) can_revoke: bool,
    pub(crate) mints: Vec<Kind>,
    pub(crate) landing: Landing,
    pub(crate) seen_ok: SeenVerdict,
    pub(crate) requests: Vec<Request>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) issued: usize,
    pub(crate) refusals: Vec<&'static str>,
    pub(crate) world: World,
    /// The lock statements, in the order in which they were set.
    pub(crate) locks: Vec<Digest>,
    log: Origin,
    policies: Vec<Policy>,
    rules: Rules,
    prev: Digest,
    recorded: BTreeMap<Digest, u64>,
    nonce: u128,
    judge: Judge,
    /// What was issued.
    uses: Vec<(Ask, Used)>,
}

/// One use, as later decisions depend on it.
struct Used {
    from: Timestamp,
    until: Timestamp,
    end: Option<Timestamp>,
    review: Option<ReviewVerdict>,
}

impl House {
    pub(crate) fn new() -> Self {
        let mut house = Self {
            now: Timestamp::from_unix_seconds(START),
            can_revoke: true,
            mints: MINTED.to_vec(),
            landing: Landing::NONE,
            seen_ok: SeenVerdict::Ours,
            requests: Vec::new(),
            entries: Vec::new(),
            issued: 0,
            refusals: Vec::new(),
            world: World::default(),
            locks: Vec::new(),
            log: log(),
            policies: Vec::new(),
            rules: Rules::none(),
            prev: Digest::ZERO,
            recorded: BTreeMap::new(),
            nonce: 0,
            judge: Judge::default(),
            uses: Vec::new(),
        };
        house.enact("base");
        house
    }

    pub(crate) fn policy(&self) -> &Policy {
        self.policies.last().unwrap()
    }

    pub(crate) fn policy_named(&self, version: usize) -> Digest {
        self.policies[version - 1].digest
    }

    /// Brings a policy into force and ends what it no longer allows.
    pub(crate) fn enact(&mut self, change: &str) {
        self.lay_down(change);
        for at in 0..self.requests.len() {
            drop(self.clock(at, Command::Rejudge));
        }
        self.judge.after_rejudging(self.now);
    }

    /// A policy comes into force and nobody looks at what waits: whatever is done with that later
    /// is judged again all the same.
    pub(crate) fn lay_down(&mut self, change: &str) {
        let version = u64::try_from(self.policies.len()).unwrap() + 1;
        let (policy, manifest) = law(change, version);
        self.judge.enact(policy.clone());
        self.rules = Rules::of(&policy).unwrap();
        let body = Body::Policy(entry::Policy {
            version,
            digest: policy.digest,
            statement: manifest.text().to_owned(),
            signatures: Vec::new(),
        });
        self.policies.push(policy);
        self.append(body);
        for at in 0..self.requests.len() {
            if let Request::Live(_) = self.requests[at] {
                drop(self.clock(at, Command::Rejudge));
            }
        }
        self.judge.after_policy();
    }

    /// From now on policies of the past cannot be read.
    pub(crate) fn forget(&mut self) {
        self.judge.policies_lost = true;
    }

    /// A statement as a client would make it now, valid for ten minutes.
    pub(crate) fn compose(&mut self, act: Act) -> Statement {
        self.compose_until(act, self.now.plus(600))
    }

    pub(crate) fn compose_until(&mut self, act: Act, expires: Timestamp) -> Statement {
        self.nonce += 1;
        let nonce = Salt::from_bytes(self.nonce.to_be_bytes());
        let seen = Some(Seen { size: 0, root: None });
        Statement::compose(&self.log, seen, act, Some(expires), nonce).unwrap()
    }

    /// What a client would hear.
    pub(crate) fn submit(
        &mut self,
        statement: &Statement,
        key: &PublicKey,
    ) -> Result<String, Refusal> {
        let at = statement
            .about()
            .and_then(|digest| self.requests.iter().position(|r| r.asked().statement == digest))
            .or_else(|| self.locked_grant(statement));
        let signed = signed(statement, key);
        let command = Command::Statement { statement, key, user_verified: false };
        self.carry_out(at, command, Some(signed))
    }

    /// The clock or the probes call about no request.
    pub(crate) fn call(&mut self, command: Command<'_>) -> Result<String, Refusal> {
        self.carry_out(None, command, None)
    }

    /// The request that a lock is on, or is to be.
    fn locked_grant(&self, statement: &Statement) -> Option<usize> {
        let target = match statement.act() {
            Act::Lock(lock) => &lock.target,
            Act::Unlock(unlock) => &self.world.locks.get(&unlock.lock)?.target,
            _ => return None,
        };
        let Target::Grant(id) = target else { return None };
        self.requests.iter().position(|request| request.id() == *id)
    }

    /// Ends what the newest lock covers.
    fn enforce(&mut self, lock: Digest) {
        self.locks.push(lock);
        for at in 0..self.requests.len() {
            drop(self.clock(at, Command::Enforce));
        }
        self.judge.after_lock();
    }

    /// The clock calls about a lock.
    pub(crate) fn unlock(&mut self) -> Result<String, Refusal> {
        self.call(Command::Unlock)
    }

    /// The clock calls about request number `at`, counted from 0.
    pub(crate) fn clock(&mut self, at: usize, command: Command<'_>) -> Result<String, Refusal> {
        self.carry_out(Some(at), command, None)
    }

    fn carry_out(
        &mut self,
        at: Option<usize>,
        command: Command<'_>,
        signed: Option<Signed>,
    ) -> Result<String, Refusal> {
        let history = self.history(at, &command);
        let facts = self.facts(at, &command, &history);
        let verdict = decide(&facts, &command);
        match verdict {
            Ok(Verdict::Record(event, decision)) => {
                let name = event.name().to_owned();
                let closes = event.closes();
                let ended = at.map(|at| self.requests[at].clone());
                self.write(at, event, decision, signed);
                if let Some(outcome) = closes {
                    let ended = self.requests[at.unwrap()].clone();
                    let link = ended.next_link();
                    self.append(Body::Closed(entry::Closed { link, outcome }));
                    self.drilled(&ended);
                } else if let Some(ended) = ended.filter(|_| name == "closed") {
                    self.drilled(&ended);
                }
                Ok(name)
            }
            Ok(Verdict::Change(change, decision)) => {
                let name = change.name().to_owned();
                self.change(change, decision, signed, &command);
                Ok(name)
            }
            Ok(Verdict::Sign(clearance)) => {
                assert!(self.can_revoke, "issued by a broker that cannot revoke");
                let seq = u64::try_from(self.entries.len()).unwrap();
                let link = self.requests[at.unwrap()].next_link();
                self.issued += 1;
                self.append(Body::Issued(entry::Issued {
                    link,
                    signed: signed.unwrap(),
                    kind: clearance.kind(),
                    certificate: (clearance.kind() != Kind::Jwt)
                        .then(|| "a certificate".to_owned()),
                    claims: (clearance.kind() == Kind::Jwt).then(|| "{}".to_owned()),
                    token: (clearance.kind() == Kind::Jwt).then(|| Digest::of(&seq.to_be_bytes())),
                    replaces: clearance.replaces(),
                    ends: clearance.ends(),
                    serial: seq,
                    subject: clearance.subject().map_or(Digest::ZERO, PublicKey::digest),
                    valid_after: clearance.not_before(),
                    valid_before: clearance.expires_at(),
                    principals: principals(&clearance),
                    approvals: clearance.approvals().to_vec(),
                    decision: clearance.decision().clone(),
                }));
                Ok("issued".to_owned())
            }
            Ok(Verdict::Again { seq }) => Ok(format!("again {seq}")),
            Err(refusal) => {
                let decision = refused(&facts, &command, &refusal);
                self.refuse(at, &refusal, decision, signed);
                Err(refusal)
            }
        }
    }

    /// People's refusals are written down; the clock's are not, it just came too early.
    fn refuse(
        &mut self,
        at: Option<usize>,
        refusal: &Refusal,
        decision: entry::Decision,
        signed: Option<Signed>,
    ) {
        self.refusals.push(refusal.name());
        if let Refusal::NotApprovedYet { missing } = refusal {
            self.judge.agrees(self.requests[at.unwrap()].id(), &missing.0);
        }
        let Some(signed) = signed else { return };
        let statement = Statement::parse(signed.statement.as_bytes()).unwrap();
        self.append(Body::Refused(entry::Refused {
            signed,
            decision,
            by: statement.by().cloned(),
            act: statement.act().kind(),
            refusal: Numbered { name: refusal.name().to_owned(), number: refusal.number() },
            request: statement.about(),
        }));
    }

    /// After `closed`, what an exercise came to.
    fn drilled(&mut self, ended: &Request) {
        let Some(passed) = ended.drill_passed() else { return };
        let (request, scope) = (ended.id(), ended.asked().ask.scope.clone());
        self.append(Body::Drill(entry::Drill { request, scope, passed }));
    }

    /// What the request that `command` is about, or makes, asks for.
    fn asked<'a>(&'a self, at: Option<usize>, command: &'a Command<'_>) -> Option<&'a Ask> {
        if let Command::Statement { statement, .. } = command
            && let Act::Request(ask) = statement.act()
        {
            return Some(ask);
        }
        at.map(|at| &self.requests[at].asked().ask)
    }

    /// Gathered from the notes that `append` takes, drills left out.
    fn history(&self, at: Option<usize>, command: &Command<'_>) -> History {
        let Some(ask) = self.asked(at, command) else { return History::NONE };
        let now = self.now.max(self.head_time());
        let uses = || self.uses.iter().filter(|(ask2, _)| ask2.scope == ask.scope);
        let real = || uses().filter(|(ask2, _)| ask2.lane != Lane::Drill);
        let theirs = || real().filter(|(ask2, _)| ask2.by == ask.by).map(|(_, used)| used);
        let window =
            self.policy().scope(&ask.scope).and_then(|scope| scope.budget).map_or(0, |b| b.window);
        let held =
            theirs().map(|used| Held { from: used.from, until: used.end.unwrap_or(used.until) });
        let unreviewed = |lane: Option<Lane>| {
            let waits = real().find(|(ask2, used)| {
                let of_lane = lane.is_none_or(|lane| lane == ask2.lane);
                of_lane && used.end.is_some() && used.review.is_none()
            });
            waits.map(|(ask2, _)| ask2.id)
        };
        let waiting = self.requests.iter().find(|r| {
            let of = &r.asked().ask;
            let ordinary = of.lane == Lane::Normal && ask.lane == Lane::Emergency;
            ordinary && of.by == ask.by && of.scope == ask.scope && matches!(r, Request::Pending(_))
        });
        History {
            budget_used: used(held, now, window),
            last_end: theirs().filter_map(|used| used.end).max(),
            unreviewed: unreviewed(None),
            unreviewed_emergency: unreviewed(Some(Lane::Emergency)),
            drill_age: None,
            waiting: waiting.cloned(),
            reviewed: uses().find(|(ask2, _)| ask2.id == ask.id).and_then(|(_, used)| used.review),
        }
    }

    /// Notes for [`House::history`].
    fn note(&mut self, entry: &Entry) {
        let at = entry.time.second();
        match &entry.body {
            Body::Issued(body) => {
                let request = self.requests.iter().find(|r| r.id() == body.link.grant).unwrap();
                let ask = request.asked().ask.clone();
                let used = Used { from: at, until: body.grant_ends(), end: None, review: None };
                if self.uses.iter().all(|(other, _)| other.id != ask.id) {
                    self.uses.push((ask, used));
                }
            }
            Body::Revoked(body) => {
                for (ask, used) in &mut self.uses {
                    if ask.id == body.link.grant {
                        used.end = Some(at);
                    }
                }
            }
            Body::Reviewed(body) => {
                let statement = Statement::parse(body.signed.statement.as_bytes()).unwrap();
                let Act::Review(said) = statement.act() else { panic!("not a review") };
                for (ask, used) in &mut self.uses {
                    if ask.id == body.request {
                        used.review = Some(said.verdict);
                    }
                }
            }
            _ => {}
        }
    }

    fn facts<'a>(
        &'a self,
        at: Option<usize>,
        command: &Command<'_>,
        history: &'a History,
    ) -> Facts<'a> {
        let request = at.map(|at| &self.requests[at]);
        let act = match command {
            Command::Statement { statement, .. } => Some(*statement),
            Command::Lapse
            | Command::Escalate
            | Command::Expire
            | Command::Close
            | Command::Drain
            | Command::RunOut { .. }
            | Command::Measured { .. }
            | Command::Unlock
            | Command::Enforce
            | Command::TakeBack { .. }
            | Command::Rejudge => None,
        };
        let ask = match act.map(Statement::act) {
            Some(Act::Request(ask)) => Some(ask),
            _ => request.map(|request| &request.asked().ask),
        };
        let same_scope = |r: &&Request| ask.is_some_and(|ask| r.asked().ask.scope == ask.scope);
        let live = self.requests.iter().filter(same_scope);
        let live = live.filter(|r| matches!(r, Request::Live(_))).count();
        let duplicate = self.requests.iter().filter(same_scope).find(|r| {
            matches!(r, Request::Pending(_))
                && history.waiting.as_ref().is_none_or(|waiting| waiting.id() != r.id())
                && ask.is_some_and(|ask| ask.by == r.asked().ask.by)
        });
        let then = request.and_then(|request| {
            self.policies.iter().find(|policy| policy.digest == request.asked().policy)
        });
        Facts {
            now: self.now,
            head_time: self.head_time(),
            log: &self.log,
            policy: self.policy(),
            policy_at_request: then.filter(|_| !self.judge.policies_lost),
            rules: &self.rules,
            request,
            live_in_scope: u32::try_from(live).unwrap(),
            open_duplicate: duplicate.map(Request::id),
            id_taken: ask.is_some_and(|ask| self.requests.iter().any(|r| r.id() == ask.id)),
            subject_used: ask.is_some_and(|ask| {
                let open = self.requests.iter().filter(|r| !matches!(r, Request::Closed(_)));
                open.filter(|r| r.id() != ask.id).any(|r| r.asked().ask.key == ask.key)
            }),
            recorded: act.and_then(|s| self.recorded.get(&s.digest()).copied()),
            seen_ok: self.seen_ok,
            world: &self.world,
            history,
            landing: &self.landing,
            can_revoke: self.can_revoke,
            mints: &self.mints,
        }
    }

    fn head_time(&self) -> Timestamp {
        self.entries.last().map_or(self.now, |entry| entry.time.second())
    }

    fn change(
        &mut self,
        change: Change,
        decision: entry::Decision,
        signed: Option<Signed>,
        command: &Command<'_>,
    ) {
        let evidence = matches!(command, Command::Measured { .. }).then(|| {
            let (probe, saw) = ("token".parse().unwrap(), "connect".parse().unwrap());
            vec![entry::Evidence { probe, rounds: 5, saw, since: self.now }]
        });
        let lock = signed.as_ref().filter(|_| change == Change::Locked).map(Signed::digest);
        self.append(match change {
            Change::Locked => Body::Locked(entry::Locked { signed: signed.unwrap(), decision }),
            Change::Applied => Body::Applied(entry::Applied { signed: signed.unwrap() }),
            Change::Reconciled { target, unlogged } => Body::Reconciled(entry::Reconciled {
                signed,
                target,
                matched: u64::from(unlogged.is_none()),
                unlogged: breakglass_rules::unlogged(unlogged),
            }),
            Change::Unlocked { lock } => Body::Unlocked(entry::Unlocked { signed, decision, lock }),
            Change::OutageBegan { dependency } => {
                Body::OutageBegan(entry::OutageBegan { signed, decision, dependency, evidence })
            }
            Change::OutageEnded { dependency } => {
                Body::OutageEnded(entry::OutageEnded { signed, decision, dependency, evidence })
            }
        });
        lock.into_iter().for_each(|lock| self.enforce(lock));
    }

    fn write(
        &mut self,
        at: Option<usize>,
        event: Event,
        decision: entry::Decision,
        signed: Option<Signed>,
    ) {
        let Some(at) = at else {
            let Event::Requested { lapses } = event else { panic!("{event:?} of nothing") };
            let signed = signed.unwrap();
            let statement = Statement::parse(signed.statement.as_bytes()).unwrap();
            let Act::Request(ask) = statement.act() else { panic!("not a request") };
            let link = Link { grant: ask.id, gseq: 0, gprev: Digest::ZERO };
            self.append(Body::Requested(entry::Requested { link, signed, decision, lapses }));
            return;
        };
        let link = self.requests[at].next_link();
        let body = match event {
            Event::Requested { .. } => panic!("requested twice"),
            Event::Approved { stage, missing } => {
                let signed = signed.unwrap();
                Body::Approved(entry::Approved { link, signed, decision, stage, missing })
            }
            Event::Escalated { stage } => {
                Body::Escalated(entry::Escalated { link, signed, decision, stage })
            }
            Event::Reviewed => {
                let (signed, request) = (signed.unwrap(), link.grant);
                Body::Reviewed(entry::Reviewed { signed, decision, request })
            }
            Event::Denied => {
                Body::Denied(entry::Denied { link, signed: signed.unwrap(), decision })
            }
            Event::Withdrawn => {
                Body::Withdrawn(entry::Withdrawn { link, signed: signed.unwrap(), decision })
            }
            Event::Lapsed => Body::Lapsed(entry::Lapsed { link, decision }),
            Event::PickedUp => Body::PickedUp(entry::PickedUp { link, signed: signed.unwrap() }),
            Event::Used => Body::Used(entry::Used { link, signed: signed.unwrap() }),
            Event::Revoked { cause, serial, also, valid_before } => Body::Revoked(entry::Revoked {
                link,
                signed,
                decision,
                cause,
                serial,
                also: (!also.is_empty()).then_some(also),
                valid_before,
            }),
            Event::Closed { outcome } => Body::Closed(entry::Closed { link, outcome }),
        };
        self.append(body);
    }

    fn append(&mut self, body: Body) {
        let time = self.now.max(self.head_time());
        let entry = Entry {
            seq: u64::try_from(self.entries.len()).unwrap(),
            time: Moment::from_unix_millis(time.unix_seconds() * 1000),
            prev: self.prev,
            salt: Salt::from_bytes([0; 16]),
            log: self.log.clone(),
            body,
        };
        let bytes = entry.to_bytes().unwrap();
        self.prev = Digest::of(&bytes);
        if let Some(signed) = entry.body.signed() {
            self.recorded.insert(signed.digest(), entry.seq);
        }
        if let Body::Requested(_) = entry.body {
            self.requests.push(Request::begin(&entry).unwrap());
        } else if let Some(link) = entry.grant() {
            let at = self.requests.iter().position(|r| r.id() == link.grant).unwrap();
            self.requests[at] = self.requests[at].clone().apply(&entry).unwrap();
        }
        self.world.apply(&entry).unwrap();
        self.note(&entry);
        self.judge.read(&bytes);
        self.entries.push(entry);
    }
}

/// The raw signature is nonsense: whether it is good was settled before the rules are asked.
fn signed(statement: &Statement, key: &PublicKey) -> Signed {
    let raw = ed25519_signature_blob(&[1; 64]);
    let signature = assemble(key, &statement.act().kind().namespace(), &raw).unwrap();
    Signed { statement: statement.text().to_owned(), signature: signature.armored().to_owned() }
}

impl House {
    /// Judges a statement against a request that it was not looked up by; writes nothing.
    pub(crate) fn misfile(
        &self,
        statement: &Statement,
        key: &PublicKey,
        at: usize,
    ) -> Result<Verdict, Refusal> {
        let command = Command::Statement { statement, key, user_verified: false };
        let history = self.history(Some(at), &command);
        decide(&self.facts(Some(at), &command, &history), &command)
    }
}

/// The names that a credential opens on its targets, as its entry lists them.
fn principals(clearance: &Clearance) -> Vec<String> {
    match clearance.profile() {
        Profile::Ssh(ssh) => ssh.principals.clone(),
        Profile::X509(_) | Profile::Jwt(_) => vec![format!("bg-{}", clearance.request())],
    }
}
