//! Approving away from the broker: `show ID --save`, `approve ID|FILE --offline`, `submit FILE`.

use std::path::Path;

use breakglass_ledger::entry::{Approved, Body};
use breakglass_ledger::statement::{Act, Approve};
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1::State;
use serde_json::json;

use super::approve::stage_for;
use super::look::{Seen, look};
use super::told;
use crate::asked::Asked;
use crate::cli::{ApproveArgs, OneOrFile};
use crate::client::{Client, Opening};
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::in_force;
use crate::offline::{Approval, Case};
use crate::output::short_duration;
use crate::receipt::ReceiptError;

/// Fetches what an approver of `id` needs and writes it to a new file. Verified before it is
/// written, so that nobody carries what would be thrown away.
pub(super) fn save_case(client: &mut Client<'_>, seen: &Seen, path: &Path) -> Result<(), Failure> {
    if !matches!(seen.view.state(), State::Pending | State::Approved) {
        return Err(Failure::usage(
            "this request waits for nobody any more",
            "see `breakglass status`",
        ));
    }
    let session = client.session()?;
    let policy = client.broker()?.policy(&session)?;
    let checkpoint = client.broker()?.checkpoint(0)?.note;
    let case = Case { saved: clock::now(), checkpoint, view: seen.view.clone(), policy };
    case.save(path, client.trust().log())?;
    let path = path.display();
    client.out.say(&format!(
        "saved; whoever reaches no broker approves it with: breakglass approve {path} --offline OUT"
    ));
    Ok(())
}

/// Shows what is asked, asks, and writes a signed approval to a new file. With a file to judge by,
/// no broker is asked anything.
pub(super) fn approve(
    client: &mut Client<'_>,
    args: &ApproveArgs,
    out: &Path,
) -> Result<Exit, Failure> {
    let by = client.by()?;
    let comment = args.comment.as_deref().map(Opening::new).transpose()?;
    let (seen, file) = match &args.what {
        OneOrFile::Request(id) => (look(client, *id)?, None),
        OneOrFile::File(path) => open(client, path).map(|(seen, case)| (seen, Some(case)))?,
    };
    let stage = stage_for(&seen, &by, args.stage.as_ref())?.name.clone();
    let screen = seen.screen(&by, seen.asked.scope(&seen.policy)?.stage(&stage))?;
    client.out.say_screen(&screen);
    if let Some(case) = &file {
        let age = age(case.saved, clock::now());
        client.out.say_strong(&age);
    }
    if !client.yes && !client.out.ask(&format!("approve this as {by}, to be sent later?"))? {
        return Err(Failure::usage("not approved: you did not say yes", ""));
    }
    let act = Act::Approve(Approve {
        request: seen.asked.statement.digest(),
        by,
        stage: stage.clone(),
        policy: seen.policy.digest,
        ttl_max: seen.asked.ask.ttl,
        comment: comment.as_ref().map(Opening::digest),
    });
    let expires = expires(&seen, clock::now())?;
    let offered = file.as_ref().map(|case| case.checkpoint.as_str());
    let (statement, signature) = client.sign_apart(act, expires, offered)?;
    Approval::new(statement, signature, comment.as_ref()).save(out)?;
    let (id, file) = (seen.asked.ask.id.to_string(), out.display().to_string());
    client.out.result(
        &file,
        &json!({
            "id": id, "outcome": "signed", "stage": stage.as_str(), "file": file,
            "expires_at": expires.unix_seconds(),
        }),
    )?;
    client.out.say(&format!(
        "signed and NOT sent: it counts once somebody who reaches a broker runs\n  \
         breakglass submit {file}\nand is worthless after {}",
        told(expires, clock::now())
    ));
    Ok(Exit::Done)
}

/// Sends an approval that somebody signed away from the broker. Anybody may: it says who speaks.
pub(super) fn submit(client: &mut Client<'_>, path: &Path) -> Result<Exit, Failure> {
    let approval = Approval::load(path, client.trust().log(), clock::now())?;
    if let Some(approve) = approval.approve() {
        let key = approval.signature().public_key().fingerprint();
        let Approve { by, stage, request, .. } = approve;
        client.out.say(&format!(
            "an approval by {by} for stage {stage} of the request with digest {request},\n\
             signed with {key}"
        ));
    }
    let receipt = client.send(approval.to_wire()?)?;
    let Body::Approved(Approved { missing, stage, .. }) = receipt.entry.body else {
        return Err(ReceiptError::OtherOutcome(receipt.entry.body.type_name()).into());
    };
    let id = receipt.request.map(|id| id.to_string()).unwrap_or_default();
    client.out.result(
        "approved",
        &json!({
            "id": id, "outcome": "approved", "stage": stage.as_str(),
            "seq": receipt.entry.seq, "missing": missing,
        }),
    )?;
    client.out.say(&match missing {
        0 => format!("nothing is missing: {id} can be collected"),
        1 => "one more approval is missing".to_owned(),
        more => format!("{more} more approvals are missing"),
    });
    Ok(Exit::Done)
}

/// The case in `path`, verified like what a broker shows; nothing of it is remembered, because
/// nobody vouches for a file.
fn open(client: &Client<'_>, path: &Path) -> Result<(Seen, Case), Failure> {
    let log = client.trust().log();
    let case = Case::load(path, log)?;
    let policy = in_force::examine(client.state(), log, &case.policy)?;
    let asked = Asked::verify(&case.view, &policy, log)?;
    Ok((Seen { view: case.view.clone(), policy, asked }, case))
}

/// What a file cannot know, said before anybody says yes.
fn age(saved: Timestamp, now: Timestamp) -> String {
    let age = if saved > now {
        "by its own word saved in the future: one of the two clocks is wrong".to_owned()
    } else {
        format!("by its own word saved {} ago", short_duration(now.since(saved)))
    };
    format!(
        "policy, stages and approvals are as of the file, {age}. What has happened since (a denial, \
         a lock, another policy) is not in it. The broker judges when the approval arrives, and \
         takes it only under the policy shown here"
    )
}

/// The approval need not outlive the request; a statement is taken at most a day ahead.
fn expires(seen: &Seen, now: Timestamp) -> Result<Timestamp, Failure> {
    let waits = seen.asked.scope(&seen.policy)?.pending_max.into();
    let lapses = seen.asked.asked_at().plus(waits);
    Ok(lapses.max(now.plus(SHORTEST_SECONDS)).min(now.plus(LONGEST_SECONDS)))
}

/// As for statements that are sent at once: clocks may be some minutes apart.
const SHORTEST_SECONDS: u64 = 900;

/// The ledger takes a day; an hour less, for clocks that are apart.
const LONGEST_SECONDS: u64 = 23 * 3600;
