//! `request`: a fresh key, a signed statement, and, with `--wait`, all the way to the credential.

use breakglass_ledger::id::RequestId;
use breakglass_ledger::statement::{Act, Ask};
use serde_json::json;

use super::{collect, wait};
use crate::cli::RequestArgs;
use crate::client::{Client, Opening};
use crate::clock;
use crate::entropy;
use crate::failure::{Exit, Failure};
use crate::output::{Format, duration};
use crate::state::SubjectKey;

/// Asks; prints the id; waits and collects if that was asked for.
pub(super) fn request(client: &mut Client<'_>, args: &RequestArgs) -> Result<Exit, Failure> {
    collect::tidy(client)?;
    let (id, is_new) = match ask(client, args) {
        Ok(id) => (id, true),
        Err(failure) => (already_open(client, failure)?, false),
    };
    if args.wait && client.out.format() == Format::Json {
        // One value on stdout: the one that waiting ends with, which has the id too.
        client.out.say(&id.to_string());
    } else {
        client.out.result(
            &id.to_string(),
            &json!({"id": id.to_string(), "state": "requested", "new": is_new}),
        )?;
    }
    if !args.wait {
        client.out.say(&format!("asked; follow it with: breakglass collect {id} --wait"));
        return Ok(Exit::Done);
    }
    let waited = wait::for_approval(client, id, args.deadline)?;
    if waited == Exit::Done { collect::collect(client, id, &[], &args.place) } else { Ok(waited) }
}

fn ask(client: &mut Client<'_>, args: &RequestArgs) -> Result<RequestId, Failure> {
    let reason = args.reason.as_deref().map(Opening::new).transpose()?;
    let key = SubjectKey::generate(&args.kind)?;
    let id = RequestId::new(clock::moment().unix_millis(), entropy::bytes()?);
    let ask = Ask {
        id,
        by: client.by()?,
        scope: args.scope.clone(),
        kinds: args.kind.clone(),
        lane: args.lane,
        ttl: args.ttl,
        incident: args.incident.clone(),
        reason: reason.as_ref().map(Opening::digest),
        key: Some(key.public().clone()),
        on_behalf_of: args.on_behalf_of.clone(),
    };
    let statement = client.compose(Act::Request(ask))?;
    let holding = client.state().holding(id);
    // Kept before it is sent: an answer that gets lost must not cost the key.
    holding.begin(statement.text(), &key)?;
    match client.submit_as_user(&statement, reason.as_ref()) {
        Ok(receipt) => {
            client.out.say(&format!(
                "{} asks for {} for {} (entry {})",
                client.by()?,
                args.scope,
                duration(args.ttl.seconds().into()),
                receipt.entry.seq,
            ));
            Ok(id)
        }
        Err(failure) => {
            // Refused for certain: nothing will ever come of this key. Otherwise keep it.
            if failure.rule().is_some() {
                holding.forget()?;
            } else if failure.exit() == Exit::Unreachable {
                client
                    .out
                    .say(&format!("not known whether {id} was recorded: breakglass status {id}"));
            }
            Err(failure)
        }
    }
}

/// A second request for the same thing is answered with the first one's id, if its key is here.
fn already_open(client: &mut Client<'_>, failure: Failure) -> Result<RequestId, Failure> {
    let first = failure.rule().and_then(|rule| rule.first_request.as_deref());
    let Some(first) = first.and_then(|id| id.parse::<RequestId>().ok()) else {
        return Err(failure);
    };
    if client.state().holding(first).key()?.is_none() {
        return Err(failure);
    }
    client.out.say(&format!("{failure}\nnothing new was asked; going on with {first}"));
    Ok(first)
}
