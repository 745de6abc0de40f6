//! A request as its requester signed it, verified here; and the approvals it has, likewise.
//!
//! R22: what an approver sees comes from these bytes and the policy, never from what the broker
//! says about them.

use std::collections::BTreeMap;

use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::policy::{Policy, Principal, Scope, Stage};
use breakglass_ledger::principal::{Origin, PrincipalId, StageId};
use breakglass_ledger::sshsig::SshSig;
use breakglass_ledger::statement::{Act, Ask, Statement, commitment};
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1;

use crate::failure::{Exit, Failure};

/// A request whose signature, signer and reason were checked here.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The statement, exactly as signed.
    pub statement: Statement,
    /// What it asks.
    pub ask: Ask,
    /// The key that signed it: one of the requester's, by the policy.
    pub key: PublicKey,
    /// The reason's text, which fits the commitment; `None` if none was given or it was erased.
    pub reason: Option<String>,
    /// Who approved for which stage: verified signatures of people the policy entitles.
    pub approvals: BTreeMap<StageId, Vec<PrincipalId>>,
    /// The stages that were passed on to others, as the record says.
    pub escalated: Vec<StageId>,
}

impl Asked {
    /// Verifies what `view` carries of a request, under `policy`.
    ///
    /// # Errors
    ///
    /// [`Doubt`]; nothing of the view may be shown to an approver then.
    pub fn verify(view: &v1::RequestView, policy: &Policy, log: &Origin) -> Result<Self, Doubt> {
        let statement =
            Statement::parse(&view.statement).map_err(|e| Doubt::Form(e.to_string()))?;
        let Act::Request(ask) = statement.act().clone() else { return Err(Doubt::NotARequest) };
        if statement.log() != log {
            return Err(Doubt::OtherLog);
        }
        if ask.id.to_string() != view.id {
            return Err(Doubt::OtherId);
        }
        let key = signer_of(&statement, &view.signature, &ask.by, policy)?;
        let reason = reason(view, &ask)?;
        let (approvals, escalated) = (BTreeMap::new(), escalated_in(&view.entries, ask.id));
        let mut asked = Self { statement, ask, key, reason, approvals, escalated };
        asked.approvals = asked.approvals_in(&view.entries, policy);
        Ok(asked)
    }

    /// The scope asked for.
    ///
    /// # Errors
    ///
    /// [`Doubt::NoScope`] if the policy has none of that name.
    pub fn scope<'p>(&self, policy: &'p Policy) -> Result<&'p Scope, Doubt> {
        policy.scope(&self.ask.scope).ok_or_else(|| Doubt::NoScope(self.ask.scope.to_string()))
    }

    /// The requester.
    ///
    /// # Errors
    ///
    /// [`Doubt::Stranger`] if the policy does not know them.
    pub fn requester<'p>(&self, policy: &'p Policy) -> Result<&'p Principal, Doubt> {
        let unknown = || Doubt::Stranger(self.ask.by.to_string());
        policy.principal(&self.ask.by).ok_or_else(unknown)
    }

    /// How many more approvals `stage` needs.
    #[must_use]
    pub fn missing_in(&self, stage: &Stage) -> usize {
        let given = self.approvals.get(&stage.name).map_or(0, Vec::len);
        usize::try_from(stage.quorum).unwrap_or(usize::MAX).saturating_sub(given)
    }

    /// Whether the policy lets `who` approve in `stage`, or it was passed on to them.
    #[must_use]
    pub fn may_approve(&self, policy: &Policy, stage: &Stage, who: &PrincipalId) -> bool {
        let passed_on = self.escalated.contains(&stage.name);
        policy.is_any(who, &stage.approvers) || passed_on && policy.is_any(who, &stage.escalate)
    }

    /// When it was asked, by the requester's own clock: the time in its signed id (`UUIDv7`).
    #[must_use]
    pub fn asked_at(&self) -> Timestamp {
        made_at(self.ask.id)
    }

    /// Approvals whose signature verifies, about this very request, by entitled other people; each
    /// once. What does not verify is passed over: it can only make more appear missing.
    fn approvals_in(
        &self,
        entries: &[Vec<u8>],
        policy: &Policy,
    ) -> BTreeMap<StageId, Vec<PrincipalId>> {
        let mut approvals: BTreeMap<StageId, Vec<PrincipalId>> = BTreeMap::new();
        for entry in entries {
            let Some((by, stage)) = self.approval_in(entry, policy) else { continue };
            if approvals.values().flatten().all(|other| *other != by) {
                approvals.entry(stage).or_default().push(by);
            }
        }
        approvals
    }

    fn approval_in(&self, entry: &[u8], policy: &Policy) -> Option<(PrincipalId, StageId)> {
        let Body::Approved(approved) = Entry::parse(entry).ok()?.body else { return None };
        let statement = Statement::parse(approved.signed.statement.as_bytes()).ok()?;
        let Act::Approve(approve) = statement.act() else { return None };
        signer_of(&statement, &approved.signed.signature, &approve.by, policy).ok()?;
        let stage = policy.scope(&self.ask.scope)?.stage(&approve.stage)?;
        let is_entitled = self.may_approve(policy, stage, &approve.by);
        let is_about_this = approve.request == self.statement.digest();
        let is_other = approve.by != self.ask.by && !self.ask.on_behalf_of.contains(&approve.by);
        (is_entitled && is_about_this && is_other)
            .then(|| (approve.by.clone(), approve.stage.clone()))
    }
}

/// The stages that were passed on, by the entries of the request.
fn escalated_in(entries: &[Vec<u8>], id: RequestId) -> Vec<StageId> {
    let stage = |entry: &Vec<u8>| {
        let Body::Escalated(body) = Entry::parse(entry).ok()?.body else { return None };
        (body.link.grant == id).then_some(body.stage)
    };
    entries.iter().filter_map(stage).collect()
}

/// When an id was made, by the clock of the machine that made it (`UUIDv7`: RFC 9562, 5.7).
#[must_use]
pub fn made_at(id: RequestId) -> Timestamp {
    let bytes = id.as_bytes().iter().take(6);
    let millis = bytes.fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    Timestamp::from_unix_seconds(millis / 1000)
}

/// The key that signed `statement`, if it is one of `by`'s in `policy`.
fn signer_of(
    statement: &Statement,
    armored: &str,
    by: &PrincipalId,
    policy: &Policy,
) -> Result<PublicKey, Doubt> {
    let signature = SshSig::parse(armored).map_err(|e| Doubt::Signature(e.to_string()))?;
    let namespace = statement.act().kind().namespace();
    signature
        .verify(&namespace, statement.text().as_bytes())
        .map_err(|e| Doubt::Signature(e.to_string()))?;
    let key = signature.public_key().clone();
    match policy.owner_of(&key) {
        Some(owner) if owner.id == *by => Ok(key),
        Some(_) | None => Err(Doubt::Stranger(by.to_string())),
    }
}

/// The reason's text, if the broker sent one that the statement commits to.
fn reason(view: &v1::RequestView, ask: &Ask) -> Result<Option<String>, Doubt> {
    if view.reason_text.is_empty() {
        return Ok(None);
    }
    let salt: Result<[u8; 32], _> = view.reason_salt.as_slice().try_into();
    let salt = salt.map_err(|_| Doubt::Reason)?;
    if ask.reason == Some(commitment(&salt, &view.reason_text)) {
        Ok(Some(view.reason_text.clone()))
    } else {
        Err(Doubt::Reason)
    }
}

/// Why a request is not what a broker says it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// The bytes are no statement.
    #[error("the broker shows a request that is no statement: {0}")]
    Form(String),
    /// The statement asks for nothing.
    #[error("the broker shows a statement that is no request")]
    NotARequest,
    /// It is for another ledger.
    #[error("the broker shows a request for another ledger")]
    OtherLog,
    /// It is another request.
    #[error("the broker shows another request than the one asked about")]
    OtherId,
    /// The signature is not good.
    #[error("the request's signature is not good: {0}")]
    Signature(String),
    /// The signing key is not the requester's.
    #[error("the request is not signed by a key that people.toml gives to {0}")]
    Stranger(String),
    /// The text is not the one committed to.
    #[error("the reason that the broker shows is not the one the requester signed")]
    Reason,
    /// The scope is not in the policy.
    #[error("the policy in force has no scope {0}")]
    NoScope(String),
}

impl From<Doubt> for Failure {
    fn from(doubt: Doubt) -> Self {
        let exit = match doubt {
            Doubt::NoScope(_) => Exit::Refused,
            Doubt::Form(_)
            | Doubt::NotARequest
            | Doubt::OtherLog
            | Doubt::OtherId
            | Doubt::Signature(_)
            | Doubt::Stranger(_)
            | Doubt::Reason => Exit::Tampered,
        };
        Self::new(
            exit,
            doubt.to_string(),
            "what would be approved is not what its requester signed under this policy; nothing \
             was signed",
            "do not approve it; ask the requester by another way what they sent",
        )
    }
}

#[cfg(test)]
mod tests;
