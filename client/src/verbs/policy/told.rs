//! `policy explain` of a request that was made: what happened and by which rules, what is missing,
//! and what the policy in force says to it now.

use std::path::Path;

use breakglass_ledger::bundle::ENTRIES;
use breakglass_ledger::entry::Entry;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::Lane;
use breakglass_ledger::time::Timestamp;
use breakglass_rules::{Closed, Ended, Live, LockRefusal, Pending, Refusal, Request, drain_due};
use serde_json::{Value, json};

use super::super::{look, told};
use super::around::{Around, around};
use crate::audit::{BundleDir, next_line, show};
use crate::client::Client;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::in_force;
use crate::output::{Output, duration};
use crate::policy::explain::{
    Lines, StageSheet, named, reason_of, refusal_json, stage_json, stage_lines, stages,
};
use crate::policy::hearing::{Hearing, Said};
use crate::policy::obstacle::obstacles;
use crate::policy::past::{Gathering, Past};
use crate::policy::question::{Action, Question, Terms};

/// Whether `path` is an export and no policy.
pub(super) fn is_export(path: &Path) -> bool {
    path.join(ENTRIES).is_file()
}

/// Explains a request as the broker shows it, once it has been verified here.
pub(super) fn of_broker(client: &mut Client<'_>, id: RequestId) -> Result<Exit, Failure> {
    let seen = look::look_around(client, id)?;
    let around = around(client, &seen.policy, &seen.view)?;
    let entries = seen.view.entries.iter().map(|bytes| Entry::parse(bytes));
    let entries: Vec<Entry> = entries.collect::<Result<_, _>>().map_err(|error| {
        Failure::new(Exit::Malformed, error.to_string(), "nothing can be said about it", "")
    })?;
    let made_under = entries.first().and_then(|entry| entry.body.decision());
    let made_under = made_under.map(|decision| decision.policy);
    let earlier = match made_under.filter(|digest| *digest != seen.policy.digest) {
        Some(digest) => in_force::kept(client.state(), client.trust().log(), digest)?,
        None => None,
    };
    let log = client.trust().log().clone();
    let past = Past { log, entries, in_force: seen.policy, earlier };
    tell(&past, &around, clock::now(), client.out)
}

/// Explains a request as an export has it.
pub(super) fn of_export(
    dir: &Path,
    request: Option<RequestId>,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let bundle = BundleDir::open(dir)?;
    let mut gathering = Gathering::of(request);
    let (mut entries, mut line) = (bundle.entries()?, Vec::new());
    while next_line(&mut entries, &mut line)? {
        gathering.add(&line)?;
    }
    let past = gathering.finish(&|digest| bundle.blob(digest))?;
    out.say("read from the export as it is; `breakglass audit verify` says whether it is genuine");
    // What is missing is told as of the newest entry: the export ends there.
    let last = past.entries.last().map_or_else(clock::now, |entry| entry.time.second());
    tell(&past, &Around::unknown(), last, out)
}

fn tell(past: &Past, around: &Around, now: Timestamp, out: &mut Output) -> Result<Exit, Failure> {
    let request = past.request()?;
    let asked = request.asked();
    let then = past.policy(asked.policy);
    let mut hearing = Hearing::about(&past.in_force, then, past.log.clone())?;
    if let Some(beyond) = &around.beyond {
        hearing = hearing.knowing(beyond.clone());
    }
    let mut lines = Lines::default();
    let title = past.in_force.scope(&asked.ask.scope).map(|scope| scope.title.clone());
    let title = title.map(|title| format!(" ({title})")).unwrap_or_default();
    let state = request.state();
    lines.line("request", &asked.ask.id.to_string());
    lines.line("asks", &format!("{} for {}{title}", asked.ask.by, asked.ask.scope));
    lines.line("terms", &format!("lane {}, {} s", asked.ask.lane, asked.ask.ttl));
    lines.line("asked", &told(asked.at, clock::now()));
    let history = history(past, &request, &mut lines);
    if then.is_none() {
        lines.line("policy", "made under an earlier policy, which is not at hand here");
    }
    // Where nobody says whether the outage goes on, a lane that was open is told as open.
    let outage = (asked.ask.lane == Lane::Outage).then(|| now.since(asked.at));
    let terms = Terms { lane: asked.ask.lane, at: now, outage, ..Terms::ORDINARY };
    let mut way = Vec::new();
    let (sheets, exit) = match &request {
        Request::Pending(pending) => {
            way = in_the_way(&hearing, pending, around, &terms, &mut lines)?;
            waiting(&hearing, pending, &terms, &mut lines)?
        }
        Request::Live(live) => (Vec::new(), alive(&hearing, live, around, &terms, &mut lines)),
        Request::Ended(Ended { outcome, .. }) | Request::Closed(Closed { outcome, .. }) => {
            lines.line("state", &format!("{}; nothing more can be granted", outcome.name()));
            (Vec::new(), Exit::Lapsed)
        }
    };
    let is_over = matches!(request, Request::Ended(_) | Request::Closed(_));
    let unseen = if is_over { &[][..] } else { around.unseen.as_slice() };
    for unseen in unseen {
        lines.line("unseen", &format!("not visible to you: {unseen}"));
    }
    let text = out.screen(lines.text().trim_end());
    let stages: Vec<Value> = sheets.iter().map(stage_json).collect();
    out.result(
        &text,
        &json!({
            "id": asked.ask.id.to_string(), "who": asked.ask.by, "scope": asked.ask.scope,
            "state": state, "history": history, "stages": stages,
            "in_the_way": way.iter().map(refusal_json).collect::<Vec<_>>(), "not_visible": unseen,
        }),
    )?;
    Ok(exit)
}

/// What was recorded, by whom, and by which rules.
fn history(past: &Past, request: &Request, lines: &mut Lines) -> Vec<Value> {
    let mut history = Vec::new();
    for entry in &past.entries {
        let who = show::who(&entry.body);
        let decision = entry.body.decision();
        let rules = decision.map(|decision| decision.rules.clone()).unwrap_or_default();
        let policy = decision.and_then(|decision| past.policy(decision.policy));
        let what = show::what(&entry.body);
        let mut text = format!("entry {}, {}", entry.seq, who);
        if !what.is_empty() {
            text = format!("{text}: {what}");
        }
        for id in &rules {
            let why = match (policy, who.parse::<PrincipalId>()) {
                (Some(policy), Ok(who)) => reason_of(policy, &question(request, who), id),
                (_, _) => String::new(),
            };
            let why = if why.is_empty() { id.clone() } else { format!("{id}: {why}") };
            text = format!("{text}\nby {why}");
        }
        lines.line(entry.body.type_name(), &text);
        history.push(json!({
            "seq": entry.seq, "time": entry.time.to_string(), "type": entry.body.type_name(),
            "who": who, "what": what, "rules": rules,
        }));
    }
    history
}

/// The request as a question of `who`, to put a rule's id in words.
fn question(request: &Request, who: PrincipalId) -> Question {
    let ask = &request.asked().ask;
    let terms = Terms { requester: Some(ask.by.clone()), ..Terms::ORDINARY };
    Question { who, action: Action::Approve, scope: ask.scope.clone(), terms }
}

/// What refuses it now besides missing approvals, as far as that is known.
fn in_the_way(
    hearing: &Hearing<'_>,
    pending: &Pending,
    around: &Around,
    terms: &Terms,
    lines: &mut Lines,
) -> Result<Vec<Refusal>, Failure> {
    let Some(beyond) = &around.beyond else { return Ok(Vec::new()) };
    if terms.at >= pending.asked.lapses {
        return Ok(Vec::new());
    }
    let way = obstacles(hearing, &pending.asked, beyond, terms)?;
    for refusal in &way {
        lines.line("in the way", &named(refusal));
        if let Refusal::Lock(LockRefusal::Locked { seq, .. }) = refusal
            && let Some(lock) = around.locks.iter().find(|lock| lock.seq == *seq)
        {
            lines.line("", &format!("locked by {}: {}", lock.by, lock.message));
        }
    }
    Ok(way)
}

fn waiting(
    hearing: &Hearing<'_>,
    pending: &Pending,
    terms: &Terms,
    lines: &mut Lines,
) -> Result<(Vec<StageSheet>, Exit), Failure> {
    let asked = &pending.asked;
    let Some(scope) = hearing.policy().scope(&asked.ask.scope) else {
        lines.line("state", "the policy in force has no such scope; it cannot be collected");
        return Ok((Vec::new(), Exit::Refused));
    };
    if terms.at >= asked.lapses {
        lines.line("state", "lapsed: nobody collected it in time");
        return Ok((Vec::new(), Exit::Lapsed));
    }
    let sheets = stages(hearing, scope, pending, terms)?;
    stage_lines(hearing.policy(), scope, &sheets, lines);
    let exit = match hearing.collect(pending, terms)? {
        Said::Yes(_) => {
            lines.line("now", &format!("nothing is missing: {} can collect", asked.ask.by));
            Exit::Done
        }
        Said::No(refusal) | Said::Before { refusal, .. } => {
            lines.line("now", &refusal.to_string());
            if refusal.name() == "not-approved-yet" { Exit::Pending } else { Exit::Refused }
        }
        Said::Hidden(_) => Exit::Refused,
    };
    let left = duration(asked.lapses.since(terms.at));
    lines.line("silence", &format!("lapses in {left} unless it is collected"));
    Ok((sheets, exit))
}

fn alive(
    hearing: &Hearing<'_>,
    live: &Live,
    around: &Around,
    terms: &Terms,
    lines: &mut Lines,
) -> Exit {
    if terms.at >= live.ends() {
        lines.line("state", "its credential has expired");
        return Exit::Lapsed;
    }
    let left = duration(live.ends().since(terms.at));
    lines.line("state", &format!("live: serial {}, {left} left", live.issued.serial));
    let (policy, ask) = (hearing.policy(), &live.asked.ask);
    let world = around.beyond.as_ref().map(|beyond| &beyond.world);
    if let Some(due) = world.and_then(|world| drain_due(policy, world, ask, terms.at)) {
        lines.line("outage", &format!("over: it is revoked {}", told(due, terms.at)));
    }
    match hearing.rejudge(live.clone(), terms) {
        Said::Yes(yes) => {
            lines.line("policy", &format!("no longer allows it: {}", yes.rules.join(", ")));
        }
        Said::No(refusal) | Said::Before { refusal, .. } => {
            lines.line("policy", &refusal.to_string());
        }
        Said::Hidden(_) => {}
    }
    Exit::Done
}
