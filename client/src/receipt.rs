//! What an act became, believed only where the answer shows it.
//!
//! R32: the client reports what is committed. An answer counts if its entry carries exactly what
//! was signed here, is of the type that the act leads to, and lies under a checkpoint that the
//! ledger's key signed and that is not behind the one kept.

use std::fmt;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::chain::entry_hash;
use breakglass_ledger::entry::{Body, Entry, EntryError};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::note::Checkpoint;
use breakglass_ledger::statement::{Act, ActKind, Applied, Statement};
use breakglass_proto::v1;

use crate::failure::{Exit, Failure};
use crate::trust::{Trust, TrustError};

/// An act that is in the ledger.
pub struct Receipt {
    /// Its entry.
    pub entry: Entry,
    /// SHA-256 of the entry's bytes.
    pub hash: Digest,
    /// The request it was about.
    pub request: Option<RequestId>,
    /// For `collect`: the certificate, one OpenSSH line or PEM; or the token, which is secret.
    pub credential: Option<String>,
    /// It was there already.
    pub repeated: bool,
}

/// Without the credential, which may be a secret.
impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entry, hash, request, credential: _, repeated } = self;
        write!(f, "Receipt({hash} {request:?} {repeated} {entry:?})")
    }
}

impl Receipt {
    /// Believes `answer` as the answer to `sent`, or says why not.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`]; the act must then not be reported as done.
    pub fn check(
        answer: v1::SubmitAnswer,
        sent: &Statement,
        trust: &Trust,
        kept: Option<&Checkpoint>,
    ) -> Result<Self, ReceiptError> {
        let entry = Entry::parse(&answer.entry)?;
        if entry.log != *trust.log() {
            return Err(ReceiptError::OtherLog);
        }
        if entry.seq != answer.seq {
            return Err(ReceiptError::Position);
        }
        covered(&trust.open(&answer.checkpoint)?, &entry, kept)?;
        carries(&entry.body, sent, answer.repeated)?;
        leads_to(sent.act().kind(), &entry.body)?;
        let request = Some(answer.request_id.as_str()).filter(|id| !id.is_empty());
        let request = request.map(str::parse).transpose().map_err(|_| ReceiptError::RequestId)?;
        Ok(Self {
            hash: entry_hash(&answer.entry),
            entry,
            request,
            credential: Some(answer.credential).filter(|credential| !credential.is_empty()),
            repeated: answer.repeated,
        })
    }
}

fn covered(
    checkpoint: &Checkpoint,
    entry: &Entry,
    kept: Option<&Checkpoint>,
) -> Result<(), ReceiptError> {
    if checkpoint.size <= entry.seq {
        return Err(ReceiptError::NotCovered);
    }
    match kept {
        Some(kept) if checkpoint.size < kept.size => {
            // An answer given again carries the checkpoint of now, so this is no old answer.
            let (kept, offered) = (kept.size, checkpoint.size);
            Err(TrustError::Rollback { kept, offered }.into())
        }
        Some(kept) if checkpoint.size == kept.size && checkpoint.root != kept.root => {
            Err(TrustError::Fork { size: kept.size }.into())
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether `body` carries what was said. Collecting again is answered with the first `issued`
/// entry, whose statement is another one by the same subject key about the same request; a report of
/// what was reported before (`is_repeated`), with the entry of then.
fn carries(body: &Body, sent: &Statement, is_repeated: bool) -> Result<(), ReceiptError> {
    let found = if let Body::Policy(policy) = body {
        policy.statement.as_str()
    } else {
        body.signed().map(|signed| signed.statement.as_str()).unwrap_or_default()
    };
    if found == sent.text() {
        return Ok(());
    }
    let other = Statement::parse(found.as_bytes()).map_err(|_| ReceiptError::OtherStatement)?;
    match (sent.act(), other.act()) {
        (Act::Collect(mine), Act::Collect(theirs)) if mine == theirs => Ok(()),
        (Act::Applied(mine), Act::Applied(theirs)) if is_repeated && same_list(mine, theirs) => {
            Ok(())
        }
        // Of many strangers at one target only some are written down.
        (Act::Use(mine), Act::Use(theirs))
            if is_repeated && (&mine.by, &mine.target) == (&theirs.by, &theirs.target) =>
        {
            Ok(())
        }
        _ => Err(ReceiptError::OtherStatement),
    }
}

/// Whether both are about the same list at the same target.
fn same_list(mine: &Applied, theirs: &Applied) -> bool {
    let what = |one: &Applied| (one.by.clone(), one.target.clone(), one.list, one.version);
    what(mine) == what(theirs)
}

fn leads_to(act: ActKind, body: &Body) -> Result<(), ReceiptError> {
    let found = body.type_name();
    let allowed: &[&str] = match act {
        ActKind::Request => &["requested"],
        ActKind::Approve => &["approved"],
        ActKind::Deny => &["denied"],
        ActKind::Withdraw => &["withdrawn"],
        ActKind::Drop => &["revoked"],
        ActKind::Cancel => &["denied", "revoked"],
        ActKind::Collect => &["issued"],
        ActKind::Pickup => &["picked-up"],
        ActKind::Lock => &["locked"],
        ActKind::Unlock => &["unlocked"],
        ActKind::Declare => &["outage-began"],
        ActKind::Resolve => &["outage-ended"],
        ActKind::Review => &["reviewed"],
        ActKind::Escalate => &["escalated"],
        ActKind::Applied => &["applied"],
        // The latter where the grant is closed, or nobody knows the credential.
        ActKind::Use => &["used", "reconciled"],
        ActKind::Policy => &["policy"],
        ActKind::Session => &[],
    };
    if allowed.contains(&found) { Ok(()) } else { Err(ReceiptError::OtherOutcome(found)) }
}

/// Why an answer does not show that the act was recorded.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    /// The entry is no entry.
    #[error("the entry in the broker's answer is not in form: {0}")]
    Entry(#[from] EntryError),
    /// The entry is of another ledger.
    #[error("the entry in the broker's answer is of another ledger")]
    OtherLog,
    /// Entry and answer name different positions.
    #[error("the broker's answer names another position than its entry")]
    Position,
    /// The checkpoint is not believed.
    #[error(transparent)]
    Checkpoint(#[from] TrustError),
    /// The checkpoint ends before the entry.
    #[error("the checkpoint in the broker's answer does not cover the entry")]
    NotCovered,
    /// The entry carries something else.
    #[error("the entry in the broker's answer does not carry what was signed here")]
    OtherStatement,
    /// The entry is of a type the act does not lead to.
    #[error("the act was answered with an entry of type `{0}`")]
    OtherOutcome(&'static str),
    /// The request id is none.
    #[error("the broker's answer names no proper request id")]
    RequestId,
}

impl From<ReceiptError> for Failure {
    fn from(error: ReceiptError) -> Self {
        if let ReceiptError::Checkpoint(error) = error {
            return error.into();
        }
        Self::new(
            Exit::Tampered,
            error.to_string(),
            "nothing shows that the act was recorded; treat it as not done",
            "keep this machine's state directory and tell the operator",
        )
    }
}

#[cfg(test)]
mod tests;
