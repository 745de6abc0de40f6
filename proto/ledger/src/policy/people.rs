//! `people.toml`: who is who, when the identity provider is down.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::fault::{FaultKind, Faults};
use crate::key::PublicKey;
use crate::policy::{File, Members};
use crate::principal::{GroupId, PrincipalId, PrincipalKind};

/// Most principals: a large company's responders and machines; look-ups stay in memory.
pub const PRINCIPALS_MAX: usize = 10_000;

/// Most groups: several for each team of a large company.
pub const GROUPS_MAX: usize = 1_000;

/// Most keys of one principal: two hardware keys for each of many years, and a laptop or two.
pub const KEYS_MAX: usize = 16;

/// Most pairs of principal and group after nesting: bounds memory whatever the nesting multiplies.
pub const MEMBERSHIPS_MAX: usize = 200_000;

/// One person, service, workload or agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The id, for ever this one's.
    pub id: PrincipalId,
    /// Person or not. Only people approve.
    pub kind: PrincipalKind,
    /// The name shown to people; it never identifies.
    pub name: String,
    /// The team, if any.
    pub team: Option<String>,
    /// All groups this principal is in, nesting resolved.
    pub groups: BTreeSet<GroupId>,
    /// The keys; none means: cannot sign anything.
    pub keys: Vec<PublicKey>,
    /// The human who answers for this principal; always there if it is not human.
    pub sponsor: Option<PrincipalId>,
    /// Who owns it, if the file says.
    pub owner: Vec<Members>,
    /// Where to tell this principal, as URIs, in order.
    pub notify: Vec<String>,
}

impl Principal {
    /// Whether this principal could approve anything: a person with a key.
    #[must_use]
    pub fn can_approve(&self) -> bool {
        self.kind == PrincipalKind::Human && !self.keys.is_empty()
    }
}

/// Everybody, found by id, by key and by group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    pub(super) principals: BTreeMap<PrincipalId, Principal>,
    pub(super) holders: HashMap<PublicKey, PrincipalId>,
    pub(super) groups: BTreeMap<GroupId, BTreeSet<PrincipalId>>,
}

impl People {
    /// The principal of this id.
    #[must_use]
    pub fn principal(&self, id: &PrincipalId) -> Option<&Principal> {
        self.principals.get(id)
    }

    /// The one principal who holds this key.
    #[must_use]
    pub fn owner_of(&self, key: &PublicKey) -> Option<&Principal> {
        self.principals.get(self.holders.get(key)?)
    }

    /// All principals by id.
    pub fn iter(&self) -> impl Iterator<Item = &Principal> {
        self.principals.values()
    }

    /// The members of a group, nesting resolved; `None` if there is no such group.
    #[must_use]
    pub fn group(&self, id: &GroupId) -> Option<&BTreeSet<PrincipalId>> {
        self.groups.get(id)
    }

    /// The ids of all groups, ascending.
    pub fn groups(&self) -> impl Iterator<Item = &GroupId> {
        self.groups.keys()
    }

    /// Whether `who` is that principal, or in that group. Whoever is not listed is nowhere.
    #[must_use]
    pub fn is_member(&self, who: &PrincipalId, of: &Members) -> bool {
        match of {
            Members::Principal(id) => id == who && self.principals.contains_key(who),
            Members::Group(group) => {
                self.principals.get(who).is_some_and(|one| one.groups.contains(group))
            }
        }
    }

    /// Whether `who` is a member of any of `of`. Nobody is a member of nothing (R24).
    #[must_use]
    pub fn is_any(&self, who: &PrincipalId, of: &[Members]) -> bool {
        of.iter().any(|members| self.is_member(who, members))
    }

    /// Everybody in any of `of`, by id.
    #[must_use]
    pub fn all_of(&self, of: &[Members]) -> BTreeSet<&PrincipalId> {
        let mut all = BTreeSet::new();
        for members in of {
            match members {
                Members::Principal(id) => {
                    all.extend(self.principals.get_key_value(id).map(|(id, _)| id));
                }
                Members::Group(group) => all.extend(self.groups.get(group).into_iter().flatten()),
            }
        }
        all
    }

    /// Adds a fault for each reference to somebody who is not there.
    pub(super) fn resolve(&self, file: File, of: &[(u32, Members)], faults: &mut Faults) {
        for (line, members) in of {
            match members {
                Members::Principal(id) if !self.principals.contains_key(id) => {
                    let principal = id.to_string();
                    faults.add(file, *line, FaultKind::UnknownPrincipal { principal });
                }
                Members::Group(id) if !self.groups.contains_key(id) => {
                    let group = id.to_string();
                    faults.add(file, *line, FaultKind::UnknownGroup { group });
                }
                Members::Principal(_) | Members::Group(_) => {}
            }
        }
    }
}
