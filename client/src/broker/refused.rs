//! What can go wrong on the far side, by what the user can do about it.

use breakglass_proto::{REFUSAL_METADATA, v1};
use prost::Message;
use tonic::{Code, Status};

use crate::failure::{Exit, Failure, Rule};
use crate::output::clean;

/// Why a broker did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// Nobody answered.
    #[error("no broker answered")]
    Unreachable {
        /// Each address and why.
        tried: Vec<(String, String)>,
    },
    /// Somebody answered who is not the pinned broker.
    #[error("{address} is not your broker: {why}")]
    NotPinned {
        /// Who answered.
        address: String,
        /// What is wrong with its certificate.
        why: String,
    },
    /// A broker showed a checkpoint that cannot be believed.
    #[error("a broker's ledger is not believed")]
    Disbelieved(#[source] Failure),
    /// The rules say no.
    #[error("{message}")]
    Refused {
        /// The broker's own sentence.
        message: String,
        /// Number and name.
        rule: Rule,
    },
    /// The broker does not recognise key, signature or session.
    #[error("{0}")]
    Unrecognised(String),
    /// The broker knows no such request, or does not tell this caller.
    #[error("{0}")]
    NotFound(String),
    /// What was sent has not the right form.
    #[error("{0}")]
    Form(String),
    /// A limit of the broker.
    #[error("{message}")]
    Limit {
        /// The broker's own sentence.
        message: String,
        /// When to come back, seconds, as it says.
        retry_after: Option<String>,
    },
    /// What was answered has not the right form.
    #[error("the broker's answer is malformed: {0}")]
    Malformed(&'static str),
    /// A fault, on either side.
    #[error("{0}")]
    Fault(String),
}

impl BrokerError {
    /// What `status` from `address` means.
    pub(super) fn of(status: &Status, address: &str) -> Self {
        let mut message = status.message().to_owned();
        if let Some((rule, lock)) = rule(status) {
            if let Some(lock) = lock.filter(|lock| !lock.message.is_empty()) {
                message =
                    format!("{message}\n  {} says: “{}”", clean(&lock.by), clean(&lock.message));
            }
            return Self::Refused { message, rule };
        }
        match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => Self::Unrecognised(message),
            Code::NotFound => Self::NotFound(message),
            Code::InvalidArgument
            | Code::FailedPrecondition
            | Code::AlreadyExists
            | Code::OutOfRange => Self::Form(message),
            Code::ResourceExhausted => {
                let after = status.metadata().get("retry-after");
                let after = after.and_then(|value| value.to_str().ok()).map(ToOwned::to_owned);
                Self::Limit { message, retry_after: after }
            }
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => {
                Self::Unreachable { tried: vec![(address.to_owned(), message)] }
            }
            Code::Ok
            | Code::Unknown
            | Code::Aborted
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss => Self::Fault(message),
        }
    }

    /// Of several failures the one the user must hear of: the wrong broker before a silent one.
    pub(super) fn worst(failures: Vec<Self>) -> Self {
        let (mut all, mut other) = (Vec::new(), None);
        for failure in failures {
            match failure {
                Self::Unreachable { tried } => all.extend(tried),
                error @ Self::NotPinned { .. } => return error,
                error @ (Self::Disbelieved(_)
                | Self::Refused { .. }
                | Self::Unrecognised(_)
                | Self::NotFound(_)
                | Self::Form(_)
                | Self::Limit { .. }
                | Self::Malformed(_)
                | Self::Fault(_)) => other = Some(error),
            }
        }
        other.unwrap_or(Self::Unreachable { tried: all })
    }
}

/// Whether nobody has answered, so that somebody may be asked again. A refusal is an answer, whatever its
/// code: it is written down, and the same statement would be refused for having been sent before.
pub(super) fn is_gone(status: &Status) -> bool {
    let is_unheard =
        matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled);
    is_unheard && rule(status).is_none()
}

fn rule(status: &Status) -> Option<(Rule, Option<v1::LockView>)> {
    let bytes = status.metadata().get_bin(REFUSAL_METADATA)?.to_bytes().ok()?;
    let detail = v1::RefusalDetail::decode(bytes).ok()?;
    let first = Some(detail.first_request_id).filter(|id| !id.is_empty());
    let (number, name, seq) = (detail.number, detail.name, detail.seq);
    Some((Rule { number, name, seq, first_request: first }, detail.lock))
}

/// How a refusal ends the command, by the rule's name.
fn exit_of(rule: &str) -> Exit {
    match rule {
        "late" | "expired" => Exit::Lapsed,
        "not-approved-yet" => Exit::Pending,
        "key-unknown" | "key-not-theirs" => Exit::Unrecognised,
        "seen-mismatch" | "seen-future" => Exit::Tampered,
        _ => Exit::Refused,
    }
}

impl From<BrokerError> for Failure {
    fn from(error: BrokerError) -> Self {
        let text = error.to_string();
        match error {
            BrokerError::Disbelieved(failure) => failure,
            BrokerError::Refused { rule, .. } => {
                // The broker's sentence already says what it means and what to do.
                Self::new(exit_of(&rule.name), text, "", "").with_rule(rule)
            }
            BrokerError::Unreachable { tried } => {
                let each = tried.iter().map(|(address, why)| format!("{address}: {why}"));
                Self::new(
                    Exit::Unreachable,
                    format!("{text} ({})", each.collect::<Vec<_>>().join("; ")),
                    "if an act was being sent, it may or may not have been recorded",
                    "try again (the same act is never recorded twice), or give another --broker",
                )
            }
            BrokerError::NotPinned { .. } => Self::new(
                Exit::Unrecognised,
                text,
                "its certificate is not from the CA in your configuration; nothing was sent",
                "check the address; change `tls-ca` only with what the operator gave you",
            ),
            BrokerError::Unrecognised(_) => Self::new(
                Exit::Unrecognised,
                text,
                "the broker does not let this key do or read this",
                "check `by` and `key` in your configuration against people.toml",
            ),
            BrokerError::NotFound(_) => Self::new(
                Exit::Unrecognised,
                text,
                "there is no such thing, or it is not yours to see",
                "check the id",
            ),
            BrokerError::Form(_) => Self::new(Exit::Usage, text, "nothing was recorded", ""),
            BrokerError::Limit { retry_after, .. } => Self::new(
                Exit::Unreachable,
                text,
                "nothing was recorded",
                retry_after.map_or_else(
                    || "wait a little and try again".to_owned(),
                    |after| format!("try again in {after} s"),
                ),
            ),
            BrokerError::Malformed(_) => Self::new(
                Exit::Malformed,
                text,
                "it is not used for anything",
                "check that client and broker are of versions that fit",
            ),
            BrokerError::Fault(_) => Self::new(
                Exit::Internal,
                format!("the broker failed: {text}"),
                "the cause is in the broker's log",
                "try again; then tell the operator",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::metadata::MetadataValue;

    use super::*;

    fn refusal(number: u32, name: &str) -> Failure {
        let detail = v1::RefusalDetail {
            number,
            name: name.to_owned(),
            seq: Some(41),
            first_request_id: String::new(),
            lock: None,
        };
        let mut status = Status::permission_denied("no; it means no: ask somebody else");
        let value = MetadataValue::from_bytes(&detail.encode_to_vec());
        status.metadata_mut().insert_bin(REFUSAL_METADATA, value);
        BrokerError::of(&status, "a:1").into()
    }

    #[test]
    fn a_refusal_is_told_with_its_number_name_and_entry() {
        let failure = refusal(17, "self-approval");
        assert_eq!(failure.exit(), Exit::Refused);
        let rule = failure.rule().unwrap();
        assert_eq!((rule.number, rule.name.as_str(), rule.seq), (17, "self-approval", Some(41)));
    }

    #[test]
    fn a_late_act_and_an_unknown_key_have_their_own_exit_codes() {
        assert_eq!(refusal(1, "late").exit(), Exit::Lapsed);
        assert_eq!(refusal(1, "not-approved-yet").exit(), Exit::Pending);
        assert_eq!(refusal(1, "key-unknown").exit(), Exit::Unrecognised);
        assert_eq!(refusal(1, "seen-mismatch").exit(), Exit::Tampered);
    }

    #[test]
    fn of_several_failures_the_wrong_broker_is_told_before_silence() {
        let silent = BrokerError::Unreachable { tried: vec![("a:1".into(), "refused".into())] };
        let wrong = BrokerError::NotPinned { address: "b:1".into(), why: "UnknownIssuer".into() };
        let worst = Failure::from(BrokerError::worst(vec![silent, wrong]));
        assert_eq!(worst.exit(), Exit::Unrecognised);
        let silent = BrokerError::Unreachable { tried: vec![("a:1".into(), "refused".into())] };
        assert_eq!(Failure::from(BrokerError::worst(vec![silent])).exit(), Exit::Unreachable);
    }
}
