//! The credential that came back: is it the one that was asked for, and where to put it.
//!
//! R09: what is judged is the final bytes, as they will be shown to a host, and not what the broker
//! says about them.

mod jwt;
mod ssh;
mod x509;

use std::fmt;
use std::path::Path;

use breakglass_ledger::entry::{Body, Issued};
use breakglass_ledger::statement::{Ask, Kind};
use breakglass_ledger::time::Timestamp;

use crate::agent::{Agent, AgentError, Loan};
use crate::failure::{Exit, Failure};
use crate::receipt::Receipt;
use crate::state::{
    CA_PEM, KEY_PEM, StateError, SubjectKey, credential_name, private_dir, write_private,
};

pub use ssh::key_id;
pub use x509::common_name;

/// A collected credential that was compared with its entry and its request. It may be a secret.
pub struct Credential {
    /// What it is.
    pub kind: Kind,
    /// One OpenSSH line, one PEM block, or a token in compact form, which is secret.
    pub text: String,
    /// The same in wire form, DER, or the claims alone.
    pub blob: Vec<u8>,
    /// Its serial number: the position of its entry.
    pub serial: u64,
    /// First second at which it is no longer valid.
    pub expires_at: Timestamp,
    /// First second at which its grant is over, as far as is known here.
    pub ends: Timestamp,
    /// The names it opens.
    pub principals: Vec<String>,
    /// What hosts log: the key id, the common name, or the subject.
    pub name: String,
}

/// Without the credential itself.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, serial, name, .. } = self;
        write!(f, "Credential({kind} {serial} {name})")
    }
}

impl Credential {
    /// The credential of `kind` in `receipt`, if it is for `key` and says what the entry and `ask`
    /// say; an X.509 one also only if it is signed by `authority` (PEM), where that is known.
    ///
    /// # Errors
    ///
    /// [`CredentialError`]; it must not be used then.
    pub fn check(
        receipt: &Receipt,
        ask: &Ask,
        key: &SubjectKey,
        kind: Kind,
        authority: Option<&str>,
    ) -> Result<Self, CredentialError> {
        let Body::Issued(issued) = &receipt.entry.body else { return Err(CredentialError::Absent) };
        let text = receipt.credential.as_deref().ok_or(CredentialError::Absent)?;
        differs(issued.kind == kind, "its kind")?;
        let credential = Self::read(kind, text)?;
        if kind != Kind::Jwt {
            let recorded = issued.certificate.as_deref().map(str::trim);
            differs(Some(text.trim()) == recorded, "its text, from the entry")?;
        }
        differs(credential.serial == receipt.entry.seq, "its serial, from the entry's position")?;
        differs(credential.serial == issued.serial, "its serial, from the entry")?;
        differs(issued.subject == key.public().digest(), "the entry's subject")?;
        match kind {
            Kind::Ssh => ssh::check(&credential, ask, key)?,
            Kind::X509 => x509::check(&credential, ask, key, authority)?,
            Kind::Jwt => jwt::check(&credential, ask, key, issued)?,
        }
        differs(credential.principals == issued.principals, "its principals")?;
        differs(credential.expires_at == issued.valid_before, "its end")?;
        within_ttl(issued, ask, receipt.entry.time.second())?;
        let ends = issued.ends.unwrap_or(credential.expires_at);
        differs(ends >= credential.expires_at, "its end, later than the grant's")?;
        Ok(Self { ends, ..credential })
    }

    /// Reads a credential of `kind` without comparing it with anything.
    ///
    /// # Errors
    ///
    /// [`CredentialError::Form`] if it is none.
    pub fn read(kind: Kind, text: &str) -> Result<Self, CredentialError> {
        match kind {
            Kind::Ssh => ssh::read(text),
            Kind::X509 => x509::read(text),
            Kind::Jwt => jwt::read(text),
        }
    }

    /// Lends an SSH certificate to the agent for the rest of its life.
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
            private: key.private(),
            comment: &self.name,
            seconds,
        })
    }

    /// Makes the agent forget an SSH certificate. That it was not there is no error.
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

    /// Writes key and certificate into `dir`, mode 0600, under the names that `ssh -i` expects, or
    /// as PEM with the authority over it, where that is known.
    ///
    /// # Errors
    ///
    /// [`StateError`].
    pub fn write(
        &self,
        key: &SubjectKey,
        authority: Option<&str>,
        dir: &Path,
    ) -> Result<(), StateError> {
        private_dir(dir)?;
        match self.kind {
            Kind::Ssh => write_private(&dir.join("id"), key.to_openssh()?.as_bytes())?,
            Kind::X509 => {
                let pem = key.to_pkcs8_pem().ok_or(StateError::Unencodable)?;
                write_private(&dir.join(KEY_PEM), pem.as_bytes())?;
                if let Some(authority) = authority {
                    write_private(&dir.join(CA_PEM), authority.as_bytes())?;
                }
            }
            Kind::Jwt => {}
        }
        let text = format!("{}\n", self.text);
        write_private(&dir.join(credential_name(self.kind)), text.as_bytes())
    }
}

fn differs(is_same: bool, what: &'static str) -> Result<(), CredentialError> {
    if is_same { Ok(()) } else { Err(CredentialError::Differs(what)) }
}

/// It lives from its issuing, no longer than asked.
fn within_ttl(issued: &Issued, ask: &Ask, at: Timestamp) -> Result<(), CredentialError> {
    let latest = at.plus(ask.ttl.seconds().into());
    differs(issued.valid_before <= latest, "its life, longer than asked")
}

/// Why a credential is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// There is none in the answer.
    #[error("the broker's answer carries no certificate")]
    Absent,
    /// It is not a credential of the kind.
    #[error("what the broker sent is not a credential of the kind that was asked for")]
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
