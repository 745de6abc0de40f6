use std::collections::BTreeMap;

use proptest::prelude::*;

use super::satisfiable::can_be_granted;
use super::*;
use crate::statement::Lane;

/// Pieces of TOML that change meaning rather than only breaking the form.
const PIECES: [&str; 28] = [
    "0",
    "1",
    "99",
    "\"none\"",
    "[]",
    "[\"*\"]",
    "\"group:leads\"",
    "\"principal:sam\"",
    "\"\"",
    "[[scope]]\n",
    "[[scope.stage]]\n",
    "[scope.ssh]\n",
    "[[group]]\n",
    "[[principal]]\n",
    "quorum = 0\n",
    "approval = \"none\"\n",
    "approvers = []\n",
    "members = [\"group:leads\"]\n",
    "kind = \"agent\"\n",
    "\n",
    "\"",
    "=",
    "\u{202e}",
    "#",
    "lanes = [\"normal\", \"outage\", \"emergency\"]\n",
    "outage = \"okta\"\n",
    "emergency = { after = \"1m\", ttl-max = \"1m\", delay = \"1m\" }\n",
    "within = \"5m\"\nescalate = \"group:leads\"\n",
];

#[derive(Clone, Debug)]
enum Edit {
    Cut(usize, usize),
    Put(usize, &'static str),
    CopyLine(usize, usize),
    DropLine(usize),
    Byte(usize, u8),
}

fn edit() -> impl Strategy<Value = Edit> {
    let at = || 0..4000_usize;
    prop_oneof![
        2 => (at(), 1..20_usize).prop_map(|(from, count)| Edit::Cut(from, count)),
        2 => (at(), prop::sample::select(PIECES.to_vec())).prop_map(|(at, piece)| Edit::Put(at, piece)),
        4 => (at(), at()).prop_map(|(from, to)| Edit::CopyLine(from, to)),
        4 => at().prop_map(Edit::DropLine),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Edit::Byte(at, byte)),
    ]
}

fn apply(content: &mut Vec<u8>, edit: &Edit) {
    let lines = |content: &[u8]| -> Vec<Vec<u8>> {
        content.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec).collect()
    };
    let within = |at: usize, len: usize| at.checked_rem(len).unwrap_or(0);
    match edit {
        Edit::Cut(from, count) => {
            let from = within(*from, content.len());
            let to = from.saturating_add(*count).min(content.len());
            content.drain(from..to);
        }
        Edit::Put(at, piece) => {
            let at = within(*at, content.len());
            content.splice(at..at, piece.bytes());
        }
        Edit::CopyLine(from, to) => {
            let mut all = lines(content);
            if !all.is_empty() {
                let line = all[within(*from, all.len())].clone();
                all.insert(within(*to, all.len()), line);
            }
            *content = all.concat();
        }
        Edit::DropLine(at) => {
            let mut all = lines(content);
            if !all.is_empty() {
                all.remove(within(*at, all.len()));
            }
            *content = all.concat();
        }
        Edit::Byte(at, byte) => {
            let at = within(*at, content.len());
            if let Some(place) = content.get_mut(at) {
                *place = *byte;
            }
        }
    }
}

/// What must hold of whatever `check` accepts, judged without its code.
fn judge(checked: &Checked) {
    let mut holders = BTreeMap::new();
    for one in checked.people.iter() {
        for key in &one.keys {
            assert_eq!(holders.insert(key.fingerprint(), &one.id), None, "a key of two");
        }
        assert!(one.kind == crate::principal::PrincipalKind::Human || one.sponsor.is_some());
    }
    let signers = checked.authority.signers().len();
    let quorum = usize::try_from(checked.authority.quorum()).unwrap();
    assert!((1..=signers).contains(&quorum), "authority");
    for scope in checked.scopes.iter() {
        assert!(scope.ttl_max <= crate::time::Ttl::MAX && scope.live_max >= 1);
        assert!((1..=86_400).contains(&scope.pending_max));
        assert!(scope.ssh.as_ref().is_some_and(|ssh| !ssh.principals.is_empty()));
        assert_eq!(scope.outage.is_some(), scope.lanes.contains(&Lane::Outage));
        assert_eq!(scope.emergency.is_some(), scope.lanes.contains(&Lane::Emergency));
        for stage in scope.stages() {
            assert_eq!(stage.within.is_some(), !stage.escalate.is_empty());
            assert!(stage.within.is_none_or(|within| within < scope.pending_max));
        }
        if let Approval::Stages(stages) = &scope.approval {
            assert!(!stages.is_empty() && stages.iter().all(|stage| stage.quorum >= 1));
        }
        let asking = checked.people.iter().filter(|one| {
            scope.kinds.contains(&one.kind) && checked.people.is_any(&one.id, &scope.requesters)
        });
        for requester in asking {
            let is_possible = can_be_granted(checked, scope, Some(&requester.id));
            assert!(is_possible, "{} by {}", scope.id, requester.id);
        }
    }
}

proptest! {
    #[test]
    fn an_edited_policy_is_refused_in_words_or_still_a_policy(
        file in prop::sample::select(vec![File::Authority, File::People, File::Scopes, File::Scopes]),
        edits in prop::collection::vec(edit(), 1..4),
    ) {
        let mut files = five();
        let content = match file {
            File::Authority => &mut files.authority,
            File::People => &mut files.people,
            File::Rules => &mut files.rules,
            File::Scopes => &mut files.scopes,
        };
        for edit in &edits {
            apply(content, edit);
        }
        match check(&files) {
            Ok(checked) => judge(&checked),
            Err(faults) => {
                prop_assert!(!faults.is_empty());
                for fault in faults {
                    let text = fault.to_string();
                    prop_assert!(!text.chars().any(char::is_control), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_in_words(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for file in [File::Authority, File::People, File::Scopes] {
            let mut files = five();
            match file {
                File::Authority => files.authority = bytes.clone(),
                File::People => files.people = bytes.clone(),
                File::Rules | File::Scopes => files.scopes = bytes.clone(),
            }
            if let Err(faults) = check(&files) {
                prop_assert!(!faults.is_empty());
            }
        }
    }
}
