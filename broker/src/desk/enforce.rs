//! A policy comes into force.

use std::sync::Arc;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{self, Body};
use breakglass_ledger::policy::{self, Files, Policy};
use breakglass_ledger::statement::Statement;
use breakglass_rules::Command;
use breakglass_rules::eligibility::Rules;

use super::batch::{Batch, Draft};
use super::{DeskError, Incoming, PolicyBundle};
use crate::store::{PAGE_ROWS_MAX, PolicyRow, StoreError};

impl Batch<'_, '_> {
    /// Puts a pushed policy into force, then judges every live grant and every open request by it:
    /// what is no longer allowed ends in the same transaction.
    pub(super) fn policy(&mut self, incoming: &Incoming) -> Result<Draft, DeskError> {
        let bundle = incoming.bundle.as_ref().ok_or(DeskError::NoFiles)?;
        let before = Arc::clone(self.memory.in_force());
        if let Some(row) = self.recorded(incoming.statement.digest(), before.version)? {
            return self.again(row.seq);
        }
        let policy = policy::activate(
            &incoming.statement,
            &bundle.signatures,
            &bundle.files,
            self.log(),
            Some(&before),
        )
        .map_err(DeskError::Policy)?;
        let rules = Rules::of(&policy).map_err(DeskError::Rules)?;
        let draft = self.enforce(&incoming.statement, bundle, policy, rules)?;
        self.rejudge_live()?;
        // Behind them: what ended makes room, as rules may count it.
        self.rejudge_open()?;
        self.memory.plan(&*self.tx)?;
        Ok(draft)
    }

    /// Where the policy in force stands in the ledger, if this is its manifest: the same bytes again
    /// get the same answer, like any other act.
    fn recorded(&self, manifest: Digest, version: u64) -> Result<Option<PolicyRow>, DeskError> {
        let newest = self.tx.policies(version)?;
        Ok(newest.into_iter().find(|row| row.digest == manifest))
    }

    /// Writes a policy that has been activated, with its files.
    fn enforce(
        &mut self,
        manifest: &Statement,
        bundle: &PolicyBundle,
        policy: Policy,
        rules: Rules,
    ) -> Result<Draft, DeskError> {
        for file in Files::NAMES {
            self.tx.put_blob(bundle.files.get(file).unwrap_or_default())?;
        }
        let body = policy_body(manifest, bundle, &policy);
        let draft = self.append(body, None)?;
        self.memory.enforce(Arc::new(policy), rules);
        Ok(draft)
    }

    fn rejudge_live(&mut self) -> Result<(), DeskError> {
        let mut after = None;
        loop {
            let page = self.tx.live_grants(after, PAGE_ROWS_MAX)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.cursor();
            for row in &page {
                let mut known = self.known_to_end(row.id)?;
                self.remember_for_rules(&mut known)?;
                self.end(&known, &Command::Rejudge)?;
            }
        }
    }

    fn rejudge_open(&mut self) -> Result<(), DeskError> {
        let mut after = None;
        loop {
            let page = self.tx.open_requests(after, PAGE_ROWS_MAX)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.cursor();
            for row in &page {
                let mut known = match self.known_to_end(row.id) {
                    Ok(known) => known,
                    Err(error @ DeskError::Store(StoreError::Database(_))) => return Err(error),
                    // Nothing can be issued on it, and it must not keep a policy from coming into
                    // force; its own end will tell again.
                    Err(error) => {
                        crate::report::fault("reading an open request", &error);
                        continue;
                    }
                };
                self.remember_for_rules(&mut known)?;
                self.end(&known, &Command::Rejudge)?;
            }
        }
    }
}

/// The entry's body for a policy with its manifest and signatures.
pub(super) fn policy_body(manifest: &Statement, bundle: &PolicyBundle, policy: &Policy) -> Body {
    Body::Policy(entry::Policy {
        version: policy.version,
        digest: policy.digest,
        statement: manifest.text().to_owned(),
        signatures: bundle.signatures.iter().map(|one| one.armored().to_owned()).collect(),
    })
}
