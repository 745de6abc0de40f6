//! The rules of Cedar that some laws have: as text for the house, as a table for the eye.

/// By number; what [`judge`] says is what they mean.
pub(crate) const TEXTS: [&[&str]; 3] =
    [&["// None.\n"], &[COMMON, NOT_BOB], &[COMMON, ONE_AT_A_TIME, NOT_DEEP]];

const COMMON: &str = r#"
@id("ask")
permit (principal, action == Action::"request", resource)
when { principal in resource.requesters && context.ttl <= 1800 };

@id("people")
permit (
    principal,
    action in [Action::"approve", Action::"deny", Action::"cancel", Action::"review"],
    resource
);

@id("guards")
permit (principal in Group::"security", action in [Action::"lock", Action::"declare"], resource);

@id("look")
permit (principal, action in [Action::"read", Action::"export"], resource);
"#;

const NOT_BOB: &str = r#"
@id("not-bob")
forbid (principal == Principal::"bob", action == Action::"approve", resource);
"#;

const ONE_AT_A_TIME: &str = r#"
@id("one-at-a-time")
forbid (principal, action == Action::"request", resource) when { context.live >= 1 };
"#;

const NOT_DEEP: &str = r#"
@id("not-deep")
forbid (principal, action == Action::"request", resource) when { context.depth >= 2 };
"#;

/// What the rules are asked.
#[derive(Clone, Copy, Default)]
pub(crate) struct Question<'a> {
    pub(crate) action: &'a str,
    pub(crate) who: &'a str,
    pub(crate) group: &'a str,
    pub(crate) requester: bool,
    pub(crate) ttl: u64,
    pub(crate) live: usize,
    pub(crate) depth: usize,
}

/// Whether they permit it, and which of them say so.
pub(crate) fn judge(rules: usize, asked: Question<'_>) -> (bool, Vec<&'static str>) {
    let is = |action: &str| asked.action == action;
    let ends = ["approve", "deny", "cancel", "review"].contains(&asked.action);
    let forbids = [
        ("not-bob", rules == 1 && asked.who == "bob" && is("approve")),
        ("one-at-a-time", rules == 2 && is("request") && asked.live >= 1),
        ("not-deep", rules == 2 && is("request") && asked.depth >= 2),
    ];
    let permits = [
        ("ask", is("request") && asked.requester && asked.ttl <= 1800),
        ("people", ends),
        ("guards", asked.group == "security" && (is("lock") || is("declare"))),
    ];
    let say = |those: &[(&'static str, bool)]| -> Vec<&'static str> {
        those.iter().filter(|(_, says)| *says).map(|(id, _)| *id).collect()
    };
    let (forbidding, permitting) = (say(&forbids), say(&permits));
    if rules == 0 {
        (true, Vec::new())
    } else if forbidding.is_empty() {
        (!permitting.is_empty(), permitting)
    } else {
        (false, forbidding)
    }
}
