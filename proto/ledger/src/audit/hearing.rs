//! What the entries say, one after another: policies, statements, decisions, grants.
//!
//! The same for a whole ledger and for a case; they differ in what was shown of the history before
//! an entry ([`Past`]).

use std::collections::HashMap;
use std::sync::Arc;

use super::finding::{Code, Findings};
use super::spoken::{self, Heard, Past, Spoken};
use super::texts::Texts;
use super::{TrustFile, policies};
use crate::bytes::Digest;
use crate::entry::{Body, ConfigChange, Entry, Genesis};
use crate::judge::{Case, Judge};
use crate::policy::Policy;
use crate::time::Timestamp;

/// How many statements are remembered before those that expired are forgotten: a statement cannot
/// be accepted again after its end, so only those of one day need to be known.
const REMEMBERED_MAX: usize = 100_000;

pub(super) struct Hearing<'a> {
    trust: &'a TrustFile,
    blobs: &'a dyn Fn(Digest) -> Option<Vec<u8>>,
    pub(super) findings: Findings,
    pub(super) texts: Texts,
    pub(super) judge: Judge<'a>,
    /// Every policy so far came into force; without one nothing that follows can be judged.
    pub(super) judged: bool,
    policy: Option<Arc<Policy>>,
    /// Accepted statements and their ends.
    said: HashMap<Digest, Timestamp>,
    said_limit: usize,
    pub(super) head_time: Option<Timestamp>,
}

impl<'a> Hearing<'a> {
    pub(super) fn new(
        trust: &'a TrustFile,
        blobs: &'a dyn Fn(Digest) -> Option<Vec<u8>>,
        judge: Judge<'a>,
    ) -> Self {
        Self {
            trust,
            blobs,
            findings: Findings::default(),
            texts: Texts::default(),
            judge,
            judged: true,
            policy: None,
            said: HashMap::new(),
            said_limit: REMEMBERED_MAX,
            head_time: None,
        }
    }

    /// Hears the next entry, whose bytes hash to `hash`, whose statement was `heard`, and before
    /// which `past` was shown.
    pub(super) fn hear(&mut self, entry: &Entry, hash: Digest, heard: Heard, past: &mut dyn Past) {
        self.head_time = Some(entry.time.second());
        if let Body::Genesis(genesis) = &entry.body {
            self.genesis(genesis);
        }
        if let Body::Policy(body) = &entry.body {
            self.policy(body, entry.seq);
        }
        if let Body::Config(config) = &entry.body
            && let ConfigChange::Erased { text } = &config.what
        {
            self.texts.erase(*text);
        }
        let spoken = self.spoken(entry, heard, past);
        let Some(policy) = self.policy.clone() else {
            if entry.grant().is_some() {
                let detail = "there is no policy in force that it could be judged by";
                self.findings.add(Code::PolicyUnauthorized, Some(entry.seq), detail);
            }
            return;
        };
        if let Some(decision) = entry.body.decision()
            && decision.policy != policy.digest
        {
            let detail = format!("it names {}, in force is {}", decision.policy, policy.digest);
            self.findings.add(Code::PolicyMismatch, Some(entry.seq), detail);
        }
        let case = Case { entry, hash, policy: &policy, spoken: spoken.as_ref() };
        self.judge.hear(&case, &mut self.findings);
    }

    fn genesis(&mut self, genesis: &Genesis) {
        if genesis.log_key != self.trust.key.to_string()
            || genesis.deployment != self.trust.log.deployment()
        {
            let detail = "the genesis names another deployment or log key";
            self.findings.add(Code::OriginUntrusted, Some(0), detail);
        }
        self.judge.learn_ca(&genesis.ssh_ca, 0, &mut self.findings);
        if let Some(pem) = &genesis.x509_ca {
            self.judge.learn_x509_ca(pem, 0, &mut self.findings);
        }
        if let Some(line) = &genesis.jwt_key {
            self.judge.learn_jwt_key(line, 0, &mut self.findings);
        }
    }

    fn policy(&mut self, body: &crate::entry::Policy, seq: u64) {
        match policies::enact(body, self.trust, self.policy.as_deref(), self.blobs) {
            Ok(policy) => self.policy = Some(policy),
            Err((code, detail)) => {
                self.findings.add(code, Some(seq), detail);
                // Neither the old policy nor this one is in force.
                self.judged = false;
                self.policy = None;
            }
        }
    }

    /// The statement of the entry, if it has one that counts; its faults are noted.
    fn spoken(&mut self, entry: &Entry, heard: Heard, past: &mut dyn Past) -> Option<Spoken> {
        let seq = Some(entry.seq);
        let spoken = match heard? {
            Ok(spoken) => spoken,
            Err((code, detail)) => {
                self.findings.add(code, seq, detail);
                return None;
            }
        };
        let refused = matches!(entry.body, Body::Refused(_));
        if let Some(text) = spoken.statement.act().text() {
            self.texts.want(text, entry.seq, !refused);
        }
        if refused {
            return Some(spoken);
        }
        let mut checks = vec![
            spoken::check_time(&spoken, &entry.body, entry.time.second()),
            spoken::check_seen(&spoken, past),
            self.check_new(&spoken, entry.time.second()),
        ];
        if let Some(policy) = &self.policy {
            checks.push(spoken::check_author(&spoken, policy));
        }
        for (code, detail) in checks.into_iter().filter_map(Result::err) {
            self.findings.add(code, seq, detail);
        }
        Some(spoken)
    }

    /// Whether the statement was never accepted before.
    fn check_new(&mut self, spoken: &Spoken, now: Timestamp) -> Result<(), (Code, String)> {
        if self.said.len() >= self.said_limit {
            self.said.retain(|_, expires| *expires >= now);
            self.said_limit = self.said.len().saturating_mul(2).max(REMEMBERED_MAX);
        }
        let digest = spoken.statement.digest();
        let expires = spoken.statement.expires().unwrap_or(Timestamp::MAX);
        match self.said.insert(digest, expires) {
            None => Ok(()),
            Some(_) => Err((Code::ApprovalReplay, format!("statement {digest} was used before"))),
        }
    }
}
