//! A scope as no policy check would let it through, for the rules that do not rely on the check.

use breakglass_ledger::policy::{Approval, Members, Owners, Scope, Sensitivity, Stage};
use breakglass_ledger::time::Ttl;

/// A scope that offers nothing to nobody.
pub(crate) fn scope() -> Scope {
    Scope {
        id: "db".parse().unwrap(),
        title: String::new(),
        purpose: String::new(),
        owners: Owners::default(),
        partner: None,
        sensitivity: Sensitivity::Critical,
        runbook: None,
        ttl_max: Ttl::MAX,
        pending_max: 1,
        live_max: 1,
        cooldown: None,
        budget: None,
        outage: None,
        ends_with_outage: false,
        grace: 0,
        review_within: None,
        review_gate: false,
        emergency: None,
        requesters: Vec::new(),
        kinds: [].into(),
        lanes: [].into(),
        require_incident: None,
        require_reason: true,
        approval: Approval::None,
        ssh: None,
        x509: None,
        jwt: None,
        drill_every: None,
        on_warning: Vec::new(),
    }
}

/// A stage of that quorum.
pub(crate) fn stage(quorum: u32, approvers: Vec<Members>) -> Stage {
    let name = "security".parse().unwrap();
    Stage { name, approvers, quorum, within: None, escalate: Vec::new() }
}
