//! One act of the eighteen, and what all of them have in common.

use super::bodies::{
    About, Applied, Approve, Ask, Collect, Declare, Lock, Manifest, Pickup, Resolve, Review,
    Session, Unlock, Use,
};
use super::error::StatementError;
use super::lines::Lines;
use super::words::ActKind;
use crate::bytes::Digest;
use crate::principal::PrincipalId;

/// Declares [`Act`]: each act with what it says.
macro_rules! act {
    ($($kind:ident($body:ident),)+) => {
        /// One act with everything it says.
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each variant is described at its ActKind")]
        pub enum Act {
            $($kind($body),)+
        }

        impl Act {
            /// Which act.
            #[must_use]
            pub const fn kind(&self) -> ActKind {
                match self {
                    $(Self::$kind(_) => ActKind::$kind,)+
                }
            }

            pub(super) fn take(kind: ActKind, lines: &mut Lines<'_>) -> Result<Self, StatementError> {
                match kind {
                    $(ActKind::$kind => $body::take(lines).map(Self::$kind),)+
                }
            }

            pub(super) fn put(&self, out: &mut String) {
                match self {
                    $(Self::$kind(body) => body.put(out),)+
                }
            }
        }
    };
}

act! {
    Request(Ask),
    Approve(Approve),
    Deny(About),
    Withdraw(About),
    Drop(About),
    Cancel(About),
    Escalate(About),
    Collect(Collect),
    Pickup(Pickup),
    Lock(Lock),
    Unlock(Unlock),
    Declare(Declare),
    Resolve(Resolve),
    Review(Review),
    Applied(Applied),
    Use(Use),
    Session(Session),
    Policy(Manifest),
}

impl Act {
    /// The principal who speaks; `None` where a subject key or the policy's authority does.
    #[must_use]
    pub const fn by(&self) -> Option<&PrincipalId> {
        match self {
            Self::Request(Ask { by, .. })
            | Self::Approve(Approve { by, .. })
            | Self::Deny(About { by, .. })
            | Self::Withdraw(About { by, .. })
            | Self::Drop(About { by, .. })
            | Self::Cancel(About { by, .. })
            | Self::Escalate(About { by, .. })
            | Self::Lock(Lock { by, .. })
            | Self::Unlock(Unlock { by, .. })
            | Self::Declare(Declare { by, .. })
            | Self::Resolve(Resolve { by, .. })
            | Self::Review(Review { by, .. })
            | Self::Applied(Applied { by, .. })
            | Self::Use(Use { by, .. })
            | Self::Session(Session { by }) => Some(by),
            Self::Collect(_) | Self::Pickup(_) | Self::Policy(_) => None,
        }
    }

    /// SHA-256 of the request statement that the act is about, if it is about one.
    #[must_use]
    pub const fn about(&self) -> Option<Digest> {
        match self {
            Self::Approve(Approve { request, .. })
            | Self::Deny(About { request, .. })
            | Self::Withdraw(About { request, .. })
            | Self::Drop(About { request, .. })
            | Self::Cancel(About { request, .. })
            | Self::Escalate(About { request, .. })
            | Self::Collect(Collect { request, .. })
            | Self::Pickup(Pickup { request, .. })
            | Self::Review(Review { request, .. }) => Some(*request),
            Self::Request(_)
            | Self::Lock(_)
            | Self::Unlock(_)
            | Self::Declare(_)
            | Self::Resolve(_)
            | Self::Applied(_)
            | Self::Use(_)
            | Self::Session(_)
            | Self::Policy(_) => None,
        }
    }

    /// The salted commitment to free text that the act carries, if any.
    #[must_use]
    pub const fn text(&self) -> Option<Digest> {
        match self {
            Self::Request(Ask { reason: text, .. })
            | Self::Approve(Approve { comment: text, .. })
            | Self::Deny(About { comment: text, .. })
            | Self::Withdraw(About { comment: text, .. })
            | Self::Drop(About { comment: text, .. })
            | Self::Cancel(About { comment: text, .. })
            | Self::Escalate(About { comment: text, .. })
            | Self::Lock(Lock { comment: text, .. })
            | Self::Unlock(Unlock { comment: text, .. })
            | Self::Declare(Declare { comment: text, .. })
            | Self::Resolve(Resolve { comment: text, .. })
            | Self::Review(Review { comment: text, .. }) => *text,
            Self::Collect(_)
            | Self::Pickup(_)
            | Self::Applied(_)
            | Self::Use(_)
            | Self::Session(_)
            | Self::Policy(_) => None,
        }
    }
}
