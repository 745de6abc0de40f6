//! The fields of a scope in words, so that two can be laid side by side.

use breakglass_ledger::policy::{Approval, Members, Scope, Stage};

use crate::output::duration;

/// The fields that differ, each before and after.
pub(super) fn limits(old: &Scope, new: &Scope) -> Vec<(&'static str, String, String)> {
    let pairs = fields(old).into_iter().zip(fields(new));
    let differing = pairs.filter(|((_, old), (_, new))| old != new);
    differing.map(|((name, old), (_, new))| (name, old, new)).collect()
}

fn fields(scope: &Scope) -> Vec<(&'static str, String)> {
    let ssh = scope.ssh.as_ref();
    let list = |of: Option<&Vec<String>>| of.map_or_else(String::new, |of| of.join(", "));
    let lanes: Vec<&str> = scope.lanes.iter().map(|lane| lane.name()).collect();
    let kinds: Vec<String> = scope.kinds.iter().map(ToString::to_string).collect();
    let budget = scope.budget.as_ref();
    let budget =
        budget.map(|budget| format!("{} in {}", length(budget.time), length(budget.window)));
    let emergency = scope.emergency.as_ref().map(|lane| {
        let (after, delay) = (length(lane.after), length(lane.delay));
        format!("after {after}, {} at most, {delay} delay", length(lane.ttl_max.seconds()))
    });
    let hosts = ssh.map(|ssh| ssh.hosts.iter().map(ToString::to_string).collect::<Vec<_>>());
    let all = vec![
        ("title", scope.title.clone()),
        ("sensitivity", format!("{:?}", scope.sensitivity).to_lowercase()),
        ("ttl-max", length(scope.ttl_max.seconds())),
        ("pending-max", length(scope.pending_max)),
        ("live-max", scope.live_max.to_string()),
        ("kinds", kinds.join(", ")),
        ("lanes", lanes.join(", ")),
        ("incident", scope.require_incident.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("reason", if scope.require_reason { "required" } else { "optional" }.to_owned()),
        ("stages", approval(&scope.approval)),
        ("cooldown", scope.cooldown.map(length).unwrap_or_default()),
        ("budget", budget.unwrap_or_default()),
        ("outage", scope.outage.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("ends-with-outage", flag(scope.ends_with_outage)),
        ("grace", if scope.grace > 0 { length(scope.grace) } else { String::new() }),
        ("review-within", scope.review_within.map(length).unwrap_or_default()),
        ("review-gate", flag(scope.review_gate)),
        ("emergency", emergency.unwrap_or_default()),
        ("ssh principals", list(ssh.map(|ssh| &ssh.principals))),
        ("ssh from", list(ssh.map(|ssh| &ssh.source_address))),
        ("ssh command", ssh.and_then(|ssh| ssh.force_command.clone()).unwrap_or_default()),
        ("ssh extensions", list(ssh.map(|ssh| &ssh.extensions))),
        ("ssh hosts", list(hosts.as_ref())),
    ];
    let shown = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    all.into_iter().map(|(name, text)| (name, shown(text))).collect()
}

fn approval(approval: &Approval) -> String {
    match approval {
        Approval::None => "nobody".to_owned(),
        Approval::Stages(stages) => stages.iter().map(stage).collect::<Vec<_>>().join(" and "),
    }
}

fn stage(stage: &Stage) -> String {
    let text = format!("{} of {}", stage.quorum, stage.name);
    match stage.within {
        Some(within) => {
            let to: Vec<String> = stage.escalate.iter().map(Members::to_string).collect();
            format!("{text} (after {} also {})", length(within), to.join(", "))
        }
        None => text,
    }
}

fn flag(is_so: bool) -> String {
    if is_so { "yes".to_owned() } else { String::new() }
}

fn length(seconds: u32) -> String {
    duration(u64::from(seconds))
}
