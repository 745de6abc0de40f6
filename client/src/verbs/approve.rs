//! `approve`: verify, show, ask once, sign.

use std::path::Path;

use breakglass_ledger::entry::{Approved, Body};
use breakglass_ledger::policy::Stage;
use breakglass_ledger::principal::{PrincipalId, StageId};
use breakglass_ledger::statement::{Act, Approve};
use serde_json::json;

use super::look::{Seen, look};
use crate::cli::{ApproveArgs, OneOrFile};
use crate::client::{Client, Opening};
use crate::failure::{Exit, Failure};
use crate::receipt::ReceiptError;

/// Shows the request as verified here, asks, signs an approval of exactly that, and says what is
/// recorded.
pub(super) fn approve(client: &mut Client<'_>, args: &ApproveArgs) -> Result<Exit, Failure> {
    let id = match (&args.what, &args.offline) {
        (_, Some(out)) => return super::offline::approve(client, args, out),
        (OneOrFile::Request(id), None) => *id,
        (OneOrFile::File(path), None) => return Err(not_an_id(path)),
    };
    let by = client.by()?;
    let comment = args.comment.as_deref().map(Opening::new).transpose()?;
    let seen = look(client, id)?;
    let stage = stage_for(&seen, &by, args.stage.as_ref())?;
    let screen = seen.screen(&by, Some(stage))?;
    client.out.say_screen(&screen);
    if !client.yes && !client.out.ask(&format!("approve this as {by}?"))? {
        return Err(Failure::usage("not approved: you did not say yes", ""));
    }
    let stage_name = stage.name.clone();
    let given = sign(client, &seen, stage_name.clone(), comment.as_ref())?;
    let missing = given.missing;
    client.out.result(
        "approved",
        &json!({
            "id": id.to_string(), "outcome": "approved", "stage": stage_name.as_str(),
            "seq": given.seq, "missing": missing,
        }),
    )?;
    client.out.say(&left(missing, &seen.asked.ask.by));
    Ok(Exit::Done)
}

/// An approval as it was written down.
pub(super) struct Given {
    /// Position of its entry.
    pub(super) seq: u64,
    /// Approvals still missing over all stages.
    pub(super) missing: u64,
}

/// Signs an approval of exactly what was `seen`, and sends it.
pub(super) fn sign(
    client: &mut Client<'_>,
    seen: &Seen,
    stage: StageId,
    comment: Option<&Opening>,
) -> Result<Given, Failure> {
    let act = Act::Approve(Approve {
        request: seen.asked.statement.digest(),
        by: client.by()?,
        stage,
        policy: seen.policy.digest,
        ttl_max: seen.asked.ask.ttl,
        comment: comment.map(Opening::digest),
    });
    let receipt = client.act(act, comment)?;
    let Body::Approved(Approved { missing, .. }) = receipt.entry.body else {
        return Err(ReceiptError::OtherOutcome(receipt.entry.body.type_name()).into());
    };
    Ok(Given { seq: receipt.entry.seq, missing })
}

/// What is left to do, in words.
pub(super) fn left(missing: u64, requester: &PrincipalId) -> String {
    match missing {
        0 => format!("nothing is missing: {requester} can collect"),
        1 => "one more approval is missing".to_owned(),
        more => format!("{more} more approvals are missing"),
    }
}

/// The stage that `by` would approve: the named one, or the first that still needs somebody.
pub(super) fn stage_for<'s>(
    seen: &'s Seen,
    by: &PrincipalId,
    named: Option<&StageId>,
) -> Result<&'s Stage, Failure> {
    let scope = seen.asked.scope(&seen.policy)?;
    if *by == seen.asked.ask.by {
        return Err(not_yours("nobody approves their own request"));
    }
    if seen.asked.ask.on_behalf_of.contains(by) {
        return Err(not_yours(&format!("{} asks on your behalf", seen.asked.ask.by)));
    }
    if let Some(given) = seen.asked.approvals.values().flatten().find(|given| *given == by) {
        return Err(not_yours(&format!("{given} has approved this already, and counts once")));
    }
    if let Some(name) = named {
        let unknown = || not_yours(&format!("{} has no stage {name}", scope.id));
        let stage = scope.stage(name).ok_or_else(unknown)?;
        if !seen.asked.may_approve(&seen.policy, stage, by) {
            return Err(not_yours(&format!("{by} is not an approver of stage {name}")));
        }
        return Ok(stage);
    }
    let mine = |stage: &&Stage| seen.asked.may_approve(&seen.policy, stage, by);
    let open = scope.stages().iter().filter(mine).find(|stage| seen.asked.missing_in(stage) > 0);
    let any = || scope.stages().iter().find(mine);
    open.or_else(any).ok_or_else(|| not_yours(&format!("{by} approves no stage of {}", scope.id)))
}

fn not_an_id(path: &Path) -> Failure {
    Failure::usage(
        format!("{} is no request's id", path.display()),
        "name a request (req-…); for a file of `show --save` add --offline OUT",
    )
}

fn not_yours(what: &str) -> Failure {
    Failure::new(
        Exit::Refused,
        what,
        "the policy in force does not give you this approval; nothing was signed",
        "ask one of those whom `breakglass show ID` names",
    )
}
