//! Short acts about a request: `deny`, `withdraw`, `cancel`, `drop`.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::statement::{About, Act, Kind, Review};
use serde_json::json;

use super::look::look;
use crate::cli::{Commented, Reasoned, ReviewArgs};
use crate::client::{Client, Opening};
use crate::credential::Credential;
use crate::failure::{Exit, Failure};
use crate::receipt::Receipt;

/// Says no to a pending request.
pub(super) fn deny(client: &mut Client<'_>, about: &Reasoned) -> Result<Exit, Failure> {
    confirmed(client, about, "deny", Act::Deny)
}

/// Ends a request or a live credential.
pub(super) fn cancel(client: &mut Client<'_>, about: &Reasoned) -> Result<Exit, Failure> {
    confirmed(client, about, "cancel", Act::Cancel)
}

/// Asks the next approvers of a request that nobody answers.
pub(super) fn escalate(client: &mut Client<'_>, about: &Commented) -> Result<Exit, Failure> {
    let request = digest_of(client, about.id)?;
    say(client, about.id, request, about.reason.as_deref(), Act::Escalate)
}

/// Says what a use that is over was.
pub(super) fn review(client: &mut Client<'_>, arguments: &ReviewArgs) -> Result<Exit, Failure> {
    let seen = look(client, arguments.id)?;
    let screen = seen.screen(&client.by()?, None)?;
    client.out.say_screen(&screen);
    let verdict = arguments.verdict;
    if !client.yes && !client.out.ask(&format!("put on record that this was {verdict}?"))? {
        return Err(Failure::usage("nothing was done: you did not say yes", ""));
    }
    let request = seen.asked.statement.digest();
    say(client, arguments.id, request, Some(&arguments.comment), |about| {
        let About { request, by, comment } = about;
        Act::Review(Review { request, by, verdict, comment })
    })
}

/// Takes a request of one's own back.
pub(super) fn withdraw(client: &mut Client<'_>, about: &Commented) -> Result<Exit, Failure> {
    let request = digest_of(client, about.id)?;
    let outcome = say(client, about.id, request, about.reason.as_deref(), Act::Withdraw)?;
    // Withdrawn for certain: nothing will come of its key.
    client.state().holding(about.id).forget()?;
    Ok(outcome)
}

/// Gives a credential back. The local copies go first: whatever the broker says, this machine is
/// done with it. Only its answer makes it revoked.
pub(super) fn give_back(client: &mut Client<'_>, about: &Commented) -> Result<Exit, Failure> {
    hand_back(client, about.id, about.reason.as_deref(), |client, receipt| {
        report(client, about.id, receipt)
    })
}

/// The same, with `report` for what goes to stdout.
pub(super) fn hand_back(
    client: &mut Client<'_>,
    id: RequestId,
    reason: Option<&str>,
    report: impl FnOnce(&mut Client<'_>, &Receipt) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let request = digest_of(client, id)?;
    let holding = client.state().holding(id);
    if let Some(credential) =
        holding.credential(Kind::Ssh)?.and_then(|line| Credential::read(Kind::Ssh, &line).ok())
    {
        match credential.take_back() {
            Ok(()) => client.out.say("ssh-agent no longer holds it"),
            Err(crate::agent::AgentError::Absent) => {}
            Err(error) => client.out.say(&format!("could not be taken out of ssh-agent: {error}")),
        }
    }
    let outcome =
        speak(client, request, reason, Act::Drop).and_then(|receipt| report(client, &receipt));
    match &outcome {
        Ok(_) => {
            holding.forget()?;
            client.out.say("revoked: new log-ins are refused as soon as hosts have the new list");
        }
        Err(_) => client.out.say("it is NOT recorded as revoked; run the same command again"),
    }
    outcome
}

/// Shows what it is about, asks, and says it.
fn confirmed(
    client: &mut Client<'_>,
    about: &Reasoned,
    verb: &str,
    act: fn(About) -> Act,
) -> Result<Exit, Failure> {
    let seen = look(client, about.id)?;
    let screen = seen.screen(&client.by()?, None)?;
    client.out.say_screen(&screen);
    if !client.yes && !client.out.ask(&format!("{verb} this?"))? {
        return Err(Failure::usage("nothing was done: you did not say yes", ""));
    }
    say(client, about.id, seen.asked.statement.digest(), Some(&about.reason), act)
}

fn say(
    client: &mut Client<'_>,
    id: RequestId,
    request: Digest,
    reason: Option<&str>,
    act: impl FnOnce(About) -> Act,
) -> Result<Exit, Failure> {
    let receipt = speak(client, request, reason, act)?;
    report(client, id, &receipt)
}

fn report(client: &mut Client<'_>, id: RequestId, receipt: &Receipt) -> Result<Exit, Failure> {
    // R32: the word comes from the recorded entry, not from what was asked for.
    let outcome = receipt.entry.body.type_name();
    client.out.result(
        outcome,
        &json!({"id": id.to_string(), "outcome": outcome, "seq": receipt.entry.seq}),
    )?;
    Ok(Exit::Done)
}

/// Signs an act about `request` and sends it.
pub(super) fn speak(
    client: &mut Client<'_>,
    request: Digest,
    reason: Option<&str>,
    act: impl FnOnce(About) -> Act,
) -> Result<Receipt, Failure> {
    let comment = reason.map(Opening::new).transpose()?;
    let about = About { request, by: client.by()?, comment: comment.as_ref().map(Opening::digest) };
    client.act(act(about), comment.as_ref())
}

/// Digest of the request statement: of the copy kept here, or of one verified here.
fn digest_of(client: &mut Client<'_>, id: RequestId) -> Result<Digest, Failure> {
    match client.state().holding(id).statement()? {
        Some(statement) => Ok(Digest::of(&statement)),
        None => Ok(look(client, id)?.asked.statement.digest()),
    }
}
