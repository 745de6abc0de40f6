//! The certificate that came back: is it the one that was asked for, and where to put it.

use std::path::Path;

use breakglass_ledger::entry::{Body, Issued};
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::{Ask, Lane};
use breakglass_ledger::time::Timestamp;
use ssh_key::Certificate;
use ssh_key::certificate::CertType;

use crate::agent::{Agent, AgentError, Loan};
use crate::failure::{Exit, Failure};
use crate::receipt::Receipt;
use crate::state::{StateError, SubjectKey, private_dir, write_private};

/// A collected certificate that was compared with its entry and its request.
#[derive(Debug)]
pub struct Credential {
    /// One OpenSSH line.
    pub line: String,
    /// The same in wire form.
    pub blob: Vec<u8>,
    /// Its serial number.
    pub serial: u64,
    /// First second at which it is no longer valid.
    pub expires_at: Timestamp,
    /// The names it opens.
    pub principals: Vec<String>,
    /// What hosts log.
    pub key_id: String,
}

impl Credential {
    /// The certificate in `receipt`, if it is for `key` and says what the entry and `ask` say.
    ///
    /// # Errors
    ///
    /// [`CredentialError`]; it must not be used then.
    pub fn check(receipt: &Receipt, ask: &Ask, key: &SubjectKey) -> Result<Self, CredentialError> {
        let Body::Issued(issued) = &receipt.entry.body else { return Err(CredentialError::Absent) };
        let line = receipt.credential.as_deref().ok_or(CredentialError::Absent)?;
        let credential = Self::read(line)?;
        let parsed = Certificate::from_openssh(line).map_err(|_| CredentialError::Form)?;
        let recorded = issued.certificate.as_deref().map(str::trim);
        differs(Some(line.trim()) == recorded, "its text, from the entry")?;
        differs(credential.serial == receipt.entry.seq, "its serial, from the entry's position")?;
        differs(credential.serial == issued.serial, "its serial, from the entry")?;
        differs(
            parsed.public_key().ed25519().is_some_and(|k| k.0 == key.public_bytes()),
            "its key",
        )?;
        differs(issued.subject == key.public().digest(), "the entry's subject")?;
        differs(credential.key_id == key_id(ask), "its key id")?;
        differs(!credential.principals.is_empty(), "its principals (none: any user)")?;
        differs(credential.principals == issued.principals, "its principals")?;
        differs(credential.expires_at == issued.valid_before, "its end")?;
        within_ttl(issued, ask, receipt.entry.time.second())?;
        Ok(credential)
    }

    /// Reads a user certificate without comparing it with anything.
    ///
    /// # Errors
    ///
    /// [`CredentialError::Form`] if it is none.
    pub fn read(line: &str) -> Result<Self, CredentialError> {
        let parsed = Certificate::from_openssh(line).map_err(|_| CredentialError::Form)?;
        if parsed.cert_type() != CertType::User {
            return Err(CredentialError::Form);
        }
        Ok(Self {
            line: line.trim().to_owned(),
            blob: parsed.to_bytes().map_err(|_| CredentialError::Form)?,
            serial: parsed.serial(),
            expires_at: Timestamp::from_unix_seconds(parsed.valid_before()),
            principals: parsed.valid_principals().to_vec(),
            key_id: parsed.key_id().to_owned(),
        })
    }

    /// Lends it to the agent for the rest of its life.
    ///
    /// # Errors
    ///
    /// [`AgentError`]; [`AgentError::Refused`] also if nothing of its life is left.
    pub fn lend(&self, key: &SubjectKey, now: Timestamp) -> Result<(), AgentError> {
        let seconds = u32::try_from(self.expires_at.since(now)).unwrap_or(u32::MAX);
        if seconds == 0 {
            return Err(AgentError::Refused);
        }
        Agent::connect()?.lend(&Loan {
            certificate: &self.blob,
            public: &key.public_bytes(),
            seed: key.seed(),
            comment: &self.key_id,
            seconds,
        })
    }

    /// Makes the agent forget it. That it was not there is no error.
    ///
    /// # Errors
    ///
    /// [`AgentError`] if the agent cannot be asked.
    pub fn take_back(&self) -> Result<(), AgentError> {
        match Agent::connect()?.remove(&self.blob) {
            Err(AgentError::Refused) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes key and certificate into `dir`, mode 0600, under the names that `ssh -i` expects.
    ///
    /// # Errors
    ///
    /// [`StateError`].
    pub fn write(&self, key: &SubjectKey, dir: &Path) -> Result<(), StateError> {
        private_dir(dir)?;
        write_private(&dir.join("id"), key.to_openssh()?.as_bytes())?;
        write_private(&dir.join("id-cert.pub"), format!("{}\n", self.line).as_bytes())
    }
}

/// What hosts log for a grant: `bg:<request id>:<principal>`, then `:drill` in a drill, then
/// `:for:<principal>,…` with those on whose behalf it was asked, outermost first.
#[must_use]
pub fn key_id(ask: &Ask) -> String {
    let drill = if ask.lane == Lane::Drill { ":drill" } else { "" };
    let chain: Vec<&str> = ask.on_behalf_of.iter().map(PrincipalId::as_str).collect();
    let chain = if chain.is_empty() { String::new() } else { format!(":for:{}", chain.join(",")) };
    format!("bg:{}:{}{drill}{chain}", ask.id, ask.by)
}

fn differs(is_same: bool, what: &'static str) -> Result<(), CredentialError> {
    if is_same { Ok(()) } else { Err(CredentialError::Differs(what)) }
}

/// R09: what is judged is the final certificate. It lives from its issuing, no longer than asked.
fn within_ttl(issued: &Issued, ask: &Ask, at: Timestamp) -> Result<(), CredentialError> {
    let latest = at.plus(ask.ttl.seconds().into());
    differs(issued.valid_before <= latest, "its life, longer than asked")
}

/// Why a certificate is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// There is none in the answer.
    #[error("the broker's answer carries no certificate")]
    Absent,
    /// It is not an SSH user certificate.
    #[error("what the broker sent is not an SSH user certificate")]
    Form,
    /// It is not what it should be.
    #[error("the certificate differs in {0}")]
    Differs(&'static str),
}

impl From<CredentialError> for Failure {
    fn from(error: CredentialError) -> Self {
        Self::new(
            Exit::Tampered,
            error.to_string(),
            "it is not the credential that was approved; it is not used and not kept",
            "run `breakglass drop ID` and tell the operator",
        )
    }
}

#[cfg(test)]
mod tests;
