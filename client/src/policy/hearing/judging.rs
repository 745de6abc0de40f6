//! The question as the rules hear it.

use breakglass_ledger::key::PublicKey;
use breakglass_ledger::policy::MINTED;
use breakglass_ledger::statement::{Act, Statement};
use breakglass_ledger::time::Timestamp;
use breakglass_rules::{
    Asked, Command, Event, Facts, Landing, Live, Request, SeenVerdict, Verdict, decide,
};

use super::{Beyond, Hearing, Said, Yes};
use crate::failure::Failure;
use crate::policy::question::Terms;

impl Hearing<'_> {
    /// What the rules say to the request `asked`, were it made `at` this time, if what is true
    /// besides were `beyond`.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot be written as a statement.
    pub fn again(&self, asked: &Asked, beyond: &Beyond, at: Timestamp) -> Result<Said, Failure> {
        let statement = self.statement(Act::Request(asked.ask.clone()), at)?;
        let by = self.policy.principal(&asked.ask.by);
        let with = by.and_then(|by| by.keys.iter().find(|key| key.fingerprint() == asked.key));
        let key = with.unwrap_or_else(|| self.key_of(&asked.ask.by));
        Ok(self.judge_in(beyond, at, None, &statement, key))
    }

    /// The rules' word on `statement`, on `terms`' occasion.
    pub(super) fn judge(
        &self,
        terms: &Terms,
        request: Option<&Request>,
        statement: &Statement,
        key: &PublicKey,
    ) -> Said {
        let ask = match (statement.act(), request) {
            (Act::Request(ask), _) => Some(ask),
            (_, request) => request.map(|request| &request.asked().ask),
        };
        let beyond = ask.map(|ask| self.beyond(terms, ask)).unwrap_or_default();
        self.judge_in(&beyond, terms.at, request, statement, key)
    }

    /// The one place where the rules are asked: what is true besides is `beyond`.
    pub(super) fn judge_in(
        &self,
        beyond: &Beyond,
        at: Timestamp,
        request: Option<&Request>,
        statement: &Statement,
        key: &PublicKey,
    ) -> Said {
        let facts = self.facts(at, beyond, request);
        match decide(&facts, &Command::Statement { statement, key, user_verified: true }) {
            Ok(verdict) => Said::Yes(grounds(verdict)),
            Err(refusal) => Said::No(refusal),
        }
    }

    fn facts<'a>(
        &'a self,
        at: Timestamp,
        beyond: &'a Beyond,
        request: Option<&'a Request>,
    ) -> Facts<'a> {
        Facts {
            now: at,
            head_time: at,
            log: &self.log,
            policy: self.policy,
            rules: &self.rules,
            policy_at_request: self.then,
            world: &beyond.world,
            request,
            live_in_scope: beyond.live,
            open_duplicate: None,
            id_taken: false,
            subject_used: false,
            recorded: None,
            seen_ok: SeenVerdict::Ours,
            history: &beyond.history,
            landing: &Landing::NONE,
            can_revoke: true,
            mints: MINTED,
        }
    }

    /// What the rules say to a live grant going on, now that the policy is this one.
    #[must_use]
    pub fn rejudge(&self, grant: Live, terms: &Terms) -> Said {
        let beyond = self.beyond(terms, &grant.asked.ask);
        let request = Request::Live(grant);
        match decide(&self.facts(terms.at, &beyond, Some(&request)), &Command::Rejudge) {
            Ok(Verdict::Record(_, decision) | Verdict::Change(_, decision)) => {
                Said::Yes(Yes { rules: decision.rules, missing: None })
            }
            Ok(Verdict::Sign(_) | Verdict::Again { .. }) => {
                Said::Yes(Yes { rules: Vec::new(), missing: None })
            }
            Err(refusal) => Said::No(refusal),
        }
    }
}

fn grounds(verdict: Verdict) -> Yes {
    match verdict {
        Verdict::Record(Event::Approved { missing, .. }, decision) => {
            Yes { rules: decision.rules, missing: Some(missing) }
        }
        Verdict::Record(_, decision) | Verdict::Change(_, decision) => {
            Yes { rules: decision.rules, missing: None }
        }
        Verdict::Sign(clearance) => {
            Yes { rules: clearance.decision().rules.clone(), missing: Some(0) }
        }
        Verdict::Again { .. } => Yes { rules: Vec::new(), missing: None },
    }
}
