//! The rules' engine alone: the same people, scopes and rules, put to it without anything of ours.

use std::str::FromStr as _;

use breakglass_ledger::policy::{Members, Policy};
use breakglass_ledger::statement::Ask;
use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, PolicyId, PolicySet, Request, Response,
};
use serde_json::{Value, json};

/// All that is made before the first question, as anybody would who uses the engine.
pub(crate) struct Bare {
    authorizer: Authorizer,
    rules: PolicySet,
    entities: Entities,
}

impl Bare {
    pub(crate) fn new(policy: &Policy) -> Self {
        let mut rules = PolicySet::new();
        for rule in PolicySet::from_str(&policy.rules).expect("good rules").policies() {
            let id = PolicyId::new(rule.annotation("id").expect("an id"));
            rules.add(rule.new_id(id)).expect("no other");
        }
        let entities = Entities::from_json_value(everybody(policy), None).expect("good entities");
        Self { authorizer: Authorizer::new(), rules, entities }
    }

    /// What the law asks about this request: made once, so that only the answer is measured.
    pub(crate) fn question(&self, ask: &Ask, now: u64) -> Request {
        // The day is the Sunday that the caller's second is in.
        let context = json!({
            "lane": ask.lane.name(),
            "outage": { "active": false, "seconds": 0 },
            "ttl": ask.ttl.seconds(),
            "hour": now / 3_600 % 24,
            "weekday": "sun",
            "incident": ask.incident.is_some(),
            "depth": 0,
            "requester": reference("Principal", ask.by.as_str()),
            "live": 0,
            "budget": 0,
            "drill-age": -1,
        });
        let context = Context::from_json_value(context, None).expect("a context");
        let [principal, action, resource] =
            [("Principal", ask.by.as_str()), ("Action", "request"), ("Scope", ask.scope.as_str())]
                .map(|(kind, id)| EntityUid::from_json(entity(kind, id)).expect("a name"));
        Request::new(principal, action, resource, context, None).expect("a question")
    }

    pub(crate) fn answer(&self, question: &Request) -> Response {
        self.authorizer.is_authorized(question, &self.rules, &self.entities)
    }

    /// The rules that permit it.
    pub(crate) fn permitted(&self, question: &Request) -> Vec<String> {
        let response = self.answer(question);
        assert_eq!(response.decision(), Decision::Allow, "{response:?}");
        let mut rules: Vec<_> = response.diagnostics().reason().map(ToString::to_string).collect();
        rules.sort_unstable();
        rules
    }
}

fn everybody(policy: &Policy) -> Value {
    let mut all = vec![json!({ "uid": entity("Ledger", "ledger"), "attrs": {}, "parents": [] })];
    let group = |id: &str| json!({ "uid": entity("Group", id), "attrs": {}, "parents": [] });
    all.extend(policy.people.groups().map(|id| group(id.as_str())));
    for one in policy.people.iter() {
        let alone = format!("principal:{}", one.id);
        all.push(group(&alone));
        let groups = one.groups.iter().map(|id| entity("Group", id.as_str()));
        all.push(json!({
            "uid": entity("Principal", one.id.as_str()),
            "attrs": { "kind": one.kind.to_string(), "team": one.team.as_deref().unwrap_or("") },
            "parents": groups.chain([entity("Group", &alone)]).collect::<Vec<_>>(),
        }));
    }
    for one in policy.scopes.iter() {
        let (owners, stages) = (&one.owners, one.stages());
        let approvers = stages.iter().flat_map(|stage| &stage.approvers);
        all.push(json!({
            "uid": entity("Scope", one.id.as_str()),
            "attrs": {
                "sensitivity": "critical",
                "partner": "",
                "lanes": one.lanes.iter().map(|lane| lane.name()).collect::<Vec<_>>(),
                "requesters": references(&one.requesters),
                "approvers": references(approvers),
                "owners": references(one.owned_by()),
                "business": references(&owners.business),
                "technical": references(&owners.technical),
                "identity": references(&owners.identity),
            },
            "parents": [],
        }));
    }
    Value::Array(all)
}

fn references<'a>(members: impl IntoIterator<Item = &'a Members>) -> Value {
    let groups = members.into_iter().map(|one| match one {
        Members::Group(id) => reference("Group", id.as_str()),
        Members::Principal(id) => reference("Group", &format!("principal:{id}")),
    });
    groups.collect()
}

fn entity(kind: &str, id: &str) -> Value {
    json!({ "type": kind, "id": id })
}

fn reference(kind: &str, id: &str) -> Value {
    json!({ "__entity": entity(kind, id) })
}
