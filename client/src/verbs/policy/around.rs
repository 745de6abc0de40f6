//! What is true around a request at the running broker: locks, outages, what was done with its scope
//! before; and which of it the caller may not see.

use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::Policy;
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::Target;
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1;
use breakglass_rules::{Declared, History, Lock, Outage, World};

use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::policy::hearing::Beyond;

/// What is true around a request, as far as it was told.
pub(super) struct Around {
    /// What is known; `None` if nobody was asked.
    pub(super) beyond: Option<Beyond>,
    /// What is not, and who would see it: nothing of it is taken to be absent.
    pub(super) unseen: Vec<String>,
    /// The locks among it, with their messages.
    pub(super) locks: Vec<v1::LockView>,
}

impl Around {
    /// Of an export, which holds one request or is old: nothing is known.
    pub(super) fn unknown() -> Self {
        let unseen = vec![
            "locks, outages and what was done with the scope before: none of it was looked for in \
             the export; ask the broker, by the request's id"
                .to_owned(),
        ];
        Self { beyond: None, unseen, locks: Vec::new() }
    }
}

/// Asks the broker for what is true around the request of `view`.
pub(super) fn around(
    client: &mut Client<'_>,
    policy: &Policy,
    view: &v1::RequestView,
) -> Result<Around, Failure> {
    let (viewer, session) = (client.by()?, client.session()?);
    let locks = client.broker()?.locks(&session)?;
    let outages = client.broker()?.outages(&session)?.outages;
    let mut unseen = Vec::new();
    if !owns(policy, &viewer) {
        unseen.push(format!(
            "locks on anything but {viewer} and their keys; owners of scopes see them all"
        ));
    }
    let (mut history, mut live) = (History::NONE, 0);
    match &view.beside {
        Some(beside) => (history, live) = (past(beside, view.answered_at)?, beside.live),
        None => unseen.push(
            "what was done with the scope before (grants alive, budget, pause, reviews): this \
             broker does not tell"
                .to_owned(),
        ),
    }
    let mut world = World::default();
    for view in &locks {
        let lock = lock(view)?;
        world.locks.insert(lock.statement, lock);
    }
    for view in &outages {
        let dependency = read(&view.dependency, "a dependency")?;
        world.outages.insert(dependency, outage(view)?);
    }
    Ok(Around { beyond: Some(Beyond { world, history, live }), unseen, locks })
}

/// Whether `viewer` owns any scope: then every lock is shown to them.
fn owns(policy: &Policy, viewer: &PrincipalId) -> bool {
    let mut owned_by = policy.scopes.iter().flat_map(|scope| scope.owned_by());
    owned_by.any(|members| policy.is_member(viewer, members))
}

fn past(beside: &v1::Beside, now: u64) -> Result<History, Failure> {
    let request = |text: &str| -> Result<Option<RequestId>, Failure> {
        if text.is_empty() { Ok(None) } else { read(text, "a request").map(Some) }
    };
    let drilled = Some(beside.drilled_at).filter(|at| *at > 0);
    Ok(History {
        budget_used: beside.budget_used,
        last_end: at(beside.last_end_at),
        unreviewed: request(&beside.unreviewed)?,
        unreviewed_emergency: request(&beside.unreviewed_emergency)?,
        drill_age: drilled.map(|at| now.saturating_sub(at)),
        ..History::NONE
    })
}

fn lock(view: &v1::LockView) -> Result<Lock, Failure> {
    let target: Target = read(&view.target, "a lock's target")?;
    let (statement, by) = (read(&view.digest, "a lock")?, read(&view.by, "a principal")?);
    Ok(Lock { statement, seq: view.seq, by, target, until: at(view.until_at), comment: None })
}

fn outage(view: &v1::OutageView) -> Result<Outage, Failure> {
    let each = view.declared.iter().map(|one| -> Result<Declared, Failure> {
        let (begin, until) =
            (Timestamp::from_unix_seconds(one.at), Timestamp::from_unix_seconds(one.until));
        Ok(Declared { by: read(&one.by, "a principal")?, at: begin, until, seq: one.seq })
    });
    Ok(Outage {
        measured: at(view.measured_since),
        declared: each.collect::<Result<_, _>>()?,
        began: at(view.down_since),
        ended: at(view.ended_at),
    })
}

/// On the wire 0 is no time.
fn at(seconds: u64) -> Option<Timestamp> {
    (seconds > 0).then(|| Timestamp::from_unix_seconds(seconds))
}

fn read<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, Failure> {
    let malformed = || {
        let told = format!("the broker's answer names {what} that cannot be: {text:?}");
        Failure::new(Exit::Malformed, told, "nothing can be said about what stands in the way", "")
    };
    text.parse().map_err(|_| malformed())
}
