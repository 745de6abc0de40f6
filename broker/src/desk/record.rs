//! From what the rules decided to what is written down.

use breakglass_ledger::entry::{
    Applied, Approved, Body, Closed, Decision, Denied, Escalated, Evidence, Issued, Lapsed, Link,
    Locked, Numbered, OutageBegan, OutageEnded, PickedUp, Reconciled, Refused, Requested, Reviewed,
    Revoked, Signed, Unlocked, Used, Withdrawn,
};
use breakglass_ledger::principal::PrincipalId;
use breakglass_ledger::statement::{Act, Kind, Statement};
use breakglass_ledger::time::Timestamp;
use breakglass_rules::{Change, Event, Refusal};

use super::Incoming;
use crate::mint::{JwtCredential, SshCredential, X509Credential};

/// A credential that was signed.
pub(super) enum Credential {
    Ssh(SshCredential),
    X509(X509Credential),
    Jwt(JwtCredential),
}

impl Credential {
    /// What its holder gets.
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Ssh(ssh) => ssh.certificate,
            Self::X509(x509) => x509.certificate,
            Self::Jwt(jwt) => (*jwt.token).clone(),
        }
    }
}

/// The statement's exact text and signature, as entries carry them.
pub(super) fn signed(incoming: &Incoming) -> Signed {
    Signed {
        statement: incoming.statement.text().to_owned(),
        signature: incoming.signature.armored().to_owned(),
    }
}

/// The body for `event`; `None` if the event needs a statement and there is none, which the rules
/// rule out: only a person's act makes those events.
pub(super) fn body(
    link: Link,
    event: Event,
    decision: Decision,
    signed: Option<Signed>,
) -> Option<Body> {
    Some(match event {
        Event::Requested { lapses } => {
            Body::Requested(Requested { link, signed: signed?, decision, lapses })
        }
        Event::Approved { stage, missing } => {
            Body::Approved(Approved { link, signed: signed?, decision, stage, missing })
        }
        Event::Escalated { stage } => Body::Escalated(Escalated { link, signed, decision, stage }),
        Event::Denied => Body::Denied(Denied { link, signed: signed?, decision }),
        Event::Withdrawn => Body::Withdrawn(Withdrawn { link, signed: signed?, decision }),
        Event::Lapsed => Body::Lapsed(Lapsed { link, decision }),
        Event::PickedUp => Body::PickedUp(PickedUp { link, signed: signed? }),
        Event::Used => Body::Used(Used { link, signed: signed? }),
        Event::Revoked { cause, serial, also, valid_before } => {
            let also = (!also.is_empty()).then_some(also);
            Body::Revoked(Revoked { link, signed, decision, cause, serial, also, valid_before })
        }
        Event::Reviewed => {
            Body::Reviewed(Reviewed { signed: signed?, decision, request: link.grant })
        }
        Event::Closed { outcome } => Body::Closed(Closed { link, outcome }),
    })
}

/// The body for a change besides any one request; `evidence` is there exactly if it was measured.
/// `None` if it needs a statement and there is none.
pub(super) fn change(
    change: Change,
    decision: Decision,
    signed: Option<Signed>,
    evidence: Option<Vec<Evidence>>,
) -> Option<Body> {
    Some(match change {
        Change::OutageBegan { dependency } => {
            Body::OutageBegan(OutageBegan { signed, decision, dependency, evidence })
        }
        Change::OutageEnded { dependency } => {
            Body::OutageEnded(OutageEnded { signed, decision, dependency, evidence })
        }
        Change::Applied => Body::Applied(Applied { signed: signed? }),
        Change::Reconciled { target, unlogged } => {
            let matched = u64::from(unlogged.is_none());
            let unlogged = breakglass_rules::unlogged(unlogged);
            Body::Reconciled(Reconciled { signed, target, matched, unlogged })
        }
        Change::Locked => Body::Locked(Locked { signed: signed?, decision }),
        Change::Unlocked { lock } => Body::Unlocked(Unlocked { signed, decision, lock }),
    })
}

/// What an `issued` entry says besides the credential and why it was given.
pub(super) struct Terms {
    /// First second at which the grant is over, if that is not the credential's own end.
    pub(super) ends: Option<Timestamp>,
    /// The token before.
    pub(super) replaces: Option<u64>,
    /// The `approved` entries that counted.
    pub(super) approvals: Vec<u64>,
}

/// The body for a credential that was signed. Of a token it has the claims and the digest, never the
/// token: whoever reads the ledger must not be let in by it.
pub(super) fn issued(
    link: Link,
    credential: &Credential,
    Terms { ends, replaces, approvals }: Terms,
    decision: Decision,
    signed: Signed,
) -> Body {
    let (kind, serial, subject) = match credential {
        Credential::Ssh(ssh) => (Kind::Ssh, ssh.serial, ssh.subject),
        Credential::X509(x509) => (Kind::X509, x509.serial, x509.subject),
        Credential::Jwt(jwt) => (Kind::Jwt, jwt.serial, jwt.subject),
    };
    let (valid_after, valid_before, principals) = match credential {
        Credential::Ssh(ssh) => (ssh.valid_after, ssh.valid_before, ssh.principals.clone()),
        Credential::X509(x509) => {
            (x509.valid_after, x509.valid_before, vec![x509.common_name.clone()])
        }
        Credential::Jwt(jwt) => (jwt.valid_after, jwt.valid_before, vec![jwt.subject_name.clone()]),
    };
    let (certificate, claims, token) = match credential {
        Credential::Ssh(ssh) => (Some(ssh.certificate.clone()), None, None),
        Credential::X509(x509) => (Some(x509.certificate.clone()), None, None),
        Credential::Jwt(jwt) => (None, Some(jwt.claims.clone()), Some(jwt.digest)),
    };
    Body::Issued(Issued {
        link,
        signed,
        decision,
        kind,
        certificate,
        claims,
        token,
        replaces,
        ends,
        serial,
        subject,
        valid_after,
        valid_before,
        principals,
        approvals,
    })
}

/// The body for a "no" to what `by`, whose key signed, said; a statement may name anybody.
pub(super) fn refused(
    statement: &Statement,
    by: Option<PrincipalId>,
    signed: Signed,
    refusal: &Refusal,
    decision: Decision,
) -> Body {
    Body::Refused(Refused {
        signed,
        decision,
        by,
        act: statement.act().kind(),
        refusal: Numbered { number: refusal.number(), name: refusal.name().to_owned() },
        request: if let Act::Request(_) = statement.act() {
            Some(statement.digest())
        } else {
            statement.about()
        },
    })
}
