//! One question to Cedar.

use breakglass_ledger::audit::Answer;
use cedar_policy::{Authorizer, Context, Decision, Request};

use super::compile::uid;
use super::{Action, Compiled, Question, context};

/// What the rules say.
///
/// A rule that fails while it is evaluated is a no, whatever the others say (R26): Cedar would pass
/// it over, and a forbid that is passed over permits.
pub(super) fn answer(compiled: &Compiled, question: &Question<'_>) -> Answer {
    let unreadable = |what: &str| Answer::Unreadable { what: what.to_owned() };
    let names = &compiled.names;
    let Some(pairs) = context::pairs(names, question) else {
        return unreadable("the act lacks what its rules may ask for");
    };
    let Ok(context) = Context::from_pairs(pairs) else {
        return unreadable("the context cannot be made");
    };
    let resource = question
        .scope
        .map_or_else(|| names.ledger.clone(), |scope| uid(&names.scope, scope.as_str()));
    let principal = uid(&names.principal, question.principal.as_str());
    let action = names.action(question.action);
    let Ok(request) = Request::new(principal, action, resource, context, None) else {
        return unreadable("the question cannot be put");
    };
    let response =
        Authorizer::new().is_authorized(&request, &compiled.policies, &compiled.entities);
    if let Some(error) = response.diagnostics().errors().next() {
        return unreadable(&error.to_string());
    }
    let mut rules: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
    rules.sort_unstable();
    match response.decision() {
        Decision::Allow => Answer::Permitted { rules },
        Decision::Deny => Answer::Forbidden { rules },
    }
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 9] = [
        Self::Request,
        Self::Approve,
        Self::Deny,
        Self::Cancel,
        Self::Lock,
        Self::Declare,
        Self::Review,
        Self::Read,
        Self::Export,
    ];

    /// Its name in rules.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Approve => "approve",
            Self::Deny => "deny",
            Self::Cancel => "cancel",
            Self::Lock => "lock",
            Self::Declare => "declare",
            Self::Review => "review",
            Self::Read => "read",
            Self::Export => "export",
        }
    }
}
