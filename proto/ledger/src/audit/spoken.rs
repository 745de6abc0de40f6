//! Whether a statement was really made, in time, by whom it names, for this ledger.

use super::finding::Code;
use crate::bytes::Digest;
use crate::entry::{Body, Signed};
use crate::key::PublicKey;
use crate::policy::Policy;
use crate::principal::Origin;
use crate::sshsig::{SshSig, SshSigError};
use crate::statement::{ActKind, EXPIRES_MAX_SECONDS, Statement};
use crate::time::Timestamp;

/// A statement whose signature verified.
#[derive(Clone, Debug)]
pub struct Spoken {
    /// What was said.
    pub statement: Statement,
    /// The key that signed it.
    pub key: PublicKey,
}

/// Why a statement does not count.
pub(super) type Fault = (Code, String);

/// What came of an entry's statement, if it carries one.
pub(super) type Heard = Option<Result<Spoken, Fault>>;

/// Reads the statement in `body`, if there is one, and checks its signature.
pub(super) fn hear(body: &Body, log: &Origin) -> Heard {
    body.signed().map(|signed| verified(signed, body, log))
}

/// A statement with its signature checked, as an act that an entry with `body` can record.
fn verified(signed: &Signed, body: &Body, log: &Origin) -> Result<Spoken, Fault> {
    let statement = Statement::parse(signed.statement.as_bytes())
        .map_err(|error| (Code::Schema, error.to_string()))?;
    let kind = statement.act().kind();
    if !acts_of(body).contains(&kind) {
        let detail = format!("a {} entry cannot record the act {kind}", body.type_name());
        return Err((Code::Schema, detail));
    }
    if statement.log() != log {
        return Err((Code::LogIdMismatch, format!("the statement is for {}", statement.log())));
    }
    let fault = |error: SshSigError| (code_of(&error), error.to_string());
    let signature = SshSig::parse(&signed.signature).map_err(fault)?;
    signature.verify(&kind.namespace(), signed.statement.as_bytes()).map_err(fault)?;
    Ok(Spoken { statement, key: signature.public_key().clone() })
}

/// Whether an accepted statement was in time at `at`.
pub(super) fn check_time(spoken: &Spoken, body: &Body, at: Timestamp) -> Result<(), Fault> {
    let Some(expires) = spoken.statement.expires() else { return Ok(()) };
    // What ends access is dated by the head when the clock was stepped back, so it may look late.
    let may_look_late = matches!(body, Body::Revoked(_));
    if at > expires && !may_look_late {
        return Err((Code::ApprovalExpired, format!("it expired at {expires}")));
    }
    if expires > at.plus(EXPIRES_MAX_SECONDS) {
        return Err((Code::ApprovalExpired, format!("it would be good until {expires}")));
    }
    Ok(())
}

/// Whether the key is that of the principal the statement names. Acts that name none are signed by
/// a subject key, which the judge knows.
pub(super) fn check_author(spoken: &Spoken, policy: &Policy) -> Result<(), Fault> {
    let Some(by) = spoken.statement.by() else { return Ok(()) };
    let owner = policy.owner_of(&spoken.key).map(|owner| &owner.id);
    if owner == Some(by) {
        return Ok(());
    }
    let whose = owner.map_or_else(|| "nobody's".to_owned(), |owner| format!("{owner}'s"));
    let detail = format!("it names {by}, but the key {} is {whose}", spoken.key.fingerprint());
    Err((Code::KeyUnknown, detail))
}

/// What was shown of the history before an entry.
pub(super) trait Past {
    /// What is known of the first `size` entries.
    fn at(&mut self, size: u64) -> Then;
}

/// What is known of the history at a size.
pub(super) enum Then {
    /// Its root.
    Root(Digest),
    /// It was not yet written.
    NotYet,
    /// It is not shown here.
    NotShown,
}

/// Whether the signer saw the history that this ledger has.
pub(super) fn check_seen(spoken: &Spoken, past: &mut dyn Past) -> Result<(), Fault> {
    let Some(seen) = spoken.statement.seen() else { return Ok(()) };
    let Some(root) = seen.root else { return Ok(()) };
    match past.at(seen.size) {
        Then::NotYet => Err((Code::SeenFuture, format!("its author saw {} entries", seen.size))),
        Then::Root(ours) if ours != root => {
            Err((Code::SeenMismatch, format!("at size {} its author saw {root}", seen.size)))
        }
        Then::Root(_) | Then::NotShown => Ok(()),
    }
}

/// Which acts an entry can record.
fn acts_of(body: &Body) -> &[ActKind] {
    match body {
        Body::Requested(_) => &[ActKind::Request],
        Body::Approved(_) => &[ActKind::Approve],
        Body::Denied(_) => &[ActKind::Deny, ActKind::Cancel],
        Body::Withdrawn(_) => &[ActKind::Withdraw],
        Body::Escalated(_) => &[ActKind::Escalate],
        Body::Issued(_) => &[ActKind::Collect],
        Body::PickedUp(_) => &[ActKind::Pickup],
        Body::Used(_) | Body::Reconciled(_) => &[ActKind::Use],
        Body::Revoked(_) => &[ActKind::Drop, ActKind::Cancel, ActKind::Lock],
        Body::Applied(_) => &[ActKind::Applied],
        Body::Locked(_) => &[ActKind::Lock],
        Body::Unlocked(_) => &[ActKind::Unlock],
        Body::OutageBegan(_) => &[ActKind::Declare],
        Body::OutageEnded(_) => &[ActKind::Resolve],
        Body::Reviewed(_) => &[ActKind::Review],
        Body::Refused(body) => std::slice::from_ref(&body.act),
        Body::Policy(_) => &[ActKind::Policy],
        Body::Genesis(_)
        | Body::Lapsed(_)
        | Body::Closed(_)
        | Body::Drill(_)
        | Body::Anchor(_)
        | Body::Keys(_)
        | Body::Config(_) => &[],
    }
}

/// The code of a signature's fault.
pub(super) const fn code_of(error: &SshSigError) -> Code {
    match error {
        SshSigError::Malformed { .. } => Code::SshsigMalformed,
        SshSigError::KeyType(_) => Code::KeyType,
        SshSigError::Weak => Code::KeyWeak,
        SshSigError::Namespace { .. } => Code::Namespace,
        SshSigError::Bad => Code::SshsigBad,
        SshSigError::UserPresence => Code::SkFlags,
    }
}
