//! Hostile bytes: whatever a bundle's files hold, there is a verdict, and never a good one.

use proptest::prelude::*;

use super::*;
use crate::testing::CaseExport;

/// One change of one file.
#[derive(Clone, Debug)]
struct Mutation {
    file: u8,
    kind: u8,
    at: usize,
    length: usize,
    bytes: Vec<u8>,
}

/// Pieces that mean something to a reader of lines, JSON, notes or base64.
const PIECES: [&[u8]; 14] = [
    b"\n",
    b"\0",
    b"\xff\xfe",
    b"{",
    b"}",
    b"\"",
    b"[[[[[[[[[[[[",
    b"18446744073709551616",
    b"9007199254740992",
    b"-1",
    b"\\u0000",
    b"==",
    b"\xe2\x80\x94 ",
    b"\n\n",
];

impl Mutation {
    fn apply(&self, content: &mut Vec<u8>) {
        let at = self.at.checked_rem(content.len() + 1).unwrap_or(0);
        let end = at.saturating_add(self.length).min(content.len());
        match self.kind % 5 {
            0 => content.truncate(at),
            1 => drop(content.splice(at..end, self.bytes.iter().copied())),
            2 => drop(content.splice(at..at, self.bytes.iter().copied())),
            3 => {
                let again = content[at..end].to_vec();
                content.splice(at..at, again);
            }
            _ => {
                content.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (self.length % 8))
            }
        }
    }

    /// The case with this change.
    fn harm(&self, honest: &CaseExport) -> CaseExport {
        let mut case = honest.clone();
        match self.file % 5 {
            0 => self.apply(&mut case.files.entries),
            1 => self.apply(&mut case.proofs),
            2 => self.apply(&mut case.files.openings),
            3 => {
                let mut note = case.files.checkpoint.clone().into_bytes();
                self.apply(&mut note);
                case.files.checkpoint = String::from_utf8_lossy(&note).into_owned();
            }
            _ => {
                let place = self.at % case.files.blobs.len();
                self.apply(case.files.blobs.values_mut().nth(place).unwrap());
            }
        }
        case
    }
}

/// A small ledger, its only grant closed, as a whole and as a case: both hold the same entries.
struct Golden {
    house: House,
    case: CaseExport,
}

impl Golden {
    fn new() -> Self {
        let mut house = House::new();
        let id = house.request("sam", "solo", 60);
        house.withdraw(id, "sam");
        let case = house.case(id);
        assert_eq!(case.files, house.export());
        Self { house, case }
    }

    fn judge(&self, mutation: &Mutation) {
        let harmed = mutation.harm(&self.case);
        let trust = self.house.trust();
        let whole = harmed.files.verify(&trust, None);
        let case = harmed.verify(&trust, None);
        // A note may carry signatures of keys that nobody here knows.
        let may_pass = mutation.file % 5 == 3;
        assert!(may_pass || harmed.files == self.case.files || whole.verdict != Verdict::Verified);
        assert!(may_pass || harmed == self.case || case.verdict != Verdict::Verified);
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        prop::sample::select(PIECES.to_vec()).prop_map(<[u8]>::to_vec),
    ];
    (any::<u8>(), any::<u8>(), any::<usize>(), 0..300_usize, bytes)
        .prop_map(|(file, kind, at, length, bytes)| Mutation { file, kind, at, length, bytes })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_changed_file_has_a_verdict_and_never_a_good_one(change in mutation()) {
        Golden::new().judge(&change);
    }
}

/// The same in bulk and from a fixed seed, which costs less than shrinking could save.
#[test]
fn thousands_of_changed_files_have_a_verdict() {
    let golden = Golden::new();
    // Xorshift (Marsaglia 2003): nothing here needs better.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 8).unwrap()
    };
    for number in 0..3000_usize {
        let piece = PIECES[next() % PIECES.len()];
        golden.judge(&Mutation {
            file: u8::try_from(number % 5).unwrap(),
            kind: u8::try_from(next() % 5).unwrap(),
            at: next(),
            length: next() % 300,
            bytes: piece.repeat(next() % 3 + 1),
        });
    }
}
