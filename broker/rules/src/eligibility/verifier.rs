//! The same question for a verifier, who has the ledger and nothing else.

use std::sync::{Arc, Mutex, PoisonError};

use breakglass_ledger::audit;
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::policy::Policy;

use super::{Action, Question, Rules};

/// Answers a verifier's questions through the Cedar library.
///
/// Keeps the rules of the policy that was asked about last: a ledger's decisions come in the order
/// of its policies.
#[derive(Debug, Default)]
pub struct CedarJudge {
    last: Mutex<Option<(Digest, Arc<Rules>)>>,
}

impl CedarJudge {
    fn rules(&self, policy: &Policy) -> Arc<Rules> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((digest, rules)) = &*last
            && *digest == policy.digest
        {
            return Arc::clone(rules);
        }
        let rules = Arc::new(Rules::of(policy).unwrap_or_else(|_| Rules::unreadable()));
        *last = Some((policy.digest, Arc::clone(&rules)));
        rules
    }
}

impl audit::Eligibility for CedarJudge {
    fn judge(&self, _: &str, policy: &Policy, question: &audit::Question<'_>) -> audit::Answer {
        let action = match question.action {
            audit::Action::Request => Action::Request,
            audit::Action::Approve => Action::Approve,
            audit::Action::Deny => Action::Deny,
            audit::Action::Cancel => Action::Cancel,
            audit::Action::Lock => Action::Lock,
            audit::Action::Declare => Action::Declare,
            audit::Action::Review => Action::Review,
        };
        let (principal, scope) = (question.principal, question.scope);
        let circumstances = question.circumstances;
        self.rules(policy).judge(&Question { principal, action, scope, circumstances })
    }
}
