//! Verbs that only look: `status`, `show`, `pending`, `grants`.

use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::Policy;
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1::{self, State};
use jiff::tz::TimeZone;
use serde_json::json;

use super::told;
use crate::asked::Asked;
use crate::cli::{GrantsArgs, ShowArgs};
use crate::client::Client;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::in_force;
use crate::landing::{self, landings};
use crate::output::{Table, clean, duration, short_duration};
use crate::screen::Screen;
use crate::telling::telling;
use crate::view::{aftermath, ask, ending, exit_of, missing, progress, state_word, to_json, who};

/// A request that was verified here, with the policy it was verified under.
pub(super) struct Seen {
    pub(super) view: v1::RequestView,
    pub(super) policy: Policy,
    pub(super) asked: Asked,
}

/// Fetches the request and the policy, and verifies both.
pub(super) fn look(client: &mut Client<'_>, id: RequestId) -> Result<Seen, Failure> {
    let session = client.session()?;
    let view = client.broker()?.request(&session, id)?;
    accept(client, id, view)
}

/// The same, with what was done with its scope before, as far as the user may know.
pub(super) fn look_around(client: &mut Client<'_>, id: RequestId) -> Result<Seen, Failure> {
    let session = client.session()?;
    let view = client.broker()?.request_beside(&session, id)?;
    accept(client, id, view)
}

fn accept(client: &mut Client<'_>, id: RequestId, view: v1::RequestView) -> Result<Seen, Failure> {
    let session = client.session()?;
    let answer = client.broker()?.policy(&session)?;
    let policy = in_force::accept(client.state(), client.trust().log(), &answer)?;
    let asked = Asked::verify(&view, &policy, client.trust().log())?;
    if asked.ask.id != id {
        return Err(crate::asked::Doubt::OtherId.into());
    }
    Ok(Seen { view, policy, asked })
}

impl Seen {
    /// The screen as `viewer` sees it.
    pub(super) fn screen(
        &self,
        viewer: &PrincipalId,
        stage: Option<&breakglass_ledger::policy::Stage>,
    ) -> Result<String, Failure> {
        let zone = TimeZone::system();
        let (asked, policy, now) = (&self.asked, &self.policy, clock::now());
        Ok(Screen { asked, policy, viewer, stage, now, zone: &zone }.render()?)
    }
}

/// One word on stdout, the rest on stderr, and the exit code says it too.
pub(super) fn status(client: &mut Client<'_>, id: RequestId) -> Result<Exit, Failure> {
    let session = client.session_for(id)?;
    let view = client.broker()?.request(&session, id)?;
    client.out.result(state_word(&view), &to_json(&view))?;
    let words = words(&view, clock::now());
    client.out.say(&words);
    let landed = landings(&view, client.out.result_columns());
    if !landed.is_empty() {
        client.out.say(&landed);
    }
    Ok(exit_of(&view))
}

fn words(view: &v1::RequestView, now: Timestamp) -> String {
    let at = Timestamp::from_unix_seconds;
    match view.state() {
        State::Pending => progress(view, now),
        State::Live => format!("serial {}, ends {}", view.serial, told(at(view.expires_at), now)),
        State::Approved => format!("ready to collect; lapses {}", told(at(view.lapses_at), now)),
        State::Ended | State::Closed | State::Unspecified => over(view, now),
    }
}

/// How it ended, and what that leaves to do.
fn over(view: &v1::RequestView, now: Timestamp) -> String {
    let left = aftermath(view, now);
    let and = if left.is_empty() { "" } else { "; " };
    format!("{}{and}{left}", ending(view))
}

/// The verified request as a screen; the result itself, so on stdout.
pub(super) fn show(client: &mut Client<'_>, args: &ShowArgs) -> Result<Exit, Failure> {
    let seen = look(client, args.id)?;
    if let Some(path) = &args.save {
        super::offline::save_case(client, &seen, path)?;
    }
    let viewer = client.by()?;
    let stage = super::approve::stage_for(&seen, &viewer, None).ok();
    let screen = seen.screen(&viewer, stage)?;
    let state =
        format!("  {:<10} {} {}", "state", state_word(&seen.view), over(&seen.view, clock::now()));
    let mut object = to_json(&seen.view);
    if let Some(object) = object.as_object_mut() {
        object.insert("verified".to_owned(), json!(true));
        object.insert("reason".to_owned(), json!(seen.asked.reason));
        object.insert("policy".to_owned(), json!(seen.policy.digest.to_string()));
        object.insert("statement".to_owned(), json!(seen.asked.statement.text()));
    }
    let screen = client.out.screen(&format!("{screen}{}", state.trim_end()));
    client.out.result(&screen, &object)?;
    let landed = landings(&seen.view, client.out.result_columns());
    for told in [clean(&telling(&seen.view)), landed] {
        if !told.is_empty() {
            client.out.say(&told);
        }
    }
    Ok(Exit::Done)
}

/// A table of what waits.
pub(super) fn pending(client: &mut Client<'_>) -> Result<Exit, Failure> {
    let session = client.session()?;
    let views = client.broker()?.pending(&session)?;
    let now = clock::now();
    let mut table =
        Table::new(&["ID", "WHO", "SCOPE", "FOR", "INCIDENT", "ASKED", "MISSING", "LAPSES"]);
    for view in &views {
        let Some(ask) = ask(view) else { continue };
        let ago = now.since(Timestamp::from_unix_seconds(view.asked_at));
        let left = Timestamp::from_unix_seconds(view.lapses_at).since(now);
        table.row(&[
            view.id.clone(),
            who(&ask),
            ask.scope.to_string(),
            duration(ask.ttl.seconds().into()),
            ask.incident.unwrap_or_else(|| "-".to_owned()),
            format!("{} ago", short_duration(ago)),
            missing(view).to_string(),
            format!("in {}", short_duration(left)),
        ]);
    }
    list(client, &table, &views, "nothing is waiting")
}

/// A table of what is alive, and what was revoked and is not so everywhere; or of where lists are in
/// force.
pub(super) fn grants(client: &mut Client<'_>, args: &GrantsArgs) -> Result<Exit, Failure> {
    let session = client.session()?;
    let (answer, now) = (client.broker()?.targets(&session)?, clock::now());
    if args.targets {
        return targets(client, &answer, now);
    }
    let views = client.broker()?.grants(&session)?;
    let mut table = Table::new(&["ID", "WHO", "SCOPE", "SERIAL", "UNTIL"]);
    for view in &views {
        let Some(ask) = ask(view) else { continue };
        table.row(&[
            view.id.clone(),
            who(&ask),
            ask.scope.to_string(),
            view.serial.to_string(),
            told(Timestamp::from_unix_seconds(view.expires_at), now),
        ]);
    }
    let rows: Vec<serde_json::Value> = views.iter().map(to_json).collect();
    let object = json!({ "requests": rows, "unlanded": landing::unlanded_to_json(&answer) });
    put(client, &table, views.is_empty(), &object, "nobody holds a credential")?;
    say_unlanded(client, &answer, now);
    Ok(Exit::Done)
}

fn targets(
    client: &mut Client<'_>,
    answer: &v1::ListTargetsAnswer,
    now: Timestamp,
) -> Result<Exit, Failure> {
    let text = landing::targets(answer, now, client.out.result_columns());
    let object = json!({
        "targets": landing::targets_to_json(answer),
        "unlanded": landing::unlanded_to_json(answer),
    });
    client.out.result(&text, &object)?;
    if answer.targets.is_empty() {
        client.out.say("no host has reported a list");
    }
    say_unlanded(client, answer, now);
    Ok(Exit::Done)
}

fn say_unlanded(client: &mut Client<'_>, answer: &v1::ListTargetsAnswer, now: Timestamp) {
    let text = landing::unlanded(answer, now, client.out.result_columns());
    if !text.is_empty() {
        client.out.say(&text);
    }
}

fn list(
    client: &mut Client<'_>,
    table: &Table,
    views: &[v1::RequestView],
    none: &str,
) -> Result<Exit, Failure> {
    let rows: Vec<serde_json::Value> = views.iter().map(to_json).collect();
    put(client, table, views.is_empty(), &json!({ "requests": rows }), none)
}

/// The table, or that there is nothing in it.
fn put(
    client: &mut Client<'_>,
    table: &Table,
    is_empty: bool,
    object: &serde_json::Value,
    none: &str,
) -> Result<Exit, Failure> {
    let text = if is_empty { String::new() } else { table.render(client.out.result_columns()) };
    client.out.result(&text, object)?;
    if is_empty {
        client.out.say(none);
    }
    Ok(Exit::Done)
}
