//! Ids that a tired reader takes for one another.

use std::collections::BTreeMap;

use super::fault::{FaultKind, Faults};
use crate::policy::File;

/// The ids of one kind met so far, each under what it looks like.
///
/// Ids are lower case by their grammar, so two that differ by case alone cannot both be written
/// down; what is left are digits, letters and separators of one shape (R03, R17).
#[derive(Debug)]
pub(super) struct Ids {
    file: File,
    what: &'static str,
    met: BTreeMap<String, (String, u32)>,
}

impl Ids {
    /// No ids yet, of `what` ("principal", "group", …) in `file`.
    pub(super) const fn of(what: &'static str, file: File) -> Self {
        Self { file, what, met: BTreeMap::new() }
    }

    /// Adds an id; a fault if it was met before or looks like one that was.
    pub(super) fn meet(&mut self, id: &str, line: u32, faults: &mut Faults) {
        let Some((other, first)) = self.met.get(&appearance(id)) else {
            self.met.insert(appearance(id), (id.to_owned(), line));
            return;
        };
        let (what, id, first) = (self.what, id.to_owned(), *first);
        let kind = if *other == id {
            FaultKind::DuplicateId { what, id, first }
        } else {
            FaultKind::LookAlike { what, id, other: other.clone(), first }
        };
        faults.add(self.file, line, kind);
    }
}

/// What `id` looks like: equal for ids that are easily confused.
///
/// The shapes are those of Unicode's confusables (UTS 39) inside `a-z 0-9 . _ -`; separators count
/// as one, because people do not remember which it was.
fn appearance(id: &str) -> String {
    let single = |c: char| match c {
        'A'..='Z' => c.to_ascii_lowercase(),
        '0' => 'o',
        '1' | 'i' => 'l',
        '_' | '.' => '-',
        other => other,
    };
    let shapes: String = id.chars().map(single).collect();
    shapes.replace("rn", "m").replace("vv", "w")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R17: one canonical form; whatever could be taken for another is the same here.
    #[test]
    fn names_of_one_shape_are_one() {
        let pairs = [
            ("bob", "b0b"),
            ("al", "a1"),
            ("ali", "all"),
            ("modern", "modem"),
            ("team-a", "team_a"),
            ("team.a", "team-a"),
            ("vvest", "west"),
            ("Sam", "sam"),
        ];
        for (one, other) in pairs {
            assert_eq!(appearance(one), appearance(other), "{one} {other}");
        }
        for (one, other) in [("ada", "bob"), ("web-2", "web-3"), ("n", "m"), ("a-b", "ab")] {
            assert_ne!(appearance(one), appearance(other), "{one} {other}");
        }
    }
}
