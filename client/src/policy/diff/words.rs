//! A difference for people and for programs.

use serde_json::{Value, json};

use super::{Change, Difference, ScopeChange, Standing};
use crate::output::short_duration;
use crate::policy::explain::names;

impl Difference {
    /// The difference as text, and what would become of `grants`.
    #[must_use]
    pub fn render(&self, grants: Option<&[Standing]>, now: u64) -> String {
        let mut lines = Vec::new();
        for scope in &self.scopes {
            scope_lines(scope, &mut lines);
        }
        if !self.people.is_empty() {
            lines.push(format!("people: {}", change(&self.people)));
        }
        if !self.altered.is_empty() {
            let who = names(&self.altered);
            lines.push(format!("people: other keys, kind, team or groups: {who}"));
        }
        if !self.signers.is_empty() {
            lines.push(format!("authority: {}", change(&self.signers)));
        }
        if let Some((old, new)) = self.quorum {
            lines.push(format!("authority: quorum {old} -> {new}"));
        }
        let rules = &self.rules;
        for (word, ids) in
            [("new", &rules.added), ("gone", &rules.removed), ("changed", &rules.changed)]
        {
            if !ids.is_empty() {
                lines.push(format!("rules.cedar: {word}: {}", ids.join(", ")));
            }
        }
        if let Some(grants) = grants {
            grant_lines(grants, now, &mut lines);
        }
        lines.join("\n")
    }

    /// The difference for programs.
    #[must_use]
    pub fn to_json(&self, grants: Option<&[Standing]>) -> Value {
        let scopes = self.scopes.iter().map(|scope| {
            let rights = scope.rights.iter().map(|(right, change)| {
                json!({ "right": right, "gains": change.gains, "loses": change.loses })
            });
            let limits = scope.limits.iter();
            let limits = limits
                .map(|(field, old, new)| json!({ "field": field, "before": old, "after": new }));
            json!({
                "scope": scope.id, "is_new": scope.is_new, "is_gone": scope.is_gone,
                "rights": rights.collect::<Vec<_>>(), "limits": limits.collect::<Vec<_>>(),
            })
        });
        let both = |change: &Change| json!({ "gains": change.gains, "loses": change.loses });
        let grants = grants.map(|grants| grants.iter().map(grant_json).collect::<Vec<_>>());
        json!({
            "scopes": scopes.collect::<Vec<_>>(), "people": both(&self.people),
            "altered": self.altered, "signers": both(&self.signers),
            "quorum": self.quorum.map(|(old, new)| json!({ "before": old, "after": new })),
            "rules": {
                "added": self.rules.added, "removed": self.rules.removed,
                "changed": self.rules.changed,
            },
            "grants": grants,
        })
    }
}

fn scope_lines(scope: &ScopeChange, lines: &mut Vec<String>) {
    lines.push(match (scope.is_new, scope.is_gone) {
        (true, _) => format!("{} (new)", scope.id),
        (_, true) => format!("{} (gone)", scope.id),
        (false, false) => scope.id.to_string(),
    });
    let labels = scope.rights.iter().map(|(right, _)| right.as_str());
    let labels = labels.chain(scope.limits.iter().map(|(field, _, _)| *field));
    let width = labels.map(|label| label.chars().count()).max().unwrap_or(0);
    for (right, changed) in &scope.rights {
        lines.push(format!("  {right:<width$}  {}", change(changed)));
    }
    for (field, old, new) in &scope.limits {
        lines.push(format!("  {field:<width$}  {old} -> {new}"));
    }
}

fn change(change: &Change) -> String {
    let part = |word: &str, who: &[_]| (!who.is_empty()).then(|| format!("{word} {}", names(who)));
    let parts = [part("gains", &change.gains), part("loses", &change.loses)];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn grant_lines(grants: &[Standing], now: u64, lines: &mut Vec<String>) {
    let ending: Vec<&Standing> = grants.iter().filter(|one| one.ends.is_some()).collect();
    lines.push(match (grants.len(), ending.len()) {
        (0, _) => "live grants: there are none".to_owned(),
        (all, 0) => format!("live grants: all {all} go on"),
        (all, ends) => format!("live grants: {ends} of {all} would end at once"),
    });
    for Standing { grant, ends } in ending {
        let left = short_duration(grant.expires_at.saturating_sub(now));
        let why = ends.as_deref().unwrap_or_default();
        lines.push(format!("  {}  {} {}, {left} left: {why}", grant.id, grant.who, grant.scope));
    }
}

fn grant_json(standing: &Standing) -> Value {
    let Standing { grant, ends } = standing;
    json!({
        "id": grant.id.to_string(), "who": grant.who, "scope": grant.scope,
        "serial": grant.serial, "ends": ends.is_some(), "rule": ends,
    })
}
