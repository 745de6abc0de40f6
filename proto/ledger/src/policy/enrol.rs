//! Reads `people.toml` and resolves what its tables say of each other.

use std::collections::BTreeSet;

use super::authority::key_of_two;
use super::fault::{FaultKind, Faults};
use super::groups::{self, GroupDraft};
use super::lookalike::Ids;
use super::people::{GROUPS_MAX, KEYS_MAX, MEMBERSHIPS_MAX, PRINCIPALS_MAX};
use super::read::{Document, Table};
use super::values;
use crate::policy::{File, Members, People, Principal};
use crate::principal::{GroupId, PrincipalId, PrincipalKind};

/// Most addresses to tell one principal at: more would be a mailing list's work.
const NOTIFY_MAX: usize = 16;

/// A principal as the file has it, with the lines of what it refers to.
struct Draft {
    line: u32,
    principal: Principal,
    groups: Vec<(u32, GroupId)>,
    sponsor: Option<(u32, PrincipalId)>,
    owner: Vec<(u32, Members)>,
}

/// Reads the file; what it returns after adding a fault is a placeholder.
pub(super) fn read(document: &Document<'_>, faults: &mut Faults) -> People {
    let mut file = document.table();
    let groups = groups::read(&mut file, faults);
    let mut ids = Ids::of("principal", File::People);
    let mut drafts = Vec::new();
    for mut table in file.tables("principal", PRINCIPALS_MAX, faults) {
        drafts.extend(draft(&mut table, &mut ids, faults));
        table.finish(faults);
    }
    file.finish(faults);
    assemble(&groups, drafts, faults)
}

fn draft(table: &mut Table<'_>, ids: &mut Ids, faults: &mut Faults) -> Option<Draft> {
    let line = table.line();
    let id = table.need("id", faults).and_then(|id| values::name::<PrincipalId>(&id, faults));
    let kind = table.need("kind", faults).and_then(|kind| values::kind(&kind, faults));
    let name = table.need("name", faults).and_then(|name| values::line(&name, faults));
    let team = table.take("team").and_then(|team| values::name::<GroupId>(&team, faults));
    let groups = table.take("groups").and_then(|groups| {
        let lines = |group: GroupId| (groups.line(), group);
        let groups = values::set(&groups, GROUPS_MAX, faults, values::name)?;
        Some(groups.into_iter().map(lines).collect())
    });
    let keys =
        table.take("keys").and_then(|keys| values::set(&keys, KEYS_MAX, faults, values::key));
    let sponsor = table.take("sponsor").and_then(|sponsor| {
        let line = sponsor.line();
        values::name::<PrincipalId>(&sponsor, faults).map(|id| (line, id))
    });
    let owner = table.take("owner").and_then(|owner| values::members(&owner, faults));
    let notify = table
        .take("notify")
        .and_then(|notify| values::list(&notify, NOTIFY_MAX, faults, values::address));
    let id = id?;
    ids.meet(id.as_str(), line, faults);
    let kind = kind?;
    if kind != PrincipalKind::Human && sponsor.is_none() {
        let (principal, kind) = (id.to_string(), kind.to_string());
        table.fault(FaultKind::NoSponsor { principal, kind }, faults);
    }
    let owner = owner.unwrap_or_default();
    let principal = Principal {
        id,
        kind,
        name: name.unwrap_or_default(),
        team: team.map(|team| team.to_string()),
        groups: BTreeSet::new(),
        keys: keys.unwrap_or_default(),
        sponsor: sponsor.as_ref().map(|(_, id)| id.clone()),
        owner: owner.iter().map(|(_, members)| members.clone()).collect(),
        notify: notify.unwrap_or_default(),
    };
    Some(Draft { line, principal, groups: groups.unwrap_or_default(), sponsor, owner })
}

/// Puts people, keys and groups together.
fn assemble(groups: &[GroupDraft], drafts: Vec<Draft>, faults: &mut Faults) -> People {
    let empty = |group: &GroupDraft| (group.id.clone(), BTreeSet::new());
    let mut people = People { groups: groups.iter().map(empty).collect(), ..People::default() };
    let mut joins = Vec::new();
    let mut sponsors = Vec::new();
    let mut references = Vec::new();
    for draft in drafts {
        let id = &draft.principal.id;
        references.extend(draft.owner);
        sponsors.extend(draft.sponsor.map(|(line, sponsor)| (line, id.clone(), sponsor)));
        for (line, group) in draft.groups {
            joins.push((id.clone(), group.clone()));
            references.push((line, Members::Group(group)));
        }
        enrol(&mut people, draft.principal, draft.line, faults);
    }
    for group in groups {
        for (line, member) in &group.members {
            references.push((*line, member.clone()));
            if let Members::Principal(id) = member {
                joins.push((id.clone(), group.id.clone()));
            }
        }
    }
    people.resolve(File::People, &references, faults);
    for (line, principal, sponsor) in sponsors {
        sponsored(&people, line, &principal, &sponsor, faults);
    }
    join(&mut people, groups, joins, faults);
    people
}

/// Adds a principal and their keys; of two with one id the first stays.
fn enrol(people: &mut People, principal: Principal, line: u32, faults: &mut Faults) {
    let id = &principal.id;
    for key in &principal.keys {
        if let Some(other) = people.holders.insert(key.clone(), id.clone())
            && other != *id
        {
            faults.add(File::People, line, key_of_two(key, id, &other));
        }
    }
    people.principals.entry(id.clone()).or_insert(principal);
}

fn sponsored(
    people: &People,
    line: u32,
    principal: &PrincipalId,
    sponsor: &PrincipalId,
    faults: &mut Faults,
) {
    let Some(found) = people.principal(sponsor) else {
        let principal = sponsor.to_string();
        faults.add(File::People, line, FaultKind::UnknownPrincipal { principal });
        return;
    };
    if found.kind != PrincipalKind::Human {
        let (principal, sponsor) = (principal.to_string(), sponsor.to_string());
        faults.add(File::People, line, FaultKind::SponsorNotHuman { principal, sponsor });
    }
}

/// Writes each principal into their groups and every group above those (R04).
fn join(
    people: &mut People,
    groups: &[GroupDraft],
    joins: Vec<(PrincipalId, GroupId)>,
    faults: &mut Faults,
) {
    let Some(above) = groups::above(groups, faults) else { return };
    let mut count = 0_usize;
    for (id, group) in joins {
        let Some(principal) = people.principals.get_mut(&id) else { continue };
        for group in above.get(&group).into_iter().flatten() {
            if principal.groups.insert(group.clone()) {
                count = count.saturating_add(1);
                people.groups.entry(group.clone()).or_default().insert(id.clone());
            }
            if count > MEMBERSHIPS_MAX {
                let limit = MEMBERSHIPS_MAX;
                let kind = FaultKind::TooMany { field: "memberships after nesting", count, limit };
                faults.add(File::People, None, kind);
                return;
            }
        }
    }
}
