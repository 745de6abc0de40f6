//! Puts an [`Aside`] to the broker's rules.

use breakglass_ledger::statement::{Act, Declare, Lock, Resolve, Unlock};
use breakglass_rules::{Declared, Outage, Request};

use super::supposed::{live, lock_on};
use super::{Beyond, Hearing, Said};
use crate::failure::Failure;
use crate::policy::aside::{Aside, Deed};
use crate::policy::question::Action;

impl Hearing<'_> {
    /// What the rules say to `aside`.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot be written as a statement.
    pub fn ask_aside(&self, aside: &Aside) -> Result<Said, Failure> {
        let (who, at) = (&aside.who, aside.at);
        let mut request = None;
        if let Some(question) = &aside.grant {
            if let Said::No(refusal) = self.request(&question.who, question, at)? {
                let (who, action) = (question.who.clone(), Action::Request);
                return Ok(Said::Before { who, action, refusal });
            }
            let pending = self.pending(&question.who, question, at)?;
            request = Some(Request::Live(live(pending, at)));
        }
        let mut beyond = self.around(aside);
        let act = match &aside.deed {
            Deed::Export => return Ok(self.exporting(who, at)),
            Deed::Lock(target) => {
                let (by, target) = (who.clone(), target.clone());
                Act::Lock(Lock { by, target, until: None, comment: None })
            }
            Deed::Unlock(target) => {
                let lock = lock_on(target, who);
                let statement = lock.statement;
                beyond.world.locks.insert(statement, lock);
                Act::Unlock(Unlock { by: who.clone(), lock: statement, comment: None })
            }
            Deed::Declare(dependency) => Act::Declare(Declare {
                by: who.clone(),
                dependency: dependency.clone(),
                until: Some(at.plus(DECLARED_SECONDS)),
                comment: None,
            }),
            Deed::Resolve(dependency) => {
                let (by, dependency) = (who.clone(), dependency.clone());
                Act::Resolve(Resolve { by, dependency, comment: None })
            }
        };
        let statement = self.statement(act, at)?;
        Ok(self.judge_in(&beyond, at, request.as_ref(), &statement, self.key_of(who)))
    }

    /// What is locked, and what is known of the dependency that it is about.
    fn around(&self, aside: &Aside) -> Beyond {
        let mut beyond = Beyond::default();
        for target in &aside.locked {
            let lock = lock_on(target, &aside.who);
            beyond.world.locks.insert(lock.statement, lock);
        }
        let (Deed::Declare(dependency) | Deed::Resolve(dependency)) = &aside.deed else {
            return beyond;
        };
        let until = aside.at.plus(DECLARED_SECONDS);
        let declared = aside.declared.iter();
        let declared = declared.map(|by| Declared { by: by.clone(), at: aside.at, until, seq: 0 });
        let measured = aside.outage.map(|seconds| aside.at.minus(seconds));
        let outage = Outage { measured, declared: declared.collect(), ..Outage::default() };
        beyond.world.outages.insert(dependency.clone(), outage);
        beyond
    }
}

/// How long a supposed declaration counts: an hour, the default of `breakglass outage declare`.
const DECLARED_SECONDS: u64 = 3_600;
