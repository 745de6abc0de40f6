//! Single answers: a checkpoint, a request, a page of requests, the policy.

use std::sync::Arc;

use breakglass_ledger::entry::Body;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::Policy;
use breakglass_ledger::statement::{Act, Statement};
use breakglass_ledger::time::Timestamp;
use breakglass_ledger::tree::consistency;
use breakglass_proto::v1;

use super::access::{Access, may_read_policy};
use super::beside::beside;
use super::landing::{Newest, Revocation};
use super::limits::{PAGE_DEFAULT, PAGE_LOOKS_MAX, PAGE_MAX};
use super::notices;
use super::service::Service;
use super::session::{Session, Who};
use super::status::CallError;
use super::view::{Story, Times, in_list};
use crate::store::{Cursor, Reader, RequestRow, StoreError};

/// Which requests a list shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    /// Those without a credential yet.
    Pending,
    /// Those whose credential is valid.
    Live,
}

/// The newest checkpoint, as an extension of the one the caller kept.
pub(super) async fn checkpoint(
    service: &Service,
    request: v1::GetCheckpointRequest,
) -> Result<v1::GetCheckpointAnswer, CallError> {
    let answered_at = service.desk.now().unix_seconds();
    let old = request.old_size;
    service
        .read(move |reader| {
            let size = reader.head().size;
            if old > size {
                return Err(CallError::Beyond { asked: old, size });
            }
            let proof = consistency(reader, old, size)?;
            let policy = reader.newest_policy()?.map(|policy| policy.digest.to_string());
            Ok(v1::GetCheckpointAnswer {
                checkpoint: note(reader)?,
                proof: proof.iter().map(|hash| hash.as_bytes().to_vec()).collect(),
                policy_digest: policy.unwrap_or_default(),
                answered_at,
            })
        })
        .await
}

/// The signed checkpoint of a snapshot.
pub(super) fn note(reader: &Reader) -> Result<String, CallError> {
    let note = reader.newest_checkpoint().map(str::to_owned);
    note.ok_or(CallError::Fault("the ledger has no checkpoint"))
}

/// One request as it stands.
pub(super) async fn request(
    service: &Service,
    request: v1::GetRequestRequest,
) -> Result<v1::RequestView, CallError> {
    let session = service.reader(request.session).await?;
    let id = Service::named(&session, &request.request_id)?;
    let mut view = look(service, &session, id).await?;
    if view.serial != 0 && matches!(view.state(), v1::State::Ended | v1::State::Closed) {
        view.landings = landings(service, id).await?;
    }
    // A subject key reads what became of its request, and nothing of others.
    if !request.beside || !matches!(session.who, Who::Principal(_)) {
        return Ok(view);
    }
    let (policy, now) = (service.desk.policy(), service.desk.now());
    service
        .read(move |reader| {
            let row = reader.request(id)?.ok_or(CallError::NotReadable)?;
            let beside = Some(beside(reader, &policy, &row, now)?);
            Ok(v1::RequestView { beside, ..view })
        })
        .await
}

/// What became of the revocation of request `id`, which the caller may read.
async fn landings(service: &Service, id: RequestId) -> Result<Vec<v1::LandingView>, CallError> {
    let (policy, newest) = (service.desk.policy(), Newest::at(service));
    service
        .read(move |reader| {
            let revoked = Revocation::among(&reader.grant_entries(id)?)?;
            let views = revoked.map(|revoked| revoked.views(reader, &policy, newest));
            Ok(views.transpose()?.unwrap_or_default())
        })
        .await
}

/// The view of request `id` for whoever holds `session`.
///
/// # Errors
///
/// [`CallError::NotReadable`], whether it does not exist or is not theirs to read.
pub(super) async fn look(
    service: &Service,
    session: &Session,
    id: RequestId,
) -> Result<v1::RequestView, CallError> {
    let (access, now, who) = (Access::of(&service.desk), service.desk.now(), session.who.clone());
    let board = Arc::clone(&service.board);
    service
        .read(move |reader| {
            let row = readable(reader, &access, &who, id)?;
            let view = view(reader, access.policy(), &row, now)?;
            Ok(v1::RequestView { notices: notices::about(&board, id), ..view })
        })
        .await
}

/// The row of request `id`, if `who` may read it.
///
/// # Errors
///
/// [`CallError::NotReadable`] otherwise.
pub(super) fn readable(
    reader: &Reader,
    access: &Access,
    who: &Who,
    id: RequestId,
) -> Result<RequestRow, CallError> {
    let row = reader.request(id)?.ok_or(CallError::NotReadable)?;
    if access.may_read(reader, who, &row)? { Ok(row) } else { Err(CallError::NotReadable) }
}

/// The view of the request of `row`, made now.
///
/// # Errors
///
/// [`StoreError`] if its entries do not read back.
pub(super) fn view(
    reader: &Reader,
    policy: &Policy,
    row: &RequestRow,
    now: Timestamp,
) -> Result<v1::RequestView, StoreError> {
    view_until(reader, policy, row, u64::MAX, now)
}

/// The same view, as entry `last` left the request: what came after it is told with its own entry.
/// Only a review is told as soon as there is one.
///
/// # Errors
///
/// [`StoreError`] if its entries do not read back.
pub(super) fn view_until(
    reader: &Reader,
    policy: &Policy,
    row: &RequestRow,
    last: u64,
    now: Timestamp,
) -> Result<v1::RequestView, StoreError> {
    let mut records = reader.grant_entries(row.id)?;
    records.retain(|record| record.seq <= last);
    let story = Story::read(&records)?;
    let story = story.ok_or(StoreError::Damaged { what: "the entries of a request" })?;
    let texts = reader.texts_for(&story.commitments())?;
    let times = Times { head: reader.head().time.second(), now };
    let mut view = story.view(policy, texts, times);
    if row.serial.is_some() && matches!(view.state(), v1::State::Ended | v1::State::Closed) {
        view.review = reader.review_of(row.id)?.map(|found| found.to_string()).unwrap_or_default();
    }
    Ok(view)
}

/// A page of the requests that concern the caller.
pub(super) async fn list(
    service: &Service,
    request: v1::ListRequest,
    listed: Listed,
) -> Result<v1::ListAnswer, CallError> {
    let session = service.reader(request.session).await?;
    let (access, now, who) = (Access::of(&service.desk), service.desk.now(), session.who.clone());
    let size = match request.page_size {
        0 => PAGE_DEFAULT,
        size @ 1..=PAGE_MAX => size,
        _ => return Err(CallError::Field { field: "page_size", rule: "must be 0 to 100" }),
    };
    let after = cursor(&request.page)?;
    service
        .read(move |reader| {
            let rows = match listed {
                Listed::Pending => reader.open_requests(after, PAGE_LOOKS_MAX)?,
                Listed::Live => reader.live_grants(after, PAGE_LOOKS_MAX)?,
            };
            let looked_at_all = rows.len() < PAGE_LOOKS_MAX;
            let mut rows = rows.into_iter();
            let (mut page, mut last) = (v1::ListAnswer::default(), None);
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            for row in rows.by_ref() {
                last = row.cursor();
                if access.may_read(reader, &who, &row)? {
                    page.requests.push(in_list(view(reader, access.policy(), &row, now)?));
                }
                if page.requests.len() >= size {
                    break;
                }
            }
            if rows.len() > 0 || !looked_at_all {
                page.next_page = last.map(|last| last.to_string()).unwrap_or_default();
            }
            Ok(page)
        })
        .await
}

/// Where a page begins. Our own word given back; whoever makes one up sees no more by it.
fn cursor(page: &str) -> Result<Option<Cursor>, CallError> {
    if page.is_empty() {
        return Ok(None);
    }
    page.parse().map(Some).map_err(|_| CallError::Field {
        field: "page",
        rule: "must be the `next_page` of an answer, or empty",
    })
}

/// The policy in force, as it was signed.
pub(super) async fn policy(
    service: &Service,
    request: v1::GetPolicyRequest,
) -> Result<v1::GetPolicyAnswer, CallError> {
    let session = service.reader(request.session).await?;
    if !may_read_policy(&session.who) {
        return Err(CallError::NotEntitled(
            "a subject key reads its own request only; read the policy with an enrolled key",
        ));
    }
    service.read(|reader| Ok(signed_policy(reader)?)).await
}

fn signed_policy(reader: &Reader) -> Result<v1::GetPolicyAnswer, StoreError> {
    let damaged = || StoreError::Damaged { what: "the policy in force" };
    let row = reader.newest_policy()?.ok_or_else(damaged)?;
    let record = reader.entry(row.seq)?.ok_or_else(damaged)?;
    let Body::Policy(entry) = record.parse()?.body else { return Err(damaged()) };
    let manifest = Statement::parse(entry.statement.as_bytes()).map_err(|_| damaged())?;
    let Act::Policy(manifest) = manifest.act() else { return Err(damaged()) };
    let mut files = Vec::new();
    for (name, digest) in &manifest.files {
        let content = reader.blob(*digest)?.ok_or_else(damaged)?;
        files.push(v1::Blob { name: name.clone(), content });
    }
    Ok(v1::GetPolicyAnswer {
        version: row.version,
        digest: row.digest.as_bytes().to_vec(),
        manifest: entry.statement.into_bytes(),
        signatures: entry.signatures,
        files,
    })
}
