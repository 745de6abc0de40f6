//! `outage`: what is down, and saying so.

use breakglass_ledger::entry::Body;
use breakglass_ledger::principal::DependencyId;
use breakglass_ledger::statement::{Act, Declare, Resolve};
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1;
use serde_json::{Value, json};

use super::told;
use crate::cli::OutageVerb;
use crate::client::{Client, Opening};
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::output::{Table, clean};

/// Does what was asked about outages.
pub(super) fn run(client: &mut Client<'_>, verb: &OutageVerb) -> Result<Exit, Failure> {
    match verb {
        OutageVerb::Status => status(client),
        OutageVerb::Declare { dependency, length, reason } => {
            let (by, comment) = (client.by()?, Opening::new(reason)?);
            let until = Some(clock::now().plus(length.as_secs()));
            let (named, text) = (dependency.clone(), Some(comment.digest()));
            let declare = Declare { by, dependency: named, until, comment: text };
            say(client, dependency, Act::Declare(declare), Some(&comment))
        }
        OutageVerb::Resolve { dependency, reason } => {
            let (by, comment) = (client.by()?, reason.as_deref().map(Opening::new).transpose()?);
            let (named, text) = (dependency.clone(), comment.as_ref().map(Opening::digest));
            let resolve = Resolve { by, dependency: named, comment: text };
            say(client, dependency, Act::Resolve(resolve), comment.as_ref())
        }
    }
}

/// Says it; the word on stdout is the one recorded (R32).
fn say(
    client: &mut Client<'_>,
    dependency: &DependencyId,
    act: Act,
    comment: Option<&Opening>,
) -> Result<Exit, Failure> {
    let entry = client.act(act, comment)?.entry;
    let outcome = entry.body.decision().map_or("", |decision| decision.outcome.as_str()).to_owned();
    let outcome = clean(&outcome);
    let row = json!({"dependency": dependency.to_string(), "outcome": outcome, "seq": entry.seq});
    client.out.result(&outcome, &row)?;
    let ended = matches!(entry.body, Body::OutageEnded(_));
    client.out.say(&match (ended, outcome.as_str()) {
        (false, "began") => format!("{dependency} is down on record: its outage lane is open"),
        (false, _) => format!("recorded; {dependency} is down once a second person declares it"),
        (true, "ended") => {
            format!("{dependency} is up on record: no new grants in its outage lane")
        }
        (true, _) => format!("recorded; {dependency} was not down, or is still measured down"),
    });
    Ok(Exit::Done)
}

/// A table of the dependencies.
fn status(client: &mut Client<'_>) -> Result<Exit, Failure> {
    let session = client.session()?;
    let answer = client.broker()?.outages(&session)?;
    let mut table = Table::new(&["DEPENDENCY", "STATE", "SINCE", "MEASURED", "DECLARED BY"]);
    for outage in &answer.outages {
        table.row(&row(outage, clock::now()));
    }
    let none = answer.outages.is_empty();
    let text = if none { String::new() } else { table.render(client.out.result_columns()) };
    let outages: Vec<Value> = answer.outages.iter().map(to_json).collect();
    client.out.result(&text, &json!({ "outages": outages }))?;
    if none {
        client.out.say("no scope depends on anything, and nothing was ever down");
    }
    Ok(Exit::Done)
}

fn row(outage: &v1::OutageView, now: Timestamp) -> [String; 5] {
    let at = |seconds: u64| match seconds {
        0 => "-".to_owned(),
        seconds => told(Timestamp::from_unix_seconds(seconds), now),
    };
    let (state, since) = match outage.down_since {
        0 => ("up", outage.ended_at),
        since => ("down", since),
    };
    let each =
        outage.declared.iter().map(|one| format!("{} until {}", clean(&one.by), at(one.until)));
    let declared = each.collect::<Vec<_>>().join(", ");
    let declared = if declared.is_empty() { "-".to_owned() } else { declared };
    let measured = at(outage.measured_since);
    [clean(&outage.dependency), state.to_owned(), at(since), measured, declared]
}

fn to_json(outage: &v1::OutageView) -> Value {
    let each = outage.declared.iter();
    let declared =
        each.map(|one| json!({"by": one.by, "at": one.at, "until": one.until, "seq": one.seq}));
    json!({
        "dependency": outage.dependency,
        "down": outage.down_since > 0,
        "down_since": outage.down_since,
        "measured_since": outage.measured_since,
        "declared": declared.collect::<Vec<_>>(),
        "ended_at": outage.ended_at,
    })
}
