//! What happens in a house, step by step. Each step that records has one that only builds.

use super::{CertificateParts, House, Kept};
use crate::bytes::Digest;
use crate::entry::{
    Approved, Body, Cause, Closed, Denied, Issued, Lapsed, Link, Outcome, PickedUp, Requested,
    Revoked, Signed, Withdrawn,
};
use crate::id::RequestId;
use crate::key::PublicKey;
use crate::statement::{About, Act, Approve, Ask, Collect, Kind, Lane, Lock, Pickup};
use crate::time::Ttl;

impl House {
    /// What `who` would ask for: `scope` for `seconds`, with a reason and a fresh subject key.
    pub fn ask(&mut self, who: &str, scope: &str, seconds: u32) -> Ask {
        let number = self.grants.len();
        let random = u64::try_from(number).unwrap_or(u64::MAX).to_be_bytes();
        let mut tail = [0; 10];
        tail.iter_mut().zip(random).for_each(|(to, from)| *to = from);
        let id = RequestId::new(self.now.unix_seconds().saturating_mul(1000), tail);
        Ask {
            id,
            by: who.parse().expect("a name"),
            scope: scope.parse().expect("a name"),
            kinds: vec![Kind::Ssh],
            lane: Lane::Normal,
            ttl: Ttl::from_seconds(seconds).expect("at most twelve hours"),
            incident: Some("INC-4711".to_owned()),
            reason: Some(self.commit(&format!("{who} must repair {scope}"))),
            key: Some(self.keys.public(&subject_name(id))),
            on_behalf_of: Vec::new(),
        }
    }

    /// The entry for what was asked in `signed`.
    #[must_use]
    pub fn requesting(&self, id: RequestId, scope: &str, signed: Signed) -> Requested {
        let scope = scope.parse().ok().and_then(|id| self.policy.scope(&id));
        let pending = scope.map_or(900, |scope| scope.pending_max);
        Requested {
            link: Link { grant: id, gseq: 0, gprev: Digest::ZERO },
            signed,
            decision: self.decision("pending"),
            lapses: self.now.plus(pending.into()),
        }
    }

    /// `who` asks for `scope` for `seconds`.
    pub fn request(&mut self, who: &str, scope: &str, seconds: u32) -> RequestId {
        let ask = self.ask(who, scope, seconds);
        let id = ask.id;
        let signed = self.said(who, Act::Request(ask));
        self.record(self.requesting(id, scope, signed));
        id
    }

    /// The act by which `who` says yes to `id` in `stage`.
    #[must_use]
    pub fn yes(&self, id: RequestId, who: &str, stage: &str) -> Approve {
        let kept = self.kept(id);
        Approve {
            request: kept.statement,
            by: who.parse().expect("a name"),
            stage: stage.parse().expect("a name"),
            policy: self.policy.digest,
            ttl_max: kept.ask.ttl,
            comment: None,
        }
    }

    /// The entry for the yes in `signed`.
    #[must_use]
    pub fn approval(&self, id: RequestId, stage: &str, signed: Signed) -> Approved {
        let stage = stage.parse().expect("a name");
        let decision = self.decision("counted");
        Approved { link: self.link(id), signed, decision, stage, missing: 0 }
    }

    /// `who` says yes to `id` in `stage`.
    pub fn approve(&mut self, id: RequestId, who: &str, stage: &str) -> u64 {
        let signed = self.said(who, Act::Approve(self.yes(id, who, stage)));
        self.record(self.approval(id, stage, signed))
    }

    /// The certificate that `id` deserves now.
    #[must_use]
    pub fn certificate(&self, id: RequestId) -> CertificateParts {
        let kept = self.kept(id);
        let profile = self.policy.scope(&kept.ask.scope).and_then(|scope| scope.ssh.clone());
        let profile = profile.expect("a scope with SSH");
        let (mut key_id, mut principals) = (format!("bg:{id}:{}", kept.ask.by), profile.principals);
        if kept.ask.lane == Lane::Drill {
            key_id.push_str(":drill");
            principals.iter_mut().for_each(|one| one.insert_str(0, "drill-"));
        }
        if !kept.ask.on_behalf_of.is_empty() {
            let behind: Vec<_> = kept.ask.on_behalf_of.iter().map(ToString::to_string).collect();
            key_id.push_str(&format!(":for:{}", behind.join(",")));
        }
        let mut options = Vec::new();
        if let Some(command) = profile.force_command {
            options.push(("force-command".to_owned(), command));
        }
        if !profile.source_address.is_empty() {
            options.push(("source-address".to_owned(), profile.source_address.join(",")));
        }
        CertificateParts {
            subject: kept.ask.key.clone().expect("a subject key"),
            serial: self.size(),
            kind: 1,
            key_id,
            principals,
            valid_after: self.now.minus(60),
            valid_before: self.now.plus(kept.ask.ttl.seconds().into()),
            options,
            extensions: profile.extensions,
        }
    }

    /// The entry that issues the certificate of these `parts`.
    #[must_use]
    pub fn issuing(&self, id: RequestId, parts: &CertificateParts) -> Issued {
        let kept = self.kept(id);
        let collect = Act::Collect(Collect { request: kept.statement, kind: Kind::Ssh });
        Issued {
            link: self.link(id),
            signed: self.said(&subject_name(id), collect),
            decision: self.decision_about(&kept.ask, "issued"),
            kind: Kind::Ssh,
            certificate: Some(parts.sign(&self.keys, "ssh-ca")),
            claims: None,
            token: None,
            replaces: None,
            ends: None,
            serial: parts.serial,
            subject: kept.ask.key.as_ref().map_or(Digest::ZERO, PublicKey::digest),
            valid_after: parts.valid_after,
            valid_before: parts.valid_before,
            principals: parts.principals.clone(),
            approvals: kept.approvals.clone(),
        }
    }

    /// The requester collects the credential.
    pub fn collect(&mut self, id: RequestId) -> u64 {
        let parts = self.certificate(id);
        self.record(self.issuing(id, &parts))
    }

    /// The requester confirms to have it.
    pub fn pick_up(&mut self, id: RequestId) -> u64 {
        let kept = self.kept(id);
        let issued = kept.issued.map_or(Digest::ZERO, |(_, hash, _)| hash);
        let pickup = Act::Pickup(Pickup { request: kept.statement, issued });
        let signed = self.said(&subject_name(id), pickup);
        self.record(PickedUp { link: self.link(id), signed })
    }

    /// What `who` says about `id` without saying more.
    #[must_use]
    pub fn about(&self, id: RequestId, who: &str) -> About {
        let request = self.kept(id).statement;
        About { request, by: who.parse().expect("a name"), comment: None }
    }

    /// A lock by `who` of a host nobody has, commented with `text`.
    #[must_use]
    pub fn about_nothing(&self, who: &str, text: Digest) -> Lock {
        let target = "host:nowhere".parse().expect("a target");
        Lock { by: who.parse().expect("a name"), target, until: None, comment: Some(text) }
    }

    /// The entry that ends the credential of `id`.
    #[must_use]
    pub fn revoking(&self, id: RequestId, cause: Cause, signed: Option<Signed>) -> Revoked {
        let (serial, _, valid_before) = self.kept(id).issued.expect("a credential");
        let decision = self.decision("revoked");
        Revoked { link: self.link(id), signed, decision, cause, serial, also: None, valid_before }
    }

    /// The holder `who` gives it back.
    pub fn drop_grant(&mut self, id: RequestId, who: &str) -> u64 {
        let signed = self.said(who, Act::Drop(self.about(id, who)));
        self.record(self.revoking(id, Cause::Dropped, Some(signed)))
    }

    /// The clock reaches the credential's end.
    pub fn expire(&mut self, id: RequestId) -> u64 {
        let (_, _, valid_before) = self.kept(id).issued.expect("a credential");
        self.now = self.now.max(valid_before);
        self.record(self.revoking(id, Cause::Expired, None))
    }

    /// The clock closes it five minutes after the credential's end, or at once without one.
    pub fn close(&mut self, id: RequestId, outcome: Outcome) -> u64 {
        if let Some((_, _, valid_before)) = self.kept(id).issued {
            self.now = self.now.max(valid_before.plus(300));
        }
        self.record(Closed { link: self.link(id), outcome })
    }

    /// `who` says no, and it is closed.
    pub fn deny(&mut self, id: RequestId, who: &str) -> u64 {
        let signed = self.said(who, Act::Deny(self.about(id, who)));
        let denied = Denied { link: self.link(id), signed, decision: self.decision("denied") };
        self.record(denied);
        self.close(id, Outcome::Denied)
    }

    /// `who` takes it back, and it is closed.
    pub fn withdraw(&mut self, id: RequestId, who: &str) -> u64 {
        let signed = self.said(who, Act::Withdraw(self.about(id, who)));
        let decision = self.decision("withdrawn");
        self.record(Body::Withdrawn(Withdrawn { link: self.link(id), signed, decision }));
        self.close(id, Outcome::Withdrawn)
    }

    /// The clock ends it unanswered, and it is closed.
    pub fn lapse(&mut self, id: RequestId) -> u64 {
        self.record(Lapsed { link: self.link(id), decision: self.decision("lapsed") });
        self.close(id, Outcome::Lapsed)
    }

    /// A new policy ends it, by the refusal `why`, and it is closed.
    pub fn disallow(&mut self, id: RequestId, why: &str) -> u64 {
        self.disallow_by(id, why, &[])
    }

    /// As [`House::disallow`], by `rules` of the policy besides.
    pub fn disallow_by(&mut self, id: RequestId, why: &str, rules: &[&str]) -> u64 {
        let mut decision = self.decision("lapsed");
        let named = ["policy-changed", why].into_iter().chain(rules.iter().copied());
        decision.rules = named.map(str::to_owned).collect();
        self.record(Lapsed { link: self.link(id), decision });
        self.close(id, Outcome::Lapsed)
    }

    /// A whole emergency: sam asks for root, ada and bob agree, it is collected and confirmed.
    pub fn emergency(&mut self) -> RequestId {
        let id = self.request("sam", "root-on-host", 1800);
        self.pass(20);
        self.approve(id, "ada", "app-owner");
        self.pass(15);
        self.approve(id, "bob", "security");
        self.pass(2);
        self.collect(id);
        self.pick_up(id);
        id
    }

    /// The link of the next entry of `id`; the first one's for an unknown grant.
    #[must_use]
    pub fn link(&self, id: RequestId) -> Link {
        let first = Link { grant: id, gseq: 0, gprev: Digest::ZERO };
        self.grants.get(&id).map_or(first, |kept| Link {
            grant: id,
            gseq: kept.gseq.saturating_add(1),
            gprev: kept.last,
        })
    }

    pub(super) fn kept(&self, id: RequestId) -> &Kept {
        self.grants.get(&id).expect("a request of this house")
    }
}

/// Name of the subject key of a request.
#[must_use]
pub fn subject_name(id: RequestId) -> String {
    format!("subject of {id}")
}
