//! The one table from our errors to gRPC.
//!
//! Refusals are told in full, form errors name field, rule and remedy; faults are ours: told by
//! name only, their causes go to the log.

use std::time::Duration;

use breakglass_ledger::sshsig::SshSigError;
use breakglass_proto::{REFUSAL_METADATA, v1};
use breakglass_rules::{AskRefusal, Refusal};
use prost::Message;
use tonic::metadata::{BinaryMetadataKey, BinaryMetadataValue, MetadataMap, MetadataValue};
use tonic::{Code, Status};

use super::code::code;
use super::form::FormError;
use super::limits::{BUSY_RETRY, RESUME_MAX};
use super::session::SessionError;
use crate::crowd::{Full, Wait};
use crate::desk::DeskError;
use crate::report;
use crate::store::StoreError;

/// Why a call gets no answer. An answer and this exclude each other (R15).
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// The call is not in form.
    #[error(transparent)]
    Form(#[from] FormError),
    /// The session does not allow reading.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// Signed by a key that nobody here knows. Nothing was written.
    #[error(
        "key {fingerprint} is not enrolled, and is not the subject key of a request; nothing was \
         written down: sign with an enrolled key"
    )]
    Stranger {
        /// The key that signed.
        fingerprint: String,
    },
    /// There is none, or it is not the caller's business: which of both is not told (R13, R34).
    #[error("no such request, or not one that you may read; check the id and who you sign as")]
    NotReadable,
    /// Known, but not entitled to this.
    #[error("{0}")]
    NotEntitled(&'static str),
    /// A number or id that cannot be.
    #[error("`{field}`: {rule}")]
    Field {
        /// Which field of the message.
        field: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// More than there is.
    #[error(
        "{asked} entries are asked for and the log has {size}; if you have seen more, the \
             broker was rolled back: stop, and keep what you have"
    )]
    Beyond {
        /// What was asked for.
        asked: u64,
        /// What there is.
        size: u64,
    },
    /// Further back than a stream goes.
    #[error(
        "entry {after} is more than {RESUME_MAX} entries before the newest of {size}; list what is \
         open, then watch without `after_seq`"
    )]
    TooFarBack {
        /// Where the caller wants to go on.
        after: u64,
        /// What there is.
        size: u64,
    },
    /// Too often.
    #[error("{what} come too often; slow down and repeat in {}", seconds(*wait))]
    TooOften {
        /// Which calls.
        what: &'static str,
        /// How long to wait.
        wait: Duration,
    },
    /// Too many streams at once.
    #[error("too many streams are open ({}); close one, or repeat later", whose(*.0))]
    Streams(Full),
    /// The desk did not do it.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// A lock stops it; whoever is stopped is told which, and why.
    #[error("{refusal}")]
    Locked {
        /// Which rule, and what to do.
        refusal: Box<Refusal>,
        /// The `refused` entry.
        seq: Option<u64>,
        /// The lock with its message; `None` if it was lifted meanwhile.
        lock: Option<Box<v1::LockView>>,
    },
    /// We are going down.
    #[error("the broker is stopping; repeat in a moment, here or at another address")]
    Stopping,
    /// A fault of ours that has no other name.
    #[error("{0}")]
    Fault(&'static str),
}

impl From<StoreError> for CallError {
    fn from(error: StoreError) -> Self {
        Self::Desk(error.into())
    }
}

impl From<CallError> for Status {
    fn from(error: CallError) -> Self {
        let text = error.to_string();
        match error {
            CallError::Form(FormError::Signature { source, .. }) => {
                Self::new(signature_code(&source), text)
            }
            CallError::Form(_) | CallError::Field { .. } => Self::invalid_argument(text),
            CallError::Session(error) => Self::new(error.code(), text),
            CallError::Stranger { .. } => Self::unauthenticated(text),
            CallError::NotReadable => Self::not_found(text),
            CallError::NotEntitled(_) => Self::permission_denied(text),
            CallError::Beyond { .. } | CallError::TooFarBack { .. } => Self::out_of_range(text),
            CallError::TooOften { wait, .. } => later(Code::ResourceExhausted, text, wait),
            CallError::Streams(_) => later(Code::ResourceExhausted, text, BUSY_RETRY),
            CallError::Locked { refusal, seq, lock } => refused(&refusal, seq, lock.map(|it| *it)),
            CallError::Desk(error) => desk(error),
            CallError::Stopping => later(Code::Unavailable, text, BUSY_RETRY),
            CallError::Fault(_) => Self::internal(text),
        }
    }
}

/// Too soon, for calls of the kind `what`.
pub(super) const fn too_often(what: &'static str) -> impl FnOnce(Wait) -> CallError {
    move |Wait(wait)| CallError::TooOften { what, wait }
}

/// What the desk's answer is on the wire.
fn desk(error: DeskError) -> Status {
    match error {
        DeskError::Refused { refusal, seq } => refused(&refusal, seq, None),
        // Of what the authority signed: told in full, like a refusal.
        fault @ (DeskError::Policy(_) | DeskError::Rules(_)) => {
            Status::failed_precondition(report::chain(&fault))
        }
        DeskError::NoFiles => Status::invalid_argument(error.to_string()),
        DeskError::NoText => Status::not_found(error.to_string()),
        DeskError::Busy => later(
            Code::Unavailable,
            "too many commands are waiting; repeat the same bytes in a second".into(),
            BUSY_RETRY,
        ),
        DeskError::Store(StoreError::Busy) => later(
            Code::Unavailable,
            "too many reads at once; repeat in a second".into(),
            BUSY_RETRY,
        ),
        DeskError::Stopped => CallError::Stopping.into(),
        fault @ DeskError::ClockAhead { .. } => {
            report::fault("answering a call", &fault);
            Status::unavailable("the broker's clock has jumped; its operator has to look")
        }
        fault @ DeskError::KeyAway(_) => {
            report::fault("answering a call", &fault);
            later(Code::Unavailable, fault.to_string(), BUSY_RETRY)
        }
        fault @ (DeskError::Mint(_)
        | DeskError::Store(_)
        | DeskError::Entropy(_)
        | DeskError::Ledger { .. }) => {
            report::fault("answering a call", &fault);
            Status::internal(fault.to_string())
        }
    }
}

/// A refusal in words, with its number for machines beside it.
fn refused(refusal: &Refusal, seq: Option<u64>, lock: Option<v1::LockView>) -> Status {
    let first = if let Refusal::Ask(AskRefusal::Duplicate { first }) = refusal {
        Some(first)
    } else {
        None
    };
    let detail = v1::RefusalDetail {
        number: refusal.number(),
        name: refusal.name().to_owned(),
        seq,
        first_request_id: first.map(ToString::to_string).unwrap_or_default(),
        lock,
    };
    let mut metadata = MetadataMap::new();
    if let Ok(key) = BinaryMetadataKey::from_bytes(REFUSAL_METADATA.as_bytes()) {
        metadata.insert_bin(key, BinaryMetadataValue::from_bytes(&detail.encode_to_vec()));
    }
    Status::with_metadata(code(refusal), refusal.to_string(), metadata)
}

/// Which code a signature's fault has: not in form, or in form and not theirs.
const fn signature_code(error: &SshSigError) -> Code {
    match error {
        SshSigError::Malformed { .. }
        | SshSigError::KeyType(_)
        | SshSigError::Weak
        | SshSigError::Namespace { .. } => Code::InvalidArgument,
        SshSigError::Bad | SshSigError::UserPresence => Code::Unauthenticated,
    }
}

/// A status that says when to come again: `retry-after`, in whole seconds, at least 1.
fn later(code: Code, text: String, wait: Duration) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert("retry-after", MetadataValue::from(whole_seconds(wait)));
    Status::with_metadata(code, text, metadata)
}

fn whole_seconds(wait: Duration) -> u64 {
    let more = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(more).max(1)
}

fn seconds(wait: Duration) -> String {
    format!("{} s", whole_seconds(wait))
}

const fn whose(full: Full) -> &'static str {
    match full {
        Full::Room => "of everybody",
        Full::Holder => "of yours",
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn told(error: impl Into<CallError>) -> Status {
        error.into().into()
    }

    /// R19: causes may name files, statements or worse; they are for the log.
    #[test]
    fn a_fault_of_ours_is_told_by_name_only() {
        let status = told(StoreError::Missing(PathBuf::from("/secret/place")));
        assert_eq!((status.code(), status.message()), (Code::Internal, "storing failed"));
    }

    #[test]
    fn what_passes_says_when_to_come_again() {
        for (error, code) in [
            (CallError::from(DeskError::Busy), Code::Unavailable),
            (DeskError::Stopped.into(), Code::Unavailable),
            (StoreError::Busy.into(), Code::Unavailable),
            (CallError::Streams(Full::Room), Code::ResourceExhausted),
            (too_often("acts")(Wait(Duration::from_millis(1100))), Code::ResourceExhausted),
        ] {
            let status = told(error);
            assert_eq!(status.code(), code, "{status}");
            let seconds = status.metadata().get("retry-after").expect("retry-after");
            assert!(["1", "2"].contains(&seconds.to_str().expect("text")), "{status}");
        }
    }

    #[test]
    fn waiting_is_told_in_whole_seconds_and_never_too_short() {
        assert_eq!(whole_seconds(Duration::from_millis(0)), 1);
        assert_eq!(whole_seconds(Duration::from_millis(1001)), 2);
        assert_eq!(whole_seconds(Duration::from_secs(2)), 2);
    }

    #[test]
    fn a_refusal_names_its_number_beside_its_words() {
        let refusal = Refusal::Ask(AskRefusal::SubjectKeyMissing);
        let words = refusal.to_string();
        let status = told(DeskError::Refused { refusal, seq: Some(7) });
        assert_eq!(status.message(), words);
        let bytes = status.metadata().get_bin(REFUSAL_METADATA).expect("a detail").to_bytes();
        let detail = v1::RefusalDetail::decode(bytes.expect("bytes")).expect("a refusal");
        assert_eq!(detail.number, Refusal::Ask(AskRefusal::SubjectKeyMissing).number());
        assert_eq!((detail.name.as_str(), detail.seq), ("subject-key-missing", Some(7)));
    }
}
