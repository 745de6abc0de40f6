//! What surrounds grants in a house: lanes, outages, locks, escalations, reviews, drills.

use super::{House, files_of};
use crate::bytes::Digest;
use crate::entry::{
    Context, Decision, Drill, Escalated, Evidence, Locked, OutageBegan, OutageEnded, OutageState,
    Reviewed, Unlocked,
};
use crate::id::RequestId;
use crate::policy::Files;
use crate::principal::DependencyId;
use crate::statement::{Act, Ask, Declare, Lane, Lock, Resolve, Review, ReviewVerdict, Unlock};
use crate::time::Timestamp;

/// What the scopes of [`House::lanes`] add to the sample's people.
const BOT: &str = r#"
[[principal]]
id = "bot"
kind = "agent"
name = "Bot"
sponsor = "sam"
owner = "principal:ann"
"#;

const SCOPES: &str = r#"[[scope]]
id = "db"
title = "Superuser on the payments database"
purpose = "Repair it when nobody can log in"
business-owner = "group:leads"
technical-owner = "group:leads"
identity-owner = "group:security"
sensitivity = "critical"
ttl-max = "1h"
pending-max = "30m"
live-max = 5
requesters = ["group:oncall", "principal:bot"]
kinds = ["human", "agent"]
lanes = ["normal", "outage", "emergency", "drill"]
outage = "okta"
ends-with-outage = true
grace = "10m"
emergency = { after = "10m", ttl-max = "15m", delay = "2m" }

[[scope.stage]]
name = "app-owner"
approvers = "group:leads"
quorum = 1
within = "5m"
escalate = "group:security"

[[scope.stage]]
name = "security"
approvers = "group:security"
quorum = 1

[scope.ssh]
principals = ["dba"]
extensions = ["permit-pty"]
hosts = ["db-1"]

[[scope]]
id = "metered"
title = "Logs of the payments database"
purpose = "See what is wrong"
business-owner = "group:leads"
technical-owner = "group:leads"
identity-owner = "group:security"
sensitivity = "low"
ttl-max = "1h"
pending-max = "10m"
live-max = 5
cooldown = "10m"
budget = "1h/7d"
requesters = "group:oncall"
kinds = ["human"]
lanes = ["normal", "drill"]
approval = "none"

[scope.ssh]
principals = ["logs"]
source-address = ["10.0.0.0/8"]

[[scope]]
id = "gated"
title = "The payments ledger"
purpose = "Correct a booking"
business-owner = "group:leads"
technical-owner = "group:leads"
identity-owner = "group:security"
sensitivity = "high"
ttl-max = "1h"
pending-max = "10m"
live-max = 5
review-within = "72h"
review-gate = true
requesters = "group:oncall"
kinds = ["human"]
lanes = ["normal", "drill"]
approval = "none"

[scope.ssh]
principals = ["book"]
"#;

impl House {
    /// A house whose policy has every lane and limit:
    ///
    /// | scope | |
    /// |---|---|
    /// | `db` | every lane; stage `app-owner` (leads, after 5 minutes security) and `security` |
    /// | `metered` | nobody agrees; cooldown of 10 minutes, budget of an hour a week |
    /// | `gated` | nobody agrees; the next grant waits for the last one's review |
    ///
    /// `bot` is an agent that sam answers for, and ann owns.
    #[must_use]
    pub fn lanes() -> Self {
        let mut house = Self::new();
        let files = house.files_of_lanes();
        house.enact(&files, "pia");
        house
    }

    /// The policy of [`House::lanes`].
    #[must_use]
    pub fn files_of_lanes(&self) -> Files {
        let mut files = files_of(&self.keys, &super::PEOPLE);
        let key = self.keys.public("bot").to_openssh();
        files.people.extend_from_slice(format!("{BOT}keys = [{key:?}]\n").as_bytes());
        files.scopes = SCOPES.as_bytes().to_vec();
        files
    }

    /// `who` asks for `scope` for `seconds` in `lane`.
    pub fn request_in(&mut self, lane: Lane, who: &str, scope: &str, seconds: u32) -> RequestId {
        let ask = Ask { lane, ..self.ask(who, scope, seconds) };
        self.request_as(who, ask)
    }

    /// `ask`, signed with the key `signer`.
    pub fn request_as(&mut self, signer: &str, ask: Ask) -> RequestId {
        let (id, scope) = (ask.id, ask.scope.to_string());
        let decision = self.decision_about(&ask, "pending");
        let signed = self.said(signer, Act::Request(ask));
        let mut body = self.requesting(id, &scope, signed);
        body.decision = decision;
        self.record(body);
        id
    }

    /// A decision as of now about what was asked.
    #[must_use]
    pub fn decision_about(&self, ask: &Ask, outcome: &str) -> Decision {
        let decision = self.decision(outcome);
        let scope = self.policy.scope(&ask.scope);
        let since = self.outage.filter(|_| scope.is_some_and(|scope| scope.outage.is_some()));
        let outage = if since.is_some() { OutageState::Active } else { OutageState::None };
        let context = Context {
            lane: Some(ask.lane),
            outage,
            outage_since: since,
            kind: self.policy.principal(&ask.by).map(|one| one.kind),
            delegation: ask.on_behalf_of.clone(),
            ..decision.context
        };
        Decision { context, ..decision }
    }

    /// The entry by which `who` declares the dependency down for `seconds`.
    #[must_use]
    pub fn declaring(&self, who: &str, seconds: u64, outcome: &str) -> OutageBegan {
        let declare = Declare {
            by: who.parse().expect("a name"),
            dependency: okta(),
            until: Some(self.now.plus(seconds)),
            comment: None,
        };
        OutageBegan {
            signed: Some(self.said(who, Act::Declare(declare))),
            decision: self.decision(outcome),
            dependency: okta(),
            evidence: None,
        }
    }

    /// ada and bob declare the dependency down for `seconds`.
    pub fn declare(&mut self, seconds: u64) {
        self.record(self.declaring("ada", seconds, "declared"));
        self.record(self.declaring("bob", seconds, "began"));
        self.outage = Some(self.now);
    }

    /// `who` takes the declarations back.
    pub fn resolve(&mut self, who: &str) -> u64 {
        let by = who.parse().expect("a name");
        let resolve = Resolve { by, dependency: okta(), comment: None };
        self.outage = None;
        self.record(OutageEnded {
            signed: Some(self.said(who, Act::Resolve(resolve))),
            ..self.ending()
        })
    }

    /// The clock writes declarations off.
    pub fn run_out(&mut self) -> u64 {
        self.outage = None;
        self.record(self.ending())
    }

    /// The probes measure the dependency down, or up again.
    pub fn measure(&mut self, down: bool) -> u64 {
        self.outage = down.then_some(self.now);
        let evidence = Some(vec![Evidence {
            probe: "token".parse().expect("a name"),
            rounds: 3,
            saw: if down { "timeout" } else { "up" }.parse().expect("a name"),
            since: self.now.minus(30),
        }]);
        if down {
            let decision = self.decision("began");
            self.record(OutageBegan { signed: None, decision, dependency: okta(), evidence })
        } else {
            self.record(OutageEnded { evidence, ..self.ending() })
        }
    }

    fn ending(&self) -> OutageEnded {
        let decision = self.decision("ended");
        OutageEnded { signed: None, decision, dependency: okta(), evidence: None }
    }

    /// The entry by which `who` locks `target` until then.
    #[must_use]
    pub fn locking(&self, who: &str, target: &str, until: Option<Timestamp>) -> Locked {
        let lock = Lock {
            by: who.parse().expect("a name"),
            target: target.parse().expect("a target"),
            until,
            comment: None,
        };
        let signed = self.said(who, Act::Lock(lock));
        Locked { signed, decision: self.decision("locked") }
    }

    /// `who` locks `target` until it is lifted; gives the lock's digest.
    pub fn lock(&mut self, who: &str, target: &str) -> Digest {
        let body = self.locking(who, target, None);
        let digest = body.signed.digest();
        self.record(body);
        digest
    }

    /// `who` lifts a lock.
    pub fn unlock(&mut self, who: &str, lock: Digest) -> u64 {
        let unlock = Unlock { by: who.parse().expect("a name"), lock, comment: None };
        let signed = Some(self.said(who, Act::Unlock(unlock)));
        self.record(Unlocked { signed, decision: self.decision("unlocked"), lock })
    }

    /// The clock writes a lock off.
    pub fn unlock_by_clock(&mut self, lock: Digest) -> u64 {
        self.record(Unlocked { signed: None, decision: self.decision("unlocked"), lock })
    }

    /// `who`, or the clock, passes a stage of `id` on.
    pub fn escalate(&mut self, id: RequestId, who: Option<&str>, stage: &str) -> u64 {
        let signed = who.map(|who| self.said(who, Act::Escalate(self.about(id, who))));
        let stage = stage.parse().expect("a name");
        let decision = self.decision("escalated");
        self.record(Escalated { link: self.link(id), signed, decision, stage })
    }

    /// `who` reviews `id`.
    pub fn review(&mut self, id: RequestId, who: &str, verdict: ReviewVerdict) -> u64 {
        let about = self.about(id, who);
        let review = Review { request: about.request, by: about.by, verdict, comment: None };
        let signed = self.said(who, Act::Review(review));
        self.record(Reviewed { signed, decision: self.decision("reviewed"), request: id })
    }

    /// The result of the drill `id` of `scope`.
    pub fn drilled(&mut self, id: RequestId, scope: &str, passed: bool) -> u64 {
        self.record(Drill { request: id, scope: scope.parse().expect("a name"), passed })
    }
}

/// The dependency that the scopes watch.
fn okta() -> DependencyId {
    "okta".parse().expect("a name")
}
