//! The one door: everything a decision depends on goes in, a verdict or a refusal comes out.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::Decision;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::policy::{Policy, Principal};
use breakglass_ledger::principal::{CallerId, DependencyId, Origin, PrincipalId};
use breakglass_ledger::statement::{Act, ActKind, EXPIRES_MAX_SECONDS, Kind, Statement};
use breakglass_ledger::time::Timestamp;

use crate::eligibility::Rules;
use crate::history::History;
use crate::landing::Landing;
use crate::refusal::{AskRefusal, Refusal, StatementRefusal};
use crate::request::{Live, Pending, Request};
use crate::verdict::Verdict;
use crate::world::World;
use crate::{
    approve, ask, collect, ending, escalation, grounds, landing, lock, outage, rejudge, review,
};

/// All that a decision may depend on besides the command. Read in the transaction that records it.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// What the clock says, read once per command.
    pub now: Timestamp,
    /// The second of the newest entry.
    pub head_time: Timestamp,
    /// The origin of this ledger.
    pub log: &'a Origin,
    /// The policy in force.
    pub policy: &'a Policy,
    /// The policy in force when the request was made; `None` if it cannot be read. Needed for
    /// `approve`, `collect` and [`Command::Rejudge`], which treat `None` as a no.
    pub policy_at_request: Option<&'a Policy>,
    /// The rules of the policy in force, compiled.
    pub rules: &'a Rules,
    /// The request that the command is about; for `request` itself, `None`.
    pub request: Option<&'a Request>,
    /// Grants of the scope that are alive: issued, not revoked.
    pub live_in_scope: u32,
    /// For `request`: another request of the same principal for the same scope that is pending.
    pub open_duplicate: Option<RequestId>,
    /// For `request`: whether another request statement has the same id.
    pub id_taken: bool,
    /// For `request`: whether another request that is not closed brought the same subject key.
    pub subject_used: bool,
    /// The entry that already carries this very statement, whatever came of it.
    pub recorded: Option<u64>,
    /// Whether the head that the signer saw is in this ledger.
    pub seen_ok: SeenVerdict,
    /// What is true besides the request: locks and outages.
    pub world: &'a World,
    /// What happened before with the scope.
    pub history: &'a History,
    /// For what a host reports: what is known about it.
    pub landing: &'a Landing,
    /// Whether the sweep works: a broker that cannot revoke must not grant.
    pub can_revoke: bool,
    /// The kinds of credentials that the broker has a key, and all else, for.
    pub mints: &'a [Kind],
}

/// How the head in a statement's `seen` line relates to this ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenVerdict {
    /// It is a head that this ledger had (or the statement has none).
    Ours,
    /// This ledger had another root at that size.
    Mismatch,
    /// This ledger has not reached that size.
    Future,
}

/// What somebody, or the clock, wants.
#[derive(Clone, Copy, Debug)]
pub enum Command<'a> {
    /// A signed statement.
    Statement {
        /// What was signed.
        statement: &'a Statement,
        /// The key that signed it; the signature has been verified.
        key: &'a PublicKey,
        /// Whether a security key verified its user (PIN or biometrics), beyond a touch.
        user_verified: bool,
    },
    /// The clock: the request waited too long.
    Lapse,
    /// The clock: a stage waited `within` without its quorum.
    Escalate,
    /// The clock: the credential's time is over.
    Expire,
    /// The clock: the revoked credential is over for every host.
    Close,
    /// The clock: the outage that opened the grant's lane is over, and its grace too.
    Drain,
    /// The clock: a declaration that a dependency is down has run out.
    RunOut {
        /// The dependency.
        dependency: &'a DependencyId,
    },
    /// The probes: a watched dependency is down, or up again.
    Measured {
        /// The dependency.
        dependency: &'a DependencyId,
        /// Whether it is down.
        down: bool,
    },
    /// The clock: a lock is over by itself.
    Unlock,
    /// Something was locked: end the grant if that covers it.
    Enforce,
    /// A service was shown a token of the grant and wants it taken back: the whole grant ends.
    TakeBack {
        /// The token's serial: it has to be the grant's newest.
        serial: u64,
        /// Which service; who may call is known before.
        caller: &'a CallerId,
    },
    /// The policy changed: end the request, or the grant, if it is no longer allowed.
    Rejudge,
}

/// Judges `command` by `facts`, and by nothing else.
///
/// # Errors
///
/// The first [`Refusal`] in the order in which a person would argue them.
pub fn decide(facts: &Facts<'_>, command: &Command<'_>) -> Result<Verdict, Refusal> {
    match command {
        Command::Statement { statement, key, user_verified: _ } => hear(facts, statement, key),
        Command::Lapse => ending::lapse(facts),
        Command::Escalate => escalation::by_clock(facts),
        Command::Expire => ending::expire(facts),
        Command::Close => ending::close(facts),
        Command::Drain => outage::drain(facts),
        Command::RunOut { dependency } => outage::run_out(facts, dependency),
        Command::Measured { dependency, down } => outage::measured(facts, dependency, *down),
        Command::Unlock => lock::run_out(facts),
        Command::Enforce => lock::enforce(facts),
        Command::TakeBack { serial, caller } => ending::take_back(facts, *serial, caller),
        Command::Rejudge => rejudge::rejudge(facts),
    }
}

/// What the `refused` entry must say about the decision to refuse `command`.
#[must_use]
pub fn refused(facts: &Facts<'_>, command: &Command<'_>, refusal: &Refusal) -> Decision {
    let of_request = facts.request.map(|request| &request.asked().ask);
    let (mut ask, mut actor, mut stage, mut counts) = (of_request, None, None, false);
    if let Command::Statement { statement, key, .. } = command {
        // Whoever signed, not whom the statement names: a refused act may name anybody.
        actor = facts.policy.owner_of(key).map(|owner| &owner.id);
        if let Act::Request(asked) = statement.act() {
            ask = Some(asked);
        }
        if let Act::Approve(approve) = statement.act() {
            stage = Some(&approve.stage);
        }
        counts = matches!(statement.act(), Act::Request(_) | Act::Approve(_) | Act::Collect(_));
    }
    let mut rules = vec![refusal.name().to_owned()];
    if let Refusal::Ask(AskRefusal::RulesForbid { rules: determining, .. }) = refusal {
        rules.extend(determining.iter().cloned());
    }
    let decision = grounds::decision(facts, ask, actor, rules, "refused");
    let by_rules = matches!(
        refusal,
        Refusal::Ask(AskRefusal::RulesForbid { .. })
            | Refusal::Ask(AskRefusal::RulesUnreadable { .. })
    );
    if by_rules && counts { grounds::weigh(facts, decision, stage) } else { decision }
}

fn hear(facts: &Facts<'_>, statement: &Statement, key: &PublicKey) -> Result<Verdict, Refusal> {
    if statement.log() != facts.log {
        let (expected, found) = (facts.log.clone(), statement.log().clone());
        return Err(Refusal::Statement(StatementRefusal::OtherLog { expected, found }));
    }
    not_over(facts, statement)?;
    // Before anything that is written down when it is refused: nothing is written twice.
    if let Some(seq) = facts.recorded {
        return again(statement, seq);
    }
    not_too_long(facts, statement)?;
    match facts.seen_ok {
        SeenVerdict::Ours => {}
        SeenVerdict::Mismatch => return Err(Refusal::Statement(StatementRefusal::SeenMismatch)),
        SeenVerdict::Future => return Err(Refusal::Statement(StatementRefusal::SeenFuture)),
    }
    if let Some(by) = statement.by() {
        speaks_for(facts.policy, key, by)?;
    }
    lock::stops(facts, statement, key)?;
    match statement.act() {
        Act::Request(ask) => ask::open(facts, ask),
        Act::Approve(approve) => {
            clock_stands_well(facts)?;
            approve::approve(facts, approve, key)
        }
        Act::Collect(collect) => {
            clock_stands_well(facts)?;
            collect::collect(facts, collect, key)
        }
        Act::Pickup(pickup) => collect::pick_up(facts, pickup, key),
        Act::Deny(about) => ending::deny(facts, about),
        Act::Cancel(about) => ending::cancel(facts, about),
        Act::Withdraw(about) => ending::withdraw(facts, about),
        Act::Drop(about) => ending::give_back(facts, about),
        Act::Declare(declare) => outage::declare(facts, declare),
        Act::Resolve(resolve) => outage::resolve(facts, resolve),
        Act::Escalate(about) => escalation::by_person(facts, about),
        Act::Review(said) => review::review(facts, said),
        Act::Lock(said) => lock::lock(facts, said),
        Act::Unlock(said) => lock::unlock(facts, said, key),
        Act::Applied(said) => landing::applied(facts, said),
        Act::Use(said) => landing::used(facts, said),
        Act::Session(_) | Act::Policy(_) => {
            Err(Refusal::Ask(AskRefusal::NotSupportedYet { what: statement.act().kind().name() }))
        }
    }
}

fn not_over(facts: &Facts<'_>, statement: &Statement) -> Result<(), Refusal> {
    let Some(at) = statement.expires() else { return Ok(()) };
    let now = facts.second();
    // The contract refuses after this second, not from it on.
    if now > at {
        return Err(Refusal::Statement(StatementRefusal::Expired { at, now }));
    }
    Ok(())
}

fn not_too_long(facts: &Facts<'_>, statement: &Statement) -> Result<(), Refusal> {
    let Some(at) = statement.expires() else { return Ok(()) };
    let latest = facts.second().plus(EXPIRES_MAX_SECONDS);
    if at > latest {
        return Err(Refusal::Statement(StatementRefusal::ExpiresTooFar { at, latest }));
    }
    Ok(())
}

/// A retry of an act whose answer is worth repeating gets it again; any other is told.
fn again(statement: &Statement, seq: u64) -> Result<Verdict, Refusal> {
    // A token is nowhere kept, and whoever reads the ledger could repeat what was said: for another
    // token the holder signs again.
    let is_jwt = matches!(statement.act(), Act::Collect(collect) if collect.kind == Kind::Jwt);
    let is_worth_it = matches!(
        statement.act().kind(),
        ActKind::Request | ActKind::Collect | ActKind::Applied | ActKind::Use
    );
    if is_worth_it && !is_jwt {
        Ok(Verdict::Again { seq })
    } else {
        Err(Refusal::Statement(StatementRefusal::Repeated { seq }))
    }
}

/// The principal that `key` speaks for, if that is `by`.
pub(crate) fn speaks_for<'a>(
    policy: &'a Policy,
    key: &PublicKey,
    by: &PrincipalId,
) -> Result<&'a Principal, Refusal> {
    let Some(owner) = policy.owner_of(key) else {
        return Err(Refusal::Statement(StatementRefusal::KeyUnknown { key: key.fingerprint() }));
    };
    if owner.id != *by {
        return Err(Refusal::Statement(StatementRefusal::KeyNotTheirs {
            key: key.fingerprint(),
            by: by.clone(),
        }));
    }
    Ok(owner)
}

/// Nothing is granted on a clock that went back; endings need no clock to be right.
fn clock_stands_well(facts: &Facts<'_>) -> Result<(), Refusal> {
    if facts.now < facts.head_time {
        return Err(Refusal::Statement(StatementRefusal::ClockBehind {
            now: facts.now,
            head: facts.head_time,
        }));
    }
    Ok(())
}

impl<'a> Facts<'a> {
    /// The second that the outcome will be dated: never before the newest entry.
    pub(crate) fn second(&self) -> Timestamp {
        self.now.max(self.head_time)
    }

    /// The request that was looked up for a statement about `digest`.
    pub(crate) fn about(&self, digest: Digest) -> Result<&'a Request, Refusal> {
        let request = self.request.ok_or(Refusal::RequestUnknown { digest })?;
        let found = request.asked().statement;
        if found != digest {
            return Err(Refusal::RequestMismatch { signed: digest, found });
        }
        Ok(request)
    }

    /// The request that the clock's command is about.
    pub(crate) fn given_request(&self) -> Result<&'a Request, Refusal> {
        self.request.ok_or(Refusal::WrongState { state: "unknown", needs: "known" })
    }

    /// The request, if it still waits: a deadline counts before its entry is written.
    pub(crate) fn waiting<'r>(&self, request: &'r Request) -> Result<&'r Pending, Refusal> {
        let Request::Pending(pending) = request else {
            return Err(Refusal::WrongState { state: request.state(), needs: "pending" });
        };
        let (lapsed_at, now) = (pending.asked.lapses, self.second());
        if now >= lapsed_at {
            return Err(Refusal::Late { lapsed_at, now });
        }
        Ok(pending)
    }

    /// The grant, if its credential is out and not over by itself.
    pub(crate) fn alive<'r>(&self, request: &'r Request) -> Result<&'r Live, Refusal> {
        let Request::Live(live) = request else {
            return Err(Refusal::WrongState { state: request.state(), needs: "live" });
        };
        if self.second() >= live.ends() {
            return Err(Refusal::WrongState { state: "expired", needs: "live" });
        }
        Ok(live)
    }
}
