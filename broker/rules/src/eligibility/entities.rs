//! The people and scopes of a policy as rules see them, built once per policy.

use std::collections::{HashMap, HashSet};

use breakglass_ledger::policy::{Members, Policy, Principal, Scope, Sensitivity};
use cedar_policy::{Entities, Entity, EntityTypeName, EntityUid, RestrictedExpression};

use super::Action;
use super::compile::uid;

/// The names that questions are put with, parsed once.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) principal: EntityTypeName,
    pub(super) group: EntityTypeName,
    pub(super) scope: EntityTypeName,
    pub(super) ledger: EntityUid,
    action: EntityTypeName,
}

impl Names {
    pub(super) fn new() -> Result<Self, &'static str> {
        let name = |text: &str| text.parse::<EntityTypeName>().map_err(|_| "a name does not parse");
        Ok(Self {
            principal: name("Principal")?,
            group: name("Group")?,
            scope: name("Scope")?,
            ledger: uid(&name("Ledger")?, "ledger"),
            action: name("Action")?,
        })
    }

    pub(super) fn action(&self, action: Action) -> EntityUid {
        uid(&self.action, action.name())
    }

    fn members(&self, members: &Members) -> EntityUid {
        match members {
            Members::Group(id) => uid(&self.group, id.as_str()),
            Members::Principal(id) => uid(&self.group, &alone(id.as_str())),
        }
    }
}

/// The group that holds this principal and nobody else; a colon cannot stand in a group's id.
fn alone(principal: &str) -> String {
    format!("principal:{principal}")
}

/// Everybody and everything of `policy`.
pub(super) fn of(policy: &Policy, names: &Names) -> Result<Entities, String> {
    let people = policy.people.iter().map(|one| principal(one, names));
    let groups = policy.people.groups().map(|id| Ok(bare(uid(&names.group, id.as_str()))));
    let scopes = policy.scopes.iter().map(|one| scope(one, names));
    let alone =
        policy.people.iter().map(|one| Ok(bare(uid(&names.group, &alone(one.id.as_str())))));
    let all = people.chain(groups).chain(alone).chain(scopes);
    let all = all.chain([Ok(bare(names.ledger.clone()))]).collect::<Result<Vec<_>, _>>()?;
    Entities::from_entities(all, None).map_err(|error| error.to_string())
}

fn bare(uid: EntityUid) -> Entity {
    Entity::new_no_attrs(uid, HashSet::new())
}

fn principal(one: &Principal, names: &Names) -> Result<Entity, String> {
    let mut attributes = HashMap::from([
        ("kind".to_owned(), text(&one.kind.to_string())),
        ("team".to_owned(), text(one.team.as_deref().unwrap_or_default())),
    ]);
    if let Some(sponsor) = &one.sponsor {
        let sponsor = uid(&names.principal, sponsor.as_str());
        attributes.insert("sponsor".to_owned(), RestrictedExpression::new_entity_uid(sponsor));
    }
    // All of them are listed, nesting resolved, so that nothing depends on how groups nest (R04).
    let groups = one.groups.iter().map(|id| uid(&names.group, id.as_str()));
    let parents = groups.chain([uid(&names.group, &alone(one.id.as_str()))]).collect();
    Entity::new(uid(&names.principal, one.id.as_str()), attributes, parents)
        .map_err(|error| error.to_string())
}

fn scope(one: &Scope, names: &Names) -> Result<Entity, String> {
    let set = |members: &mut dyn Iterator<Item = &Members>| {
        let groups = members.map(|one| RestrictedExpression::new_entity_uid(names.members(one)));
        RestrictedExpression::new_set(groups.collect::<Vec<_>>())
    };
    let owners = &one.owners;
    let approvers = || one.stages().iter().flat_map(|stage| &stage.approvers);
    let lanes = one.lanes.iter().map(|lane| text(lane.name()));
    let sensitivity = match one.sensitivity {
        Sensitivity::Low => "low",
        Sensitivity::High => "high",
        Sensitivity::Critical => "critical",
    };
    let attributes = HashMap::from([
        ("sensitivity".to_owned(), text(sensitivity)),
        ("partner".to_owned(), text(one.partner.as_deref().unwrap_or_default())),
        ("lanes".to_owned(), RestrictedExpression::new_set(lanes)),
        ("requesters".to_owned(), set(&mut one.requesters.iter())),
        ("approvers".to_owned(), set(&mut approvers())),
        ("owners".to_owned(), set(&mut one.owned_by())),
        ("business".to_owned(), set(&mut owners.business.iter())),
        ("technical".to_owned(), set(&mut owners.technical.iter())),
        ("identity".to_owned(), set(&mut owners.identity.iter())),
    ]);
    Entity::new(uid(&names.scope, one.id.as_str()), attributes, HashSet::new())
        .map_err(|error| error.to_string())
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

/// Whether a rule that names `literal` names somebody or something of `policy` (R03).
pub(super) fn exists(policy: &Policy, literal: &EntityUid) -> bool {
    let id: &str = literal.id().unescaped();
    match literal.type_name().to_string().as_str() {
        "Principal" => id.parse().is_ok_and(|id| policy.people.principal(&id).is_some()),
        "Group" => match id.strip_prefix("principal:") {
            Some(id) => id.parse().is_ok_and(|id| policy.people.principal(&id).is_some()),
            None => id.parse().is_ok_and(|id| policy.people.group(&id).is_some()),
        },
        "Scope" => id.parse().is_ok_and(|id| policy.scope(&id).is_some()),
        "Ledger" => id == "ledger",
        // Actions and types that do not exist are the validator's.
        _ => true,
    }
}
