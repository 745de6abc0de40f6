//! The user's ssh-agent: what it holds, signatures, and lending it a certificate for a while.
//!
//! Speaks the agent protocol (RFC 9987) itself: four questions over a Unix socket, each answered
//! within a bounded time by a bounded message. FIDO keys need nothing special here; the agent asks
//! for the touch.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::sshwire::{Builder, Reader};

/// A connection to an agent.
pub struct Agent {
    stream: UnixStream,
    touch_within: Duration,
}

/// One key that an agent can sign with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The public key or certificate, in wire form.
    pub blob: Vec<u8>,
    /// What its owner called it. Not to be trusted for anything.
    pub comment: String,
}

impl Agent {
    /// Whether `SSH_AUTH_SOCK` names a socket.
    #[must_use]
    pub fn is_announced() -> bool {
        socket().is_some()
    }

    /// Connects to the agent that `SSH_AUTH_SOCK` names.
    ///
    /// # Errors
    ///
    /// [`AgentError::Absent`] if there is none, [`AgentError::Io`] if it does not answer.
    pub fn connect() -> Result<Self, AgentError> {
        Self::at(&socket().ok_or(AgentError::Absent)?)
    }

    /// Connects to the agent listening on `socket`.
    ///
    /// # Errors
    ///
    /// [`AgentError::Io`] if nobody listens there.
    pub fn at(socket: &Path) -> Result<Self, AgentError> {
        let stream = UnixStream::connect(socket)?;
        stream.set_write_timeout(Some(ANSWER_WITHIN))?;
        Ok(Self { stream, touch_within: TOUCH_WITHIN })
    }

    /// The same agent, given `within` to sign instead of the two minutes that a person may need to
    /// find a token and touch it.
    #[must_use]
    pub fn given(self, within: Duration) -> Self {
        Self { stream: self.stream, touch_within: within }
    }

    /// Every key it holds, in its order.
    ///
    /// # Errors
    ///
    /// [`AgentError`] if it does not answer as the protocol says.
    pub fn identities(&mut self) -> Result<Vec<Identity>, AgentError> {
        let answer = self.ask(&[REQUEST_IDENTITIES], ANSWER_WITHIN)?;
        let mut reader = expect(&answer, IDENTITIES_ANSWER)?;
        let count = reader.uint32().filter(|count| *count <= IDENTITIES_MAX);
        let mut identities = Vec::new();
        for _ in 0..count.ok_or(AgentError::Malformed)? {
            let blob = reader.string().ok_or(AgentError::Malformed)?.to_vec();
            let comment = reader.string().ok_or(AgentError::Malformed)?;
            identities.push(Identity { blob, comment: String::from_utf8_lossy(comment).into() });
        }
        if reader.is_empty() { Ok(identities) } else { Err(AgentError::Malformed) }
    }

    /// The SSH signature blob over `message` by the key `blob`. May wait for a touch.
    ///
    /// # Errors
    ///
    /// [`AgentError::Refused`] if the agent does not hold the key, is locked, or nobody touched it;
    /// [`AgentError::Silent`] if it says nothing at all.
    pub fn sign(&mut self, blob: &[u8], message: &[u8]) -> Result<Vec<u8>, AgentError> {
        let question =
            Builder::new().byte(SIGN_REQUEST).string(blob).string(message).uint32(0).into_bytes();
        let answer = self.ask(&question, self.touch_within)?;
        let mut reader = expect(&answer, SIGN_RESPONSE)?;
        let signature = reader.string().ok_or(AgentError::Malformed)?.to_vec();
        if reader.is_empty() { Ok(signature) } else { Err(AgentError::Malformed) }
    }

    /// Lends the agent a certificate and its key for `seconds`; it forgets them on the
    /// second. Only the certificate is loaded, never the plain key, which would open nothing and
    /// stay behind.
    ///
    /// # Errors
    ///
    /// [`AgentError::Refused`] if the agent takes no keys or no lifetimes.
    pub fn lend(&mut self, loan: &Loan<'_>) -> Result<(), AgentError> {
        let begin = Builder::new().byte(ADD_ID_CONSTRAINED);
        let question = match loan.private {
            Private::Ed25519 { public, seed } => {
                let mut pair = Zeroizing::new(Vec::with_capacity(64));
                pair.extend_from_slice(seed);
                pair.extend_from_slice(public);
                let begin = begin.string(ED25519_CERTIFICATE).string(loan.certificate);
                begin.string(public).string(&pair)
            }
            Private::P256 { scalar } => {
                begin.string(P256_CERTIFICATE).string(loan.certificate).unsigned(scalar)
            }
        };
        let question = Zeroizing::new(
            question
                .string(loan.comment.as_bytes())
                .byte(CONSTRAIN_LIFETIME)
                .uint32(loan.seconds)
                .into_bytes(),
        );
        let answer = self.ask(&question, ANSWER_WITHIN)?;
        expect(&answer, SUCCESS).map(drop)
    }

    /// Makes the agent forget the key or certificate `blob`.
    ///
    /// # Errors
    ///
    /// [`AgentError::Refused`] if it did not hold it.
    pub fn remove(&mut self, blob: &[u8]) -> Result<(), AgentError> {
        let question = Builder::new().byte(REMOVE_IDENTITY).string(blob).into_bytes();
        let answer = self.ask(&question, ANSWER_WITHIN)?;
        expect(&answer, SUCCESS).map(drop)
    }

    fn ask(&mut self, question: &[u8], within: Duration) -> Result<Vec<u8>, AgentError> {
        let length = u32::try_from(question.len()).map_err(|_| AgentError::TooLong)?;
        self.stream.set_read_timeout(Some(within))?;
        self.stream.write_all(&length.to_be_bytes())?;
        self.stream.write_all(question)?;
        let mut length = [0; 4];
        self.hear(&mut length, within)?;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > MESSAGE_MAX {
            return Err(AgentError::TooLong);
        }
        let mut answer = vec![0; length];
        self.hear(&mut answer, within)?;
        Ok(answer)
    }

    fn hear(&mut self, bytes: &mut [u8], within: Duration) -> Result<(), AgentError> {
        self.stream.read_exact(bytes).map_err(|error| {
            // Which of the two a timeout is, depends on the system.
            let is_late = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            if is_late { AgentError::Silent(within) } else { error.into() }
        })
    }
}

/// A private key as the agent protocol carries it beside a certificate (RFC 9987).
pub enum Private<'a> {
    /// Ed25519: the public key, 32 bytes, and the private key's seed (RFC 8032, 5.1.5).
    Ed25519 {
        /// The certified public key.
        public: &'a [u8; 32],
        /// The seed.
        seed: &'a [u8; 32],
    },
    /// P-256: the private number, big-endian.
    P256 {
        /// The number.
        scalar: &'a [u8; 32],
    },
}

/// What an agent is lent: a certificate with its key.
pub struct Loan<'a> {
    /// The certificate in wire form.
    pub certificate: &'a [u8],
    /// The key that is certified.
    pub private: Private<'a>,
    /// What `ssh-add -l` shows.
    pub comment: &'a str,
    /// Remaining life, whole seconds, at least 1.
    pub seconds: u32,
}

/// Why the agent was of no help.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// No agent is running for this user.
    #[error("no ssh-agent is running here (SSH_AUTH_SOCK is not set)")]
    Absent,
    /// It could not be talked to.
    #[error("cannot talk to ssh-agent: {0}")]
    Io(#[from] std::io::Error),
    /// It is there and says nothing. For a signature: nobody touched the key, or confirmed its use.
    #[error("ssh-agent said nothing for {} seconds; it hangs, or waits for a touch or a yes", .0.as_secs())]
    Silent(Duration),
    /// It said no: key not held, agent locked, or no touch in time.
    #[error("ssh-agent refused (key not held, agent locked, or the key was not touched in time)")]
    Refused,
    /// Its answer is not of the protocol.
    #[error("ssh-agent gave an answer that is not of the agent protocol")]
    Malformed,
    /// A message is over the limit.
    #[error("a message to or from ssh-agent is over 256 KiB")]
    TooLong,
}

impl From<AgentError> for Failure {
    fn from(error: AgentError) -> Self {
        Self::new(
            Exit::Internal,
            error.to_string(),
            "nothing was signed",
            "check `ssh-add -l`, or name a key file with --key PATH",
        )
    }
}

fn socket() -> Option<PathBuf> {
    std::env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn expect(answer: &[u8], kind: u8) -> Result<Reader<'_>, AgentError> {
    let mut reader = Reader::new(answer);
    match reader.byte() {
        Some(found) if found == kind => Ok(reader),
        Some(FAILURE) => Err(AgentError::Refused),
        Some(_) | None => Err(AgentError::Malformed),
    }
}

/// What OpenSSH's agent allows in either direction (`AGENT_MAX_LEN`).
const MESSAGE_MAX: usize = 256 * 1024;

/// More keys than a person has; OpenSSH's own client stops at 2,048.
const IDENTITIES_MAX: u32 = 2048;

/// An agent answers from memory; one that takes longer hangs.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// A person has to find the token and touch it.
const TOUCH_WITHIN: Duration = Duration::from_secs(120);

const ED25519_CERTIFICATE: &[u8] = b"ssh-ed25519-cert-v01@openssh.com";
const P256_CERTIFICATE: &[u8] = b"ecdsa-sha2-nistp256-cert-v01@openssh.com";

// RFC 9987, section 6.1: message numbers; section 6.2: constraints.
const FAILURE: u8 = 5;
const SUCCESS: u8 = 6;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
const REMOVE_IDENTITY: u8 = 18;
const ADD_ID_CONSTRAINED: u8 = 25;
const CONSTRAIN_LIFETIME: u8 = 1;
