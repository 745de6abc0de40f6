//! `[[group]]` of `people.toml`: groups of principals and of groups, bounded and without circles.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::{FaultKind, Faults};
use super::lookalike::Ids;
use super::people::GROUPS_MAX;
use super::read::Table;
use super::values;
use crate::policy::{File, Members};
use crate::principal::GroupId;

/// Deepest nesting: more levels than any organisation chart, few enough to explain a membership.
pub const NESTING_MAX: usize = 16;

/// Most groups named as members of groups: bounds the work of resolving them.
pub const LINKS_MAX: usize = 10_000;

/// A group as the file has it.
pub(super) struct GroupDraft {
    line: u32,
    /// The id; of two with one id only the first is drafted.
    pub(super) id: GroupId,
    /// What it names as members, with their lines.
    pub(super) members: Vec<(u32, Members)>,
}

/// Reads all `[[group]]` tables.
pub(super) fn read(file: &mut Table<'_>, faults: &mut Faults) -> Vec<GroupDraft> {
    let mut ids = Ids::of("group", File::People);
    let mut groups: BTreeMap<GroupId, GroupDraft> = BTreeMap::new();
    for mut table in file.tables("group", GROUPS_MAX, faults) {
        let line = table.line();
        let id = table.need("id", faults).and_then(|id| values::name::<GroupId>(&id, faults));
        let members = table.take("members").and_then(|value| {
            values::list(&value, values::REFERENCES_MAX, faults, values::member_at)
        });
        table.finish(faults);
        if let Some(id) = id {
            ids.meet(id.as_str(), line, faults);
            let members = members.unwrap_or_default();
            groups.entry(id.clone()).or_insert(GroupDraft { line, id, members });
        }
    }
    groups.into_values().collect()
}

/// For each group: itself and every group that contains it, directly or not.
///
/// `None` after adding faults if a group contains itself or the nesting is too deep.
pub(super) fn above(
    groups: &[GroupDraft],
    faults: &mut Faults,
) -> Option<BTreeMap<GroupId, BTreeSet<GroupId>>> {
    let before = faults.count();
    let count = groups.iter().map(|group| inner(group).count()).sum();
    if count > LINKS_MAX {
        let field = "groups as members of groups";
        faults.add(File::People, None, FaultKind::TooMany { field, count, limit: LINKS_MAX });
        return None;
    }
    let order = innermost_first(groups, faults);
    if faults.count() > before {
        return None;
    }
    let mut above: BTreeMap<GroupId, BTreeSet<GroupId>> = BTreeMap::new();
    // Outermost first: whatever contains a group is complete before the group is looked at.
    for group in order.iter().rev() {
        let mut own = above.remove(&group.id).unwrap_or_default();
        own.insert(group.id.clone());
        for inner in inner(group) {
            above.entry(inner.clone()).or_default().extend(own.iter().cloned());
        }
        above.insert(group.id.clone(), own);
    }
    Some(above)
}

/// The groups that `group` names as members.
fn inner(group: &GroupDraft) -> impl Iterator<Item = &GroupId> {
    group.members.iter().filter_map(|(_, member)| match member {
        Members::Group(id) => Some(id),
        Members::Principal(_) => None,
    })
}

/// The groups, each after all it contains. Those in circles are left out, with faults.
fn innermost_first<'g>(groups: &'g [GroupDraft], faults: &mut Faults) -> Vec<&'g GroupDraft> {
    let mut left: BTreeMap<&GroupId, &GroupDraft> =
        groups.iter().map(|group| (&group.id, group)).collect();
    let mut order = Vec::new();
    let mut level = 0_usize;
    while !left.is_empty() {
        level = level.saturating_add(1);
        let is_free = |group: &GroupDraft| inner(group).all(|id| !left.contains_key(id));
        let free: Vec<&GroupDraft> = left.values().copied().filter(|one| is_free(one)).collect();
        if free.is_empty() {
            report_circles(&left, faults);
            break;
        }
        if level > NESTING_MAX {
            for group in free {
                let (group, line) = (group.id.to_string(), group.line);
                let kind = FaultKind::GroupTooDeep { group, limit: NESTING_MAX };
                faults.add(File::People, line, kind);
            }
            report_circles(&left, faults);
            break;
        }
        for group in free {
            left.remove(&group.id);
            order.push(group);
        }
    }
    order
}

/// Names each circle that a walk inwards from the groups in `left` ends in, once.
fn report_circles(left: &BTreeMap<&GroupId, &GroupDraft>, faults: &mut Faults) {
    let mut walked: BTreeSet<&GroupId> = BTreeSet::new();
    for start in left.values() {
        let mut path: Vec<&GroupDraft> = Vec::new();
        let mut at = Some(*start);
        while let Some(group) = at.filter(|group| walked.insert(&group.id)) {
            path.push(group);
            at = inner(group).find_map(|id| left.get(id).copied());
        }
        let circle = path.iter().position(|one| at.is_some_and(|group| group.id == one.id));
        let Some(circle) = circle.and_then(|from| path.get(from..)) else { continue };
        let Some(first) = circle.first() else { continue };
        let names: Vec<&str> = circle.iter().map(|group| group.id.as_str()).collect();
        let (group, path) = (first.id.to_string(), names.join(" > "));
        faults.add(File::People, first.line, FaultKind::GroupCycle { group, path });
    }
}
