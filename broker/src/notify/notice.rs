//! One notice: what it tells of, to whom, under which name.

use std::sync::Arc;

use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::entry::Cause;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::{DependencyId, PrincipalId, ScopeId, StageId, TargetId};
use breakglass_ledger::statement::Lane;
use breakglass_ledger::time::{Timestamp, Ttl};

use crate::alarm::Alarm;

/// One thing to tell at one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    /// Its name, for ever: the idempotency key. See [`name`].
    pub(super) id: Salt,
    /// `seq` of the entry that it tells of.
    pub(super) entry: u64,
    /// When that was written.
    pub(super) at: Timestamp,
    /// What happened.
    pub(super) topic: Topic,
    /// To what.
    pub(super) about: Arc<About>,
    /// Those whose address it is, ascending.
    pub(super) to: Vec<PrincipalId>,
    /// Where to.
    pub(super) address: Address,
    /// First second at which telling it has no point any more.
    pub(super) until: Timestamp,
}

impl Notice {
    /// The request it is about, if it is about one.
    pub(super) fn request(&self) -> Option<RequestId> {
        match self.about.as_ref() {
            About::Request(facts) => Some(facts.id),
            About::Outage(_) | About::Target(..) | About::Nothing => None,
        }
    }
}

/// An address as the policy has it: a scheme that names a channel, and the rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address(String);

impl Address {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The whole.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Before the first colon: which channel.
    pub(super) fn scheme(&self) -> &str {
        self.0.split_once(':').map_or("", |(scheme, _)| scheme)
    }

    /// Behind it: whom, in the channel's own way.
    pub(super) fn rest(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, rest)| rest)
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    /// Somebody asks, and approvers are to answer.
    Asked,
    /// Somebody asks in the emergency lane: nobody is needed to agree, anybody concerned can cancel.
    Emergency,
    /// A stage was unanswered for too long and was passed on.
    Escalated(StageId),
    /// The request is still unanswered; from 1.
    Reminder(u32),
    /// Everybody needed has agreed: the requester can collect.
    Approved,
    /// Somebody said no.
    Denied,
    /// Nobody answered in time, or it was not collected.
    Lapsed,
    /// A new policy does not allow what waited: the name of what it forbids.
    Disallowed(String),
    /// A credential is out, good until then.
    Issued(Timestamp),
    /// A credential was taken back; and whether the grant has to be reviewed.
    Revoked(Cause, bool),
    /// A credential expired and the grant has to be reviewed.
    ReviewDue,
    /// A dependency is down, or one person says so.
    OutageBegan,
    /// It is up again.
    OutageEnded,
    /// A host has not reported a revocation in time, accepted a revoked credential, or saw one that the
    /// ledger knows nothing of.
    Alarm(Alarm),
    /// The operator tries a channel.
    Test,
}

/// How loud a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// For information.
    Tells,
    /// Somebody waits for an answer.
    Asks,
    /// Wake people up.
    Loud,
}

impl Topic {
    /// Its name to programs.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Emergency => "emergency",
            Self::Escalated(_) => "escalated",
            Self::Reminder(_) => "reminder",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Lapsed => "lapsed",
            Self::Disallowed(_) => "disallowed",
            Self::Issued(_) => "issued",
            Self::Revoked(..) => "revoked",
            Self::ReviewDue => "review-due",
            Self::OutageBegan => "outage-began",
            Self::OutageEnded => "outage-ended",
            Self::Alarm(alarm) => alarm.name(),
            Self::Test => "test",
        }
    }

    /// How loud.
    pub(super) const fn urgency(&self) -> Urgency {
        match self {
            Self::Emergency | Self::Escalated(_) | Self::OutageBegan | Self::Alarm(_) => {
                Urgency::Loud
            }
            Self::Asked | Self::Reminder(_) => Urgency::Asks,
            Self::Approved
            | Self::Denied
            | Self::Lapsed
            | Self::Disallowed(_)
            | Self::Issued(_)
            | Self::Revoked(..)
            | Self::ReviewDue
            | Self::OutageEnded
            | Self::Test => Urgency::Tells,
        }
    }

    /// Whether it asks for an answer to the request, so that nobody needs it once that is settled.
    pub(super) const fn is_question(&self) -> bool {
        match self {
            Self::Asked | Self::Escalated(_) | Self::Reminder(_) => true,
            Self::Emergency
            | Self::Approved
            | Self::Denied
            | Self::Lapsed
            | Self::Disallowed(_)
            | Self::Issued(_)
            | Self::Revoked(..)
            | Self::ReviewDue
            | Self::OutageBegan
            | Self::OutageEnded
            | Self::Alarm(_)
            | Self::Test => false,
        }
    }

    /// The number of the reminder; 0 for anything else.
    pub(super) const fn reminder(&self) -> u32 {
        if let Self::Reminder(number) = self { *number } else { 0 }
    }
}

/// What it happened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// A request.
    Request(Asked),
    /// A watched dependency.
    Outage(DependencyId),
    /// A target of a host, and the grant whose end has not come there.
    Target(TargetId, Option<RequestId>),
    /// Nothing: a test.
    Nothing,
}

/// What a notice says of a request. Never its reason: that is free text, and may be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The request.
    pub(super) id: RequestId,
    /// Who asks.
    pub(super) by: PrincipalId,
    /// For what.
    pub(super) scope: ScopeId,
    /// What that opens, in the policy's words.
    pub(super) title: String,
    /// By which way.
    pub(super) lane: Lane,
    /// For how long.
    pub(super) ttl: Ttl,
    /// The incident's number.
    pub(super) incident: Option<String>,
    /// The beginning of the subject key's fingerprint, to compare with the approval screen.
    pub(super) fingerprint: Option<String>,
    /// First second at which it no longer waits.
    pub(super) lapses: Timestamp,
}

/// The name of the notice about entry `seq` to `address`: the first 16 bytes of SHA-256 of `seq`, LF
/// and the address; for the nth reminder of LF and n as well. The same after a restart.
pub(super) fn name(seq: u64, address: &str, reminder: u32) -> Salt {
    let first = format!("{seq}\n{address}");
    let named = if reminder == 0 { first } else { format!("{first}\n{reminder}") };
    let digest = Digest::of(named.as_bytes());
    let mut half = [0; 16];
    half.copy_from_slice(digest.as_bytes().split_at(16).0);
    Salt::from_bytes(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against `printf '7\nntfy:sam' | sha256sum`, and with `\n1` behind it.
    #[test]
    fn a_notice_is_named_by_what_it_tells_and_to_whom() {
        assert_eq!(name(7, "ntfy:sam", 0).to_string(), "14d86b3abed63d6a4041d061e8a71d0b");
        assert_eq!(name(7, "ntfy:sam", 1).to_string(), "3eab203ed1d52b75caf0a83e9f9666af");
    }

    #[test]
    fn an_address_is_a_channel_and_the_rest() {
        let address = Address::new("webhook:a:b");
        assert_eq!((address.scheme(), address.rest()), ("webhook", "a:b"));
    }
}
