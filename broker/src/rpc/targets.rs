//! Where lists are in force, and which revocations are not everywhere.

use breakglass_ledger::policy::Policy;
use breakglass_ledger::statement::List;
use breakglass_proto::v1;
use breakglass_rules::STRANGER_WINDOW_SECONDS;

use super::access::{Access, may_read_policy};
use super::landing::{Newest, Revocation, count, is_enrolled};
use super::limits::{MISSING_SHOWN_MAX, UNLANDED_LOOKS_MAX, UNLANDED_MAX};
use super::service::Service;
use super::session::Who;
use super::status::CallError;
use crate::store::{LandingRow, Reader, StoreError};

/// What hosts reported, for everybody whom the policy knows.
pub(super) async fn targets(
    service: &Service,
    request: v1::ListTargetsRequest,
) -> Result<v1::ListTargetsAnswer, CallError> {
    let session = service.reader(request.session).await?;
    if !may_read_policy(&session.who) {
        return Err(CallError::NotEntitled(
            "a subject key reads its own request only; look at targets with an enrolled key",
        ));
    }
    let (access, now, who) = (Access::of(&service.desk), service.desk.now(), session.who.clone());
    let newest = Newest::at(service);
    service
        .read(move |reader| {
            let mut reported = Vec::new();
            for list in [List::Krl, List::Crl, List::Deny] {
                reported.extend(reader.targets(list)?.into_iter().map(|row| (list, row)));
            }
            let views = reported.iter();
            let views = views.map(|(list, row)| {
                let unlogged = reader.strangers(&row.target, now.minus(STRANGER_WINDOW_SECONDS))?.0;
                Ok(target(access.policy(), newest, *list, row, unlogged))
            });
            let targets = views.collect::<Result<_, StoreError>>()?;
            let unlanded = unlanded(reader, &access, &who, &reported)?;
            Ok(v1::ListTargetsAnswer { targets, unlanded, answered_at: now.unix_seconds() })
        })
        .await
}

fn target(
    policy: &Policy,
    newest: Newest,
    list: List,
    row: &LandingRow,
    unlogged: u32,
) -> v1::TargetView {
    v1::TargetView {
        target: row.target.to_string(),
        by: row.by.to_string(),
        list: list.name().to_owned(),
        version: row.version,
        newest: newest.of(list),
        applied_at: row.at.unix_seconds(),
        seq: row.seq,
        canary: row.canary.name().to_owned(),
        latency_ms: row.latency,
        sessions_ended: row.ended,
        overdue: row.overdue,
        unlogged,
        enrolled: is_enrolled(policy, &row.by),
    }
}

fn unlanded(
    reader: &Reader,
    access: &Access,
    who: &Who,
    reported: &[(List, LandingRow)],
) -> Result<Vec<v1::UnlandedView>, StoreError> {
    let enrolled = |row: &&(List, LandingRow)| is_enrolled(access.policy(), &row.1.by);
    let waited: Vec<_> = reported.iter().filter(enrolled).collect();
    let mut views = Vec::new();
    // Without a target there is nothing to wait for, and nothing to look at.
    let looks = if waited.is_empty() { 0 } else { UNLANDED_LOOKS_MAX };
    for row in reader.ended_grants(looks)? {
        if views.len() >= UNLANDED_MAX {
            break;
        }
        if !access.may_read(reader, who, &row)? {
            continue;
        }
        let Some(revoked) = Revocation::among(&reader.grant_entries(row.id)?)? else { continue };
        for list in &revoked.lists {
            let late = |row: &&&(List, LandingRow)| row.0 == *list && row.1.version <= revoked.seq;
            let missing: Vec<_> = waited.iter().filter(late).collect();
            if missing.is_empty() {
                continue;
            }
            let names = missing.iter().take(MISSING_SHOWN_MAX).map(|row| row.1.target.to_string());
            views.push(v1::UnlandedView {
                request_id: row.id.to_string(),
                seq: revoked.seq,
                sent_at: revoked.at.unix_seconds(),
                list: list.name().to_owned(),
                missing: names.collect(),
                missing_total: count(missing.len()),
            });
        }
    }
    Ok(views)
}
