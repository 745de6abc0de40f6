//! Leave to read: a signed `session` statement, verified once and then remembered until it ends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::policy::Policy;
use breakglass_ledger::principal::{Origin, PrincipalId};
use breakglass_ledger::sshsig::SshSigError;
use breakglass_ledger::statement::{Act, SESSION_MAX_SECONDS, Session as Body, Statement};
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1;
use tonic::Code;

use super::form::{FormError, signed};

/// Why a session allows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SessionError {
    /// None was shown.
    #[error("`session`: missing; every read needs a signed session statement")]
    Missing,
    /// It is not in form.
    #[error("`session`: {0}")]
    Form(#[from] FormError),
    /// It is another act.
    #[error("`session.statement`: not a session statement; sign one for reading")]
    OtherAct,
    /// It is for another ledger.
    #[error("the session is for {found}, this is {expected}; sign one for this log")]
    OtherLog {
        /// Origin of this ledger.
        expected: Origin,
        /// Origin in the statement.
        found: Origin,
    },
    /// It is over.
    #[error("the session ended at {at}; sign a new one")]
    Over {
        /// First second at which it allows nothing.
        at: Timestamp,
    },
    /// It would live too long.
    #[error(
        "the session ends at {at}, more than {SESSION_MAX_SECONDS} s ahead; sign a shorter one"
    )]
    TooLong {
        /// When it would end.
        at: Timestamp,
    },
    /// Nobody's key.
    #[error("the session's key {key} is not enrolled and not the subject key of a request of {by}")]
    KeyUnknown {
        /// Fingerprint.
        key: String,
        /// Whom the statement names.
        by: PrincipalId,
    },
    /// Somebody else's key.
    #[error("the session says {by}, but its key {key} belongs to somebody else; sign as yourself")]
    KeyNotTheirs {
        /// Fingerprint.
        key: String,
        /// Whom the statement names.
        by: PrincipalId,
    },
}

impl SessionError {
    /// Not in form, or in form and not valid.
    pub(super) const fn code(&self) -> Code {
        match self {
            Self::Form(FormError::Signature {
                source: SshSigError::Bad | SshSigError::UserPresence,
                ..
            })
            | Self::Missing
            | Self::OtherLog { .. }
            | Self::Over { .. }
            | Self::TooLong { .. }
            | Self::KeyUnknown { .. }
            | Self::KeyNotTheirs { .. } => Code::Unauthenticated,
            Self::Form(_) | Self::OtherAct => Code::InvalidArgument,
        }
    }
}

/// Who reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    /// An enrolled principal, by one of their keys.
    Principal(PrincipalId),
    /// A signer of the policy's authority, who need not be enrolled: reads the policy and the whole
    /// record, because whoever answers for the rules must see what became of them.
    Signer(PrincipalId),
    /// Whoever holds the subject key of this request, and for nothing else.
    Subject(RequestId),
}

/// A session whose form, signature and time are right; whose key it is remains to be seen.
#[derive(Clone, Debug)]
pub(super) struct Proven {
    by: PrincipalId,
    key: PublicKey,
    until: Timestamp,
}

/// Leave to read.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// Who reads.
    pub(super) who: Who,
    /// First second at which it allows nothing.
    pub(super) until: Timestamp,
    key: PublicKey,
}

/// Checks what can be checked of a session without looking anything up.
///
/// # Errors
///
/// [`SessionError`]: the first rule that is broken.
pub(super) fn prove(
    shown: &v1::Session,
    log: &Origin,
    now: Timestamp,
) -> Result<Proven, SessionError> {
    let statement = Statement::parse(&shown.statement).map_err(FormError::from)?;
    let (Act::Session(Body { by }), Some(last)) = (statement.act(), statement.expires()) else {
        return Err(SessionError::OtherAct);
    };
    if statement.log() != log {
        let (expected, found) = (log.clone(), statement.log().clone());
        return Err(SessionError::OtherLog { expected, found });
    }
    // `expires` is the last second it allows anything; all our ends are the first one after.
    let until = last.plus(1);
    if until <= now {
        return Err(SessionError::Over { at: until });
    }
    if last > now.plus(SESSION_MAX_SECONDS) {
        return Err(SessionError::TooLong { at: last });
    }
    let (signature, _) = signed("session.signature", &statement, &shown.signature)?;
    Ok(Proven { by: by.clone(), key: signature.public_key().clone(), until })
}

impl Proven {
    /// The session as an enrolled principal's or an authority signer's; `None` if the key is
    /// neither's.
    ///
    /// # Errors
    ///
    /// [`SessionError::KeyNotTheirs`] if it is somebody else's.
    pub(super) fn of_principal(&self, policy: &Policy) -> Result<Option<Session>, SessionError> {
        match policy.owner_of(&self.key) {
            None => Ok((policy.authority.holder_of(&self.key) == Some(&self.by))
                .then(|| self.session(Who::Signer(self.by.clone())))),
            Some(owner) if owner.id == self.by => {
                Ok(Some(self.session(Who::Principal(self.by.clone()))))
            }
            Some(_) => Err(SessionError::KeyNotTheirs {
                key: self.key.fingerprint().to_string(),
                by: self.by.clone(),
            }),
        }
    }

    /// What a subject key is looked up by.
    pub(super) fn subject(&self) -> Digest {
        self.key.digest()
    }

    /// The session as that of a subject key, whose newest request is `request`, made by `by`.
    ///
    /// # Errors
    ///
    /// [`SessionError::KeyUnknown`] if there is none, or it is not of whom the statement names.
    pub(super) fn of_subject(
        &self,
        request: Option<(RequestId, &PrincipalId)>,
    ) -> Result<Session, SessionError> {
        match request {
            Some((id, by)) if *by == self.by => Ok(self.session(Who::Subject(id))),
            Some(_) | None => Err(SessionError::KeyUnknown {
                key: self.key.fingerprint().to_string(),
                by: self.by.clone(),
            }),
        }
    }

    fn session(&self, who: Who) -> Session {
        Session { who, until: self.until, key: self.key.clone() }
    }
}

impl Session {
    /// Whether it still allows anything at `now` under `policy`: open streams ask this again and
    /// again (R28), because time passes and people leave.
    ///
    /// # Errors
    ///
    /// [`SessionError::Over`], [`SessionError::KeyUnknown`].
    pub(super) fn still(&self, policy: &Policy, now: Timestamp) -> Result<(), SessionError> {
        if self.until <= now {
            return Err(SessionError::Over { at: self.until });
        }
        let holder = match &self.who {
            Who::Principal(by) => Some((by, policy.owner_of(&self.key).map(|owner| &owner.id))),
            Who::Signer(by) => Some((by, policy.authority.holder_of(&self.key))),
            Who::Subject(_) => None,
        };
        match holder {
            Some((by, holder)) if holder != Some(by) => Err(SessionError::KeyUnknown {
                key: self.key.fingerprint().to_string(),
                by: by.clone(),
            }),
            Some(_) | None => Ok(()),
        }
    }
}

/// Sessions verified before, so that a signature is verified once and not with every read.
pub(super) struct Sessions {
    most: usize,
    known: Mutex<HashMap<Digest, Arc<Session>>>,
}

impl Sessions {
    /// Room for `most`.
    pub(super) fn new(most: usize) -> Self {
        Self { most, known: Mutex::default() }
    }

    /// What a shown session is remembered by: statement and signature, so that nobody can use a
    /// statement they have seen with a signature they have not.
    pub(super) fn name(shown: &v1::Session) -> Digest {
        let length = u64::try_from(shown.statement.len()).unwrap_or(u64::MAX).to_be_bytes();
        Digest::of_parts(&[&length, &shown.statement, shown.signature.as_bytes()])
    }

    /// The session remembered by `name`.
    pub(super) fn recall(&self, name: Digest) -> Option<Arc<Session>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&name).cloned()
    }

    /// Remembers `session`. Those that are over make room first; if none is, all do, and are
    /// verified once more.
    pub(super) fn remember(&self, name: Digest, session: Arc<Session>, now: Timestamp) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= self.most {
            known.retain(|_, session| session.until > now);
        }
        if known.len() >= self.most {
            known.clear();
        }
        known.insert(name, session);
    }
}

#[cfg(test)]
#[path = "session/tests.rs"]
mod tests;
