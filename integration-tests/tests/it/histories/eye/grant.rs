//! What the entries said of one grant, and which steps can follow which.

use serde_json::Value;

use super::spoken::Spoken;
use super::text;

/// What the entries said of one grant.
pub(super) struct Grant {
    pub(super) ask: Spoken,
    pub(super) statement: String,
    /// Place of the law it was asked under.
    pub(super) law: usize,
    pub(super) at: u64,
    pub(super) lapses: u64,
    pub(super) approvals: Vec<Approval>,
    /// Stages that were passed on, and the place of the law then in force.
    pub(super) escalated: Vec<(String, usize)>,
    /// Serial, and first second at which it is no longer valid.
    pub(super) issued: Option<(u64, u64)>,
    pub(super) issued_at: u64,
    /// All of its credentials, the first among them.
    pub(super) credentials: Vec<Credential>,
    pub(super) picked_up: bool,
    pub(super) ended: Option<u64>,
    pub(super) closed: bool,
    pub(super) reviewed: Option<String>,
    pub(super) gseq: u64,
    pub(super) gprev: String,
}

/// A credential, as its entry has it.
pub(super) struct Credential {
    pub(super) kind: String,
    pub(super) serial: u64,
    /// First second at which it is over by itself.
    pub(super) until: u64,
    /// What names it on the list of its kind: a certificate's number, a token's `jti`.
    pub(super) name: Vec<u8>,
    /// When another one took its place.
    pub(super) replaced: Option<u64>,
}

pub(super) struct Approval {
    pub(super) said: Spoken,
    pub(super) seq: u64,
    pub(super) law: usize,
}

impl Grant {
    pub(super) fn by(&self) -> &str {
        self.ask.by()
    }

    pub(super) fn scope_id(&self) -> &str {
        &self.ask.lines["scope"]
    }

    pub(super) fn lane(&self) -> &str {
        &self.ask.lines["lane"]
    }

    pub(super) fn ttl(&self) -> u64 {
        self.ask.lines["ttl"].parse().unwrap()
    }

    /// Who stands behind the requester, outermost first.
    pub(super) fn behind(&self) -> Vec<&str> {
        self.ask.lines.get("on-behalf-of").map_or(Vec::new(), |line| line.split(',').collect())
    }

    pub(super) fn stands_behind(&self, who: &str) -> bool {
        self.by() == who || self.behind().contains(&who)
    }

    pub(super) fn is_passed_on(&self, stage: &str) -> bool {
        self.escalated.iter().any(|(name, _)| name == stage)
    }

    /// The entry continues the grant's own chain; `hash` is its own.
    pub(super) fn link(&mut self, body: &Value, hash: &str) {
        assert_eq!(body["gseq"].as_u64(), Some(self.gseq), "a gap in the grant");
        assert_eq!(text(&body["gprev"]), self.gprev, "the grant's chain is broken");
        self.gseq += 1;
        self.gprev = hash.to_owned();
    }

    /// Takes a step other than the first two, if it can follow.
    pub(super) fn goes_on(&mut self, kind: &str, at: u64, early: bool) {
        assert!(!self.closed, "{kind} after closed");
        let in_time = at < self.lapses;
        match kind {
            "issued" if self.is_live() => {
                assert!(self.issued.is_some_and(|(_, until)| at < until), "issued after its end");
            }
            "approved" | "escalated" | "issued" => assert!(self.waits() && in_time, "{kind}"),
            "picked-up" => assert!(self.is_live()),
            "denied" | "withdrawn" => assert!(self.waits() && in_time),
            "lapsed" => assert!(self.waits() && (!in_time || early), "lapsed too early"),
            "revoked" => assert!(self.is_live(), "revoked what was not out"),
            "closed" => {
                assert!(self.ended.is_some(), "closed before its end");
                let until = self.issued.map_or(0, |(_, until)| until + 300);
                assert!(at >= until, "left the list while a slow host may still believe it");
            }
            other => panic!("an entry of type {other}"),
        }
    }

    pub(super) fn ends(&mut self, kind: &str, at: u64) {
        self.closed |= kind == "closed";
        self.ended = self.ended.or(Some(at));
    }

    pub(super) const fn waits(&self) -> bool {
        self.issued.is_none() && self.ended.is_none()
    }

    pub(super) const fn is_live(&self) -> bool {
        self.issued.is_some() && self.ended.is_none()
    }

    pub(super) fn kinds(&self) -> Vec<&str> {
        self.ask.lines["kinds"].split(',').collect()
    }

    /// Whether it counts for pauses, budgets and reviews.
    pub(super) fn was_used(&self) -> bool {
        self.issued.is_some() && self.lane() != "drill"
    }
}
