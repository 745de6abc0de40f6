//! Acts: from bytes to a durable entry. Strangers do not get as far as the desk, so they cannot
//! make the ledger grow.

use breakglass_ledger::statement::Act;
use breakglass_proto::v1;

use super::form;
use super::locks;
use super::service::Service;
use super::session::Who;
use super::status::{CallError, too_often};
use crate::desk::{Incoming, Receipt};

/// Checks form and signature, sees whose key it is, and hands the act to the desk.
pub(super) async fn submit(
    service: &Service,
    request: v1::SubmitRequest,
) -> Result<v1::SubmitAnswer, CallError> {
    // On this thread: about 60 µs of signature, less than a trip to another thread and back.
    let incoming = form::act(request)?;
    let who = signer(service, &incoming).await?;
    service.acts.count(who).map_err(too_often("acts"))?;
    match service.hand_in(incoming).await {
        Ok(receipt) => Ok(answer(receipt)),
        Err(error) => Err(locks::explained(service, error).await),
    }
}

/// Whose key signed: an enrolled one, a signer of the policy authority, or the subject key of a
/// request.
async fn signer(service: &Service, incoming: &Incoming) -> Result<Who, CallError> {
    let (policy, key) = (service.desk.policy(), incoming.signature.public_key());
    if let Some(owner) = policy.owner_of(key) {
        return Ok(Who::Principal(owner.id.clone()));
    }
    if matches!(incoming.statement.act(), Act::Policy(_))
        && let Some(holder) = policy.authority.holder_of(key)
    {
        return Ok(Who::Signer(holder.clone()));
    }
    let subject = key.digest();
    let request = service.read(move |reader| Ok(reader.request_by_subject(subject)?)).await?;
    request
        .map(Who::Subject)
        .ok_or_else(|| CallError::Stranger { fingerprint: key.fingerprint().to_string() })
}

fn answer(receipt: Receipt) -> v1::SubmitAnswer {
    let Receipt { seq, entry, checkpoint, request, credential, repeated } = receipt;
    v1::SubmitAnswer {
        seq,
        entry,
        checkpoint: checkpoint.to_string(),
        request_id: request.map(|request| request.to_string()).unwrap_or_default(),
        credential: credential.unwrap_or_default(),
        repeated,
    }
}
