//! Who may read: no act, so the rules are asked by themselves, beside the lists of the scopes.

use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::Ask;
use breakglass_ledger::time::Timestamp;
use breakglass_rules::World;
use breakglass_rules::eligibility::{concerns, exports, may_read, read};

use super::{Hearing, Said, Yes};
use crate::policy::question::{Question, Terms};

impl Hearing<'_> {
    /// Whether the rules let `who` read the request of `question`, made by `requester`. Whom the
    /// scope's data lets read is for the asker to judge as well.
    #[must_use]
    pub fn may_read(
        &self,
        who: &PrincipalId,
        requester: &PrincipalId,
        question: &Question,
    ) -> bool {
        let (ask, at) = (self.wish(requester, question), question.terms.at);
        let world = self.beyond(&question.terms, &ask).world;
        may_read(&self.rules, self.policy, &world, at, who, Some(&ask))
    }

    /// Whether `who` may read the request that asks `ask`.
    pub(super) fn reading(&self, who: &PrincipalId, ask: &Ask, terms: &Terms) -> Said {
        if !concerns(self.policy, who, &ask.by, &ask.scope) {
            return Said::Hidden("neither the requester nor an approver or owner of the scope");
        }
        self.look(&self.beyond(terms, ask).world, terms.at, who, Some(ask))
    }

    /// Whether `who` may export the whole record.
    pub(super) fn exporting(&self, who: &PrincipalId, at: Timestamp) -> Said {
        if !exports(self.policy, who) {
            return Said::Hidden("only people export the whole record");
        }
        self.look(&World::default(), at, who, None)
    }

    fn look(&self, world: &World, at: Timestamp, who: &PrincipalId, ask: Option<&Ask>) -> Said {
        match read(&self.rules, self.policy, world, at, who, ask) {
            Ok(rules) => Said::Yes(Yes { rules, missing: None }),
            Err(refusal) => Said::No(refusal),
        }
    }
}
