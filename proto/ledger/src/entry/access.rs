//! What bodies of different types have in common. Every type is spelled out, so that a new one has to
//! answer too.

use super::body::{
    Applied, Approved, Body, Closed, Denied, Escalated, Issued, Lapsed, Locked, OutageBegan,
    OutageEnded, PickedUp, Reconciled, Refused, Requested, Reviewed, Revoked, Unlocked, Used,
    Withdrawn,
};
use super::part::{Decision, Link, Signed};

impl Body {
    /// Where the entry stands in its grant's chain, if it belongs to one.
    #[must_use]
    pub const fn link(&self) -> Option<&Link> {
        match self {
            Self::Requested(Requested { link, .. })
            | Self::Approved(Approved { link, .. })
            | Self::Denied(Denied { link, .. })
            | Self::Withdrawn(Withdrawn { link, .. })
            | Self::Escalated(Escalated { link, .. })
            | Self::Lapsed(Lapsed { link, .. })
            | Self::Issued(Issued { link, .. })
            | Self::PickedUp(PickedUp { link, .. })
            | Self::Used(Used { link, .. })
            | Self::Revoked(Revoked { link, .. })
            | Self::Closed(Closed { link, .. }) => Some(link),
            Self::Genesis(_)
            | Self::Policy(_)
            | Self::Applied(_)
            | Self::Refused(_)
            | Self::Locked(_)
            | Self::Unlocked(_)
            | Self::OutageBegan(_)
            | Self::OutageEnded(_)
            | Self::Reviewed(_)
            | Self::Drill(_)
            | Self::Anchor(_)
            | Self::Keys(_)
            | Self::Reconciled(_)
            | Self::Config(_) => None,
        }
    }

    /// What was said and signed, if the entry was made from a statement. A policy's manifest has
    /// several signatures and is not given here.
    #[must_use]
    pub const fn signed(&self) -> Option<&Signed> {
        match self {
            Self::Requested(Requested { signed, .. })
            | Self::Approved(Approved { signed, .. })
            | Self::Denied(Denied { signed, .. })
            | Self::Withdrawn(Withdrawn { signed, .. })
            | Self::Issued(Issued { signed, .. })
            | Self::PickedUp(PickedUp { signed, .. })
            | Self::Used(Used { signed, .. })
            | Self::Applied(Applied { signed, .. })
            | Self::Refused(Refused { signed, .. })
            | Self::Locked(Locked { signed, .. })
            | Self::Reviewed(Reviewed { signed, .. }) => Some(signed),
            Self::Escalated(Escalated { signed, .. })
            | Self::Revoked(Revoked { signed, .. })
            | Self::Unlocked(Unlocked { signed, .. })
            | Self::OutageBegan(OutageBegan { signed, .. })
            | Self::OutageEnded(OutageEnded { signed, .. })
            | Self::Reconciled(Reconciled { signed, .. }) => signed.as_ref(),
            Self::Genesis(_)
            | Self::Policy(_)
            | Self::Lapsed(_)
            | Self::Closed(_)
            | Self::Drill(_)
            | Self::Anchor(_)
            | Self::Keys(_)
            | Self::Config(_) => None,
        }
    }

    /// What the decision saw, if the entry records one.
    #[must_use]
    pub const fn decision(&self) -> Option<&Decision> {
        match self {
            Self::Requested(Requested { decision, .. })
            | Self::Approved(Approved { decision, .. })
            | Self::Denied(Denied { decision, .. })
            | Self::Withdrawn(Withdrawn { decision, .. })
            | Self::Escalated(Escalated { decision, .. })
            | Self::Lapsed(Lapsed { decision, .. })
            | Self::Issued(Issued { decision, .. })
            | Self::Revoked(Revoked { decision, .. })
            | Self::Refused(Refused { decision, .. })
            | Self::Locked(Locked { decision, .. })
            | Self::Unlocked(Unlocked { decision, .. })
            | Self::OutageBegan(OutageBegan { decision, .. })
            | Self::OutageEnded(OutageEnded { decision, .. })
            | Self::Reviewed(Reviewed { decision, .. }) => Some(decision),
            Self::Genesis(_)
            | Self::Policy(_)
            | Self::PickedUp(_)
            | Self::Used(_)
            | Self::Applied(_)
            | Self::Closed(_)
            | Self::Drill(_)
            | Self::Anchor(_)
            | Self::Keys(_)
            | Self::Reconciled(_)
            | Self::Config(_) => None,
        }
    }
}

impl Revoked {
    /// The serials of every credential it takes back: the grant's first one, then its further ones in the
    /// order in which they were issued.
    pub fn serials(&self) -> impl Iterator<Item = u64> + '_ {
        std::iter::once(self.serial).chain(self.also.iter().flatten().copied())
    }
}
