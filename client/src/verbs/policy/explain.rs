//! `policy explain`: a question about a policy, or about a request that was really made.

use std::path::Path;

use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::Policy;
use jiff::tz::TimeZone;

use crate::cli::{Cli, ExplainArgs};
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::policy::explain::explain;
use crate::policy::folder;
use crate::policy::hearing::{Hearing, Said};
use crate::policy::question::{Question, Terms, at};

pub(super) fn explain_verb(
    cli: &Cli,
    arguments: &ExplainArgs,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let what = &arguments.what;
    if let Some(id) = what.to_str().and_then(|text| text.parse::<RequestId>().ok()) {
        return super::told::of_broker(&mut super::client(cli, out)?, id);
    }
    if super::told::is_export(what) {
        return super::told::of_export(what, arguments.request, out);
    }
    let policy = folder::policy(folder_of(what))?;
    let question = question(arguments, &policy)?;
    let explanation = explain(&Hearing::of(&policy)?, &question)?;
    let text = explanation.render(&policy, &TimeZone::system());
    let text = out.screen(text.trim_end());
    out.result(&text, &explanation.to_json(&policy))?;
    Ok(match explanation.said {
        Said::Yes(_) => Exit::Done,
        Said::No(_) | Said::Before { .. } | Said::Hidden(_) => Exit::Refused,
    })
}

/// One of the policy's files stands for all of them.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if path.is_file() && parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) if path.is_file() => parent,
        Some(_) | None => path,
    }
}

fn question(arguments: &ExplainArgs, policy: &Policy) -> Result<Question, Failure> {
    let missing = |flag: &str| {
        let what = format!("{flag} is missing");
        Failure::usage(what, "a question about a policy names --who and --scope")
    };
    let who = arguments.who.clone().ok_or_else(|| missing("--who"))?;
    let scope = arguments.scope.clone().ok_or_else(|| missing("--scope"))?;
    let people = [Some(&who), arguments.requester.as_ref()].into_iter().flatten();
    let approvers = arguments.approved.iter().map(|(_, approver)| approver);
    for id in people.chain(&arguments.on_behalf_of).chain(approvers) {
        if policy.principal(id).is_none() {
            return Err(Failure::usage(format!("{id} is not in people.toml"), "correct the name"));
        }
    }
    let at = match (&arguments.at, &arguments.weekday, arguments.hour) {
        (Some(at), _, _) => *at,
        (None, None, None) => clock::now(),
        (None, weekday, hour) => at(weekday.as_deref(), hour)
            .map_err(|what| Failure::usage(what, "correct it and try again"))?,
    };
    let mut approvals = Terms::ORDINARY.approvals;
    for (stage, approver) in &arguments.approved {
        approvals.entry(stage.clone()).or_default().push(approver.clone());
    }
    let terms = Terms {
        requester: arguments.requester.clone(),
        stage: arguments.stage.clone(),
        lane: arguments.lane,
        ttl: arguments.ttl,
        incident: arguments.incident.clone(),
        has_reason: !arguments.no_reason,
        on_behalf_of: arguments.on_behalf_of.clone(),
        at,
        waited: arguments.waited.map_or(0, |waited| waited.as_secs()),
        approvals,
        live: arguments.live,
        outage: arguments.outage.map(|outage| outage.as_secs()),
        unanswered: arguments.unanswered.map(|waits| waits.as_secs()),
        is_unreviewed: arguments.unreviewed,
        ..Terms::ORDINARY
    };
    Ok(Question { who, action: arguments.action, scope, terms })
}
