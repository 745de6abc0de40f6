//! A rule's id in words: which line of the policy it is, for the case at hand.

use breakglass_ledger::policy::{Members, Policy, Scope};
use breakglass_ledger::principal::PrincipalId;

use crate::policy::question::Question;

/// Why the rule `id` determined the answer to `question`, in a line; the text of the rule itself
/// if it is one of `rules.cedar`.
#[must_use]
pub fn reason_of(policy: &Policy, question: &Question, id: &str) -> String {
    let who = &question.who;
    let scope = policy.scope(&question.scope);
    let requester = question.terms.requester.as_ref().unwrap_or(who);
    if let Some(rule) = id.strip_prefix("cedar:") {
        return text_of(&policy.rules, rule).unwrap_or_default();
    }
    if let Some(stage) = id.strip_prefix("stage:") {
        let stage = scope
            .and_then(|scope| scope.stages().iter().find(|known| known.name.as_str() == stage));
        let by = stage.and_then(|stage| by(policy, who, stage.approvers.iter()));
        return match (by, stage) {
            (Some(by), Some(stage)) if *who != *requester => {
                format!("{who} is {by}, whose yes counts in {}", stage.name)
            }
            (_, Some(stage)) => format!("{} of {} have agreed", stage.quorum, stage.name),
            (_, None) => String::new(),
        };
    }
    match id {
        "requesters" => {
            let by = scope.and_then(|scope| by(policy, requester, scope.requesters.iter()));
            by.map_or_else(String::new, |by| format!("{requester} is {by}, which may ask"))
        }
        "approval:none" => "the scope says in so many words that nobody has to agree".to_owned(),
        "approver" => {
            let by = scope.and_then(|scope| by(policy, who, approvers(scope)));
            by.map_or_else(String::new, |by| format!("{who} is {by}, which approves for it"))
        }
        "owner" => {
            let by = scope.and_then(|scope| by(policy, who, scope.owned_by()));
            by.map_or_else(String::new, |by| format!("{who} is {by}, which owns it"))
        }
        "requester" => format!("{who} made the request"),
        _ => String::new(),
    }
}

fn approvers(scope: &Scope) -> impl Iterator<Item = &Members> {
    scope.stages().iter().flat_map(|stage| &stage.approvers)
}

/// As what `who` is among `of`: `in group:dba`, or by name.
fn by<'m>(
    policy: &Policy,
    who: &PrincipalId,
    mut of: impl Iterator<Item = &'m Members>,
) -> Option<String> {
    let members = of.find(|members| policy.is_member(who, members))?;
    Some(match members {
        Members::Group(_) => format!("in {members}"),
        Members::Principal(_) => members.to_string(),
    })
}

/// The ids of the rules in `text` that `words` names.
#[must_use]
pub fn rules_named_in<'t>(text: &'t str, words: &str) -> Vec<&'t str> {
    let is_named = |id: &str| {
        words
            .split(|c: char| !(c.is_alphanumeric() || "-_.:".contains(c)))
            .any(|word| word.trim_start_matches("cedar:").trim_end_matches([':', '.']) == id)
    };
    ids(text).filter(|id| is_named(id)).collect()
}

/// The `@id`s of `text`, in its order.
pub(crate) fn ids(text: &str) -> impl Iterator<Item = &str> {
    text.split(ID).skip(1).filter_map(|rest| rest.split('"').next())
}

/// The rule with this `@id`, from there to its semicolon.
pub(crate) fn text_of(text: &str, id: &str) -> Option<String> {
    let mut from = text.find(&format!("{ID}{id}\""))?;
    let rest = text.get(from..)?;
    from = rest.find(';')?;
    rest.get(..=from).map(str::to_owned)
}

/// How a rule begins that has a name.
const ID: &str = "@id(\"";

/// Some incident number that `pattern` matches: the pattern's first choice at every place. Its
/// syntax is that of [`breakglass_ledger::policy::IncidentPattern`].
pub(crate) fn example(pattern: &str) -> String {
    let (mut made, mut rest) = (String::new(), pattern.chars().peekable());
    while let Some(c) = rest.next() {
        let piece = match c {
            '\\' => rest.next(),
            '.' => Some('0'),
            '[' => {
                let first = rest.next();
                while rest.next_if(|c| *c != ']').is_some() {}
                rest.next();
                first
            }
            c => Some(c),
        };
        match rest.peek() {
            Some('?' | '*') => {
                rest.next();
            }
            Some('+') => {
                rest.next();
                made.extend(piece);
            }
            Some(_) | None => made.extend(piece),
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use breakglass_ledger::policy::IncidentPattern;

    use super::*;

    #[test]
    fn an_example_of_an_incident_number_is_one() {
        for pattern in ["INC-[0-9]+", "[A-Z]+-?[0-9]*", r"CASE\.[0-9][0-9]", "x.y*z?"] {
            let parsed: IncidentPattern = pattern.parse().unwrap();
            let example = example(pattern);
            assert!(parsed.matches(&example), "{pattern}: {example}");
        }
    }

    const RULES: &str = "@id(\"a\")\npermit (principal, action, resource);\n\n\
                         @id(\"a-b\")\nforbid (principal, action, resource)\nwhen { true };\n";

    #[test]
    fn a_rule_is_found_by_its_whole_id() {
        assert_eq!(ids(RULES).collect::<Vec<_>>(), ["a", "a-b"]);
        let text = text_of(RULES, "a-b").unwrap();
        assert!(text.starts_with("@id(\"a-b\")") && text.ends_with("when { true };"), "{text}");
        assert_eq!(text_of(RULES, "b"), None);
        assert_eq!(rules_named_in(RULES, "forbidden by cedar:a-b: ask"), ["a-b"]);
        assert_eq!(rules_named_in(RULES, "by b-a"), Vec::<&str>::new());
    }
}
