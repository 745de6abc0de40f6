//! Locks, as those see them whom they concern.

use breakglass_ledger::policy::Policy;
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::Target;
use breakglass_proto::v1;
use breakglass_rules::{Lock, LockRefusal, Refusal};

use super::service::Service;
use super::session::Who;
use super::status::CallError;
use crate::desk::DeskError;
use crate::store::{Reader, StoreError};

/// The locks that stand, as far as the caller may see them: all of them, because the rules keep them
/// to [`breakglass_rules::LOCKS_MAX`].
pub(super) async fn list(
    service: &Service,
    request: v1::ListLocksRequest,
) -> Result<v1::ListLocksAnswer, CallError> {
    let session = service.reader(request.session).await?;
    let (policy, world, now) = (service.desk.policy(), service.desk.world(), service.desk.now());
    let mut locks: Vec<Lock> = world
        .locks
        .values()
        .filter(|lock| lock.holds(now) && may_see(&policy, &session.who, &lock.target))
        .cloned()
        .collect();
    locks.sort_unstable_by_key(|lock| lock.seq);
    service
        .read(move |reader| {
            let views = locks.iter().map(|lock| view(reader, lock));
            Ok(v1::ListLocksAnswer { locks: views.collect::<Result<_, StoreError>>()? })
        })
        .await
}

/// A refusal for a lock, with what the wire tells beside it: whoever is stopped sees the message.
/// Any other error is as it was.
pub(super) async fn explained(service: &Service, error: CallError) -> CallError {
    let CallError::Desk(DeskError::Refused { refusal, seq }) = error else { return error };
    let Refusal::Lock(LockRefusal::Locked { seq: at, .. }) = &refusal else {
        return CallError::Desk(DeskError::Refused { refusal, seq });
    };
    let (world, at) = (service.desk.world(), *at);
    let lock = world.locks.values().find(|lock| lock.seq == at).cloned();
    let shown = match lock {
        Some(lock) => service.read(move |reader| Ok(view(reader, &lock)?)).await.ok(),
        None => None,
    };
    CallError::Locked { refusal: Box::new(refusal), seq, lock: shown.map(Box::new) }
}

/// Owners see every lock, because they set and lift them; everybody else those on themselves.
fn may_see(policy: &Policy, who: &Who, target: &Target) -> bool {
    let Who::Principal(reader) = who else { return false };
    let owns = |members| policy.is_member(reader, members);
    policy.scopes.iter().any(|scope| scope.owned_by().any(owns)) || is_on(policy, reader, target)
}

fn is_on(policy: &Policy, reader: &PrincipalId, target: &Target) -> bool {
    let mut keys = policy.principal(reader).into_iter().flat_map(|one| &one.keys);
    match target {
        Target::Principal(id) => id == reader,
        Target::Key(fingerprint) => keys.any(|key| key.fingerprint() == *fingerprint),
        Target::Scope(_) | Target::Host(_) | Target::Grant(_) => false,
    }
}

fn view(reader: &Reader, lock: &Lock) -> Result<v1::LockView, StoreError> {
    let message = lock.comment.map(|comment| reader.text(comment)).transpose()?.flatten();
    Ok(v1::LockView {
        digest: lock.statement.to_string(),
        seq: lock.seq,
        target: lock.target.to_string(),
        by: lock.by.to_string(),
        until_at: lock.until.map_or(0, breakglass_ledger::time::Timestamp::unix_seconds),
        message: message.map(|message| message.text).unwrap_or_default(),
    })
}
