//! The commands of one transaction: each is decided and leads to one entry.

use std::sync::Arc;

use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::entry::{
    Body, Closed, Config, ConfigChange, Decision, Drill, Entry, KeyRole, Keys, Link, Notified,
    Outcome,
};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::{CallerId, Origin};
use breakglass_ledger::statement::{Act, Kind, commitment};
use breakglass_ledger::time::Moment;
use breakglass_rules::{
    Clearance, Command, Event, Refusal, Request, StatementRefusal, Verdict, decide,
};

use super::known::Known;
use super::memory::Memory;
use super::record::Credential;
use super::{DeskError, Incoming, record};
use crate::entropy::Entropy;
use crate::mint::Mint;
use crate::store::Write;

/// One transaction's view of the house.
pub(super) struct Batch<'a, 'tx> {
    pub(super) tx: &'a mut Write<'tx>,
    pub(super) memory: &'a mut Memory,
    pub(super) mint: &'a Mint,
    pub(super) entropy: &'a dyn Entropy,
    /// The clock, read once for the batch after the write lock was taken.
    pub(super) now: Moment,
    /// Whether all parts of revoking work.
    pub(super) can_revoke: bool,
    /// The newest durable checkpoint.
    pub(super) checkpoint: Arc<str>,
}

/// The rules make such events only from a person's act, which comes with its statement.
pub(super) const UNSIGNED: DeskError = DeskError::Ledger { what: "an act has no statement" };

/// A receipt before its checkpoint is signed. What it hands out may be a secret: no `Debug`.
pub(super) struct Draft {
    pub(super) seq: u64,
    pub(super) entry: Vec<u8>,
    pub(super) request: Option<RequestId>,
    pub(super) credential: Option<String>,
    pub(super) repeated: bool,
}

impl Batch<'_, '_> {
    /// Decides one statement, writes the outcome down, and says what to answer after the commit.
    ///
    /// A refusal is an outcome like any other: it is written down too, unless anybody could have
    /// caused it by repeating bytes that somebody else signed.
    pub(super) fn say(&mut self, incoming: &Incoming) -> Result<Draft, DeskError> {
        if let Act::Policy(_) = incoming.statement.act() {
            return self.policy(incoming);
        }
        let known = self.known(&incoming.statement)?;
        let facts = known.facts();
        let command = Command::Statement {
            statement: &incoming.statement,
            key: incoming.signature.public_key(),
            user_verified: incoming.user_verified,
        };
        match decide(&facts, &command) {
            Ok(Verdict::Record(event, decision)) => {
                self.happened(&known, event, decision, incoming)
            }
            Ok(Verdict::Change(change, decision)) => {
                let signed = Some(record::signed(incoming));
                let body = record::change(change, decision, signed, None);
                self.changed(body.ok_or(UNSIGNED)?, Some(incoming))
            }
            Ok(Verdict::Sign(clearance)) => self.issue(&known, clearance, incoming),
            Ok(Verdict::Again { seq }) => self.again(seq),
            Err(refusal) => {
                let decision = breakglass_rules::refused(&facts, &command, &refusal);
                self.refuse(refusal, decision, incoming)
            }
        }
    }

    /// A service takes a token back, and the grant ends.
    ///
    /// Nothing is written down if there is nothing to end: whoever is shown tokens that are over may
    /// not grow the ledger.
    pub(super) fn take_back(
        &mut self,
        grant: RequestId,
        serial: u64,
        caller: &CallerId,
    ) -> Result<Draft, DeskError> {
        let known = self.known_to_end(grant)?;
        let command = Command::TakeBack { serial, caller };
        match decide(&known.facts(), &command) {
            Ok(verdict) => self.ended(&known, verdict),
            Err(refusal) => Err(DeskError::Refused { refusal, seq: None }),
        }
    }

    /// Erases a text and writes down that it was erased.
    pub(super) fn erase(&mut self, text: Digest) -> Result<Draft, DeskError> {
        if self.tx.text(text)?.is_none() {
            return Err(DeskError::NoText);
        }
        let what = ConfigChange::Erased { text };
        self.append(Body::Config(Config { what }), None)
    }

    /// Writes down that one of our keys is another from here on.
    pub(super) fn rekey(&mut self, role: KeyRole, key: &str) -> Result<Draft, DeskError> {
        self.append(Body::Keys(Keys { role, key: key.to_owned() }), None)
    }

    /// Writes down what became of notices.
    pub(super) fn notified(&mut self, notices: &[Notified]) -> Result<(), DeskError> {
        for notice in notices {
            let what = ConfigChange::Notified(notice.clone());
            self.append(Body::Config(Config { what }), None)?;
        }
        Ok(())
    }

    fn happened(
        &mut self,
        known: &Known,
        event: Event,
        decision: Decision,
        incoming: &Incoming,
    ) -> Result<Draft, DeskError> {
        let link = match (&known.request, incoming.statement.act()) {
            (Some(request), _) => request.next_link(),
            (None, Act::Request(ask)) => Link { grant: ask.id, gseq: 0, gprev: Digest::ZERO },
            (None, _) => return Err(DeskError::Ledger { what: "an event of no request" }),
        };
        let closes = event.closes();
        let body = record::body(link, event, decision, Some(record::signed(incoming)));
        let draft = self.append(body.ok_or(UNSIGNED)?, Some(incoming))?;
        self.close(link.grant, closes)?;
        Ok(draft)
    }

    fn issue(
        &mut self,
        known: &Known,
        clearance: Clearance,
        incoming: &Incoming,
    ) -> Result<Draft, DeskError> {
        let request = known.request.as_ref();
        let link =
            request.ok_or(DeskError::Ledger { what: "a clearance of no request" })?.next_link();
        let (decision, approvals) = (clearance.decision().clone(), clearance.approvals().to_vec());
        let (serial, entropy) = (self.tx.size(), self.entropy);
        let (ends, replaces) = (clearance.ends(), clearance.replaces());
        let signed = record::signed(incoming);
        let credential = match clearance.kind() {
            Kind::Ssh => Credential::Ssh(self.mint.sign_ssh(clearance, serial, entropy)?),
            Kind::X509 => Credential::X509(self.mint.sign_x509(clearance, serial, entropy)?),
            Kind::Jwt => Credential::Jwt(self.mint.sign_jwt(clearance, serial)?),
        };
        let terms = record::Terms { ends, replaces, approvals };
        let body = record::issued(link, &credential, terms, decision, signed);
        let mut draft = self.append(body, Some(incoming))?;
        draft.credential = Some(credential.into_text());
        Ok(draft)
    }

    /// Answers from an entry that is already there; writes nothing.
    pub(super) fn again(&self, seq: u64) -> Result<Draft, DeskError> {
        let missing = DeskError::Ledger { what: "an entry is missing" };
        let record = self.tx.entry(seq)?.ok_or(missing)?;
        let entry = record.parse()?;
        if let Body::Refused(_) = entry.body {
            return Err(DeskError::Refused {
                refusal: Refusal::Statement(StatementRefusal::Repeated { seq }),
                seq: None,
            });
        }
        let issued = if let Body::Issued(issued) = &entry.body { Some(issued) } else { None };
        let credential = issued.and_then(|issued| issued.certificate.clone());
        let request = entry.grant().map(|link| link.grant);
        Ok(Draft { seq, entry: record.bytes, request, credential, repeated: true })
    }

    /// Writes a "no" down, unless anybody could have caused it by repeating bytes that somebody
    /// else signed: then it proves nothing about the signer and would let strangers grow the ledger.
    fn refuse(
        &mut self,
        refusal: Refusal,
        decision: Decision,
        incoming: &Incoming,
    ) -> Result<Draft, DeskError> {
        let anybodys = matches!(
            refusal,
            Refusal::Statement(StatementRefusal::Repeated { .. })
                | Refusal::Statement(StatementRefusal::Expired { .. })
                | Refusal::Statement(StatementRefusal::OtherLog { .. })
        );
        let seq = if anybodys {
            None
        } else {
            let signed = record::signed(incoming);
            let signer = self.memory.in_force().owner_of(incoming.signature.public_key());
            let by = signer.map(|principal| principal.id.clone());
            let body = record::refused(&incoming.statement, by, signed, &refusal, decision);
            Some(self.append(body, Some(incoming))?.seq)
        };
        Err(DeskError::Refused { refusal, seq })
    }

    /// Writes `closed` after an ending without a credential.
    pub(super) fn close(
        &mut self,
        id: RequestId,
        outcome: Option<Outcome>,
    ) -> Result<(), DeskError> {
        let Some(outcome) = outcome else { return Ok(()) };
        let request = self.memory.request(&*self.tx, id)?;
        let request = request.ok_or(DeskError::Ledger { what: "what ended is missing" })?.clone();
        let link = request.next_link();
        self.append(Body::Closed(Closed { link, outcome }), None)?;
        self.drilled(&request)
    }

    /// After `closed`: if `ended` was an exercise, what it proves.
    pub(super) fn drilled(&mut self, ended: &Request) -> Result<(), DeskError> {
        let Some(passed) = ended.drill_passed() else { return Ok(()) };
        let (request, scope) = (ended.id(), ended.asked().ask.scope.clone());
        self.append(Body::Drill(Drill { request, scope, passed }), None)?;
        Ok(())
    }

    /// Appends one entry, with the text that its statement commits to.
    pub(super) fn append(
        &mut self,
        body: Body,
        incoming: Option<&Incoming>,
    ) -> Result<Draft, DeskError> {
        let mut salt = [0; 16];
        self.entropy.fill(&mut salt)?;
        let entry = Entry {
            seq: self.tx.size(),
            // Endings are dated no earlier than the head when the clock has stepped back.
            time: self.now.max(self.tx.time()),
            prev: self.tx.hash(),
            salt: Salt::from_bytes(salt),
            log: self.log().clone(),
            body,
        };
        let appended = self.tx.append(&entry)?;
        self.memory.note(&*self.tx, &entry, appended.hash)?;
        if let Some(text) = incoming.and_then(|incoming| incoming.text.as_ref()) {
            self.tx.put_text(commitment(&text.salt, &text.text), &text.salt, &text.text)?;
        }
        let request = entry.grant().map(|link| link.grant);
        let (seq, entry) = (entry.seq, appended.bytes);
        Ok(Draft { seq, entry, request, credential: None, repeated: false })
    }

    pub(super) fn log(&self) -> &Origin {
        &self.mint.public().origin
    }
}
