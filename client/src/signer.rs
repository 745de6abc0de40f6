//! Who signs: a key in ssh-agent, a key file, `ssh-keygen`, or the subject key of a request.
//!
//! Whatever made a signature, it is verified here before it is sent, so a broken agent shows at
//! once and at home.

mod key_file;
mod ssh_keygen;

use std::path::Path;

use breakglass_ledger::key::{KeyError, PublicKey};
use breakglass_ledger::sshsig::{SshSig, SshSigError, assemble, to_be_signed};

use crate::agent::{Agent, AgentError};
use crate::config::KeyChoice;
use crate::failure::{Exit, Failure};
use crate::state::SubjectKey;

pub use key_file::KeyFile;
pub use ssh_keygen::SshKeygen;

/// Something that signs with one key.
pub enum Signer {
    /// A key that ssh-agent holds, FIDO keys included.
    Agent(PublicKey),
    /// A key file read into this process.
    File(KeyFile),
    /// A key that only `ssh-keygen` can use.
    SshKeygen(SshKeygen),
    /// The subject key of a request made here.
    Subject(SubjectKey),
}

impl Signer {
    /// The signer that `choice` names.
    ///
    /// An encrypted key file goes to `ssh-keygen`, which asks for the passphrase itself.
    ///
    /// # Errors
    ///
    /// [`SignError`] if there is no such key or it is not of an accepted type.
    pub fn open(choice: &KeyChoice) -> Result<Self, SignError> {
        match choice {
            KeyChoice::Agent(fingerprint) => in_agent(Some(fingerprint)).map(Self::Agent),
            KeyChoice::OnlyOneInAgent => in_agent(None).map(Self::Agent),
            KeyChoice::SshKeygen(path) => SshKeygen::open(path).map(Self::SshKeygen),
            KeyChoice::File(path) => Self::of_file(path),
        }
    }

    fn of_file(path: &Path) -> Result<Self, SignError> {
        match KeyFile::open(path) {
            Ok(key) => Ok(Self::File(key)),
            Err(SignError::Encrypted) => SshKeygen::open(path).map(Self::SshKeygen),
            Err(error) => Err(error),
        }
    }

    /// The key it signs with.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        match self {
            Self::Agent(key) => key,
            Self::File(key) => key.public_key(),
            Self::SshKeygen(key) => key.public_key(),
            Self::Subject(key) => key.public(),
        }
    }

    /// Whether somebody will have to touch a token.
    #[must_use]
    pub fn needs_touch(&self) -> bool {
        self.public_key().is_sk()
    }

    /// The words that ask for a touch, and say what it is given for and to which key: a verb may
    /// need two, and a person may have two keys plugged in.
    #[must_use]
    pub fn call_for_touch(&self, what_for: &str) -> String {
        format!("touch your security key now ({what_for}; key {})", self.public_key().fingerprint())
    }

    /// Signs `message` in `namespace`.
    ///
    /// # Errors
    ///
    /// [`SignError`]; nothing was signed, or what came back does not verify.
    pub fn sign(&self, namespace: &str, message: &[u8]) -> Result<SshSig, SignError> {
        let blob = || to_be_signed(namespace, message);
        let signature = match self {
            Self::Agent(key) => {
                let raw = Agent::connect()?.sign(key.wire(), &blob())?;
                assemble(key, namespace, &raw)?
            }
            Self::File(key) => assemble(key.public_key(), namespace, &key.sign(&blob())?)?,
            Self::SshKeygen(key) => key.sign(namespace, message)?,
            Self::Subject(key) => {
                let raw = key.sign(&blob()).map_err(|_| SignError::NoEntropy)?;
                assemble(key.public(), namespace, &raw)?
            }
        };
        signature.verify(namespace, message)?;
        if signature.public_key() == self.public_key() {
            Ok(signature)
        } else {
            Err(SignError::OtherKey)
        }
    }
}

/// The key in the agent with `fingerprint`, or the only usable one.
fn in_agent(fingerprint: Option<&str>) -> Result<PublicKey, SignError> {
    let identities = Agent::connect()?.identities()?;
    let usable = identities.iter().filter_map(|identity| {
        // Certificates, RSA and the like are in agents too; they cannot sign statements.
        PublicKey::from_wire(&identity.blob).ok()
    });
    let mut keys: Vec<PublicKey> = usable.collect();
    if let Some(wanted) = fingerprint {
        let found = keys.into_iter().find(|key| key.fingerprint().to_string() == wanted);
        return found.ok_or_else(|| SignError::NotInAgent(wanted.to_owned()));
    }
    match (keys.pop(), keys.len()) {
        (Some(key), 0) => Ok(key),
        (Some(_), more) => Err(SignError::Ambiguous(more.saturating_add(1))),
        (None, _) => Err(SignError::EmptyAgent),
    }
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The agent was of no help.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// The agent does not hold the configured key.
    #[error("ssh-agent does not hold the key {0}")]
    NotInAgent(String),
    /// The agent holds nothing that can sign statements.
    #[error("ssh-agent holds no Ed25519, P-256 or FIDO key")]
    EmptyAgent,
    /// The agent holds several, and nobody said which.
    #[error("ssh-agent holds {0} keys that could sign, and none was named")]
    Ambiguous(usize),
    /// A key file cannot be read.
    #[error("cannot use the key file {path}: {why}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A key file is encrypted (it is then left to `ssh-keygen`).
    #[error("the key file is encrypted")]
    Encrypted,
    /// `ssh-keygen` failed.
    #[error("ssh-keygen did not sign: {0}")]
    SshKeygen(String),
    /// The key is not of an accepted type, or weak.
    #[error("the key cannot be used: {0}")]
    Key(#[from] KeyError),
    /// There was no randomness, which some signatures need.
    #[error("the system's random source failed")]
    NoEntropy,
    /// What came back is not a good signature.
    #[error("the signature that came back is not good: {0}")]
    Signature(#[from] SshSigError),
    /// What came back was made by another key.
    #[error("the signature that came back was made by another key")]
    OtherKey,
}

impl From<SignError> for Failure {
    fn from(error: SignError) -> Self {
        let exit = match error {
            SignError::NotInAgent(_)
            | SignError::EmptyAgent
            | SignError::Ambiguous(_)
            | SignError::File { .. }
            | SignError::Encrypted
            | SignError::Key(_) => Exit::Usage,
            SignError::Agent(_)
            | SignError::SshKeygen(_)
            | SignError::NoEntropy
            | SignError::Signature(_)
            | SignError::OtherKey => Exit::Internal,
        };
        let remedy = match error {
            SignError::Signature(SshSigError::UserPresence) => {
                "make a key that has to be touched (`ssh-keygen -t ed25519-sk` without \
                 no-touch-required) and have it enrolled"
            }
            SignError::Agent(AgentError::Silent(_)) => {
                "run it again and touch the key when asked; if `ssh-add -l` hangs too, restart \
                 the agent, or name a key file with --key PATH"
            }
            SignError::Agent(
                AgentError::Absent
                | AgentError::Io(_)
                | AgentError::Refused
                | AgentError::Malformed
                | AgentError::TooLong,
            )
            | SignError::NotInAgent(_)
            | SignError::EmptyAgent
            | SignError::Ambiguous(_)
            | SignError::File { .. }
            | SignError::Encrypted
            | SignError::SshKeygen(_)
            | SignError::Key(_)
            | SignError::NoEntropy
            | SignError::Signature(_)
            | SignError::OtherKey => {
                "see `ssh-add -l`; name the key with --key SHA256:…, --key PATH or \
                 --key ssh-keygen:PATH"
            }
        };
        Self::new(exit, error.to_string(), "nothing was signed and nothing was sent", remedy)
    }
}

#[cfg(test)]
mod tests;
