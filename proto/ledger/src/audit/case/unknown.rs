//! What a case cannot show, said in so many words.

use std::fmt;

/// Something that only the whole ledger can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The other entries.
    Rest {
        /// How many there are; `None` without a checkpoint.
        entries: Option<u64>,
    },
    /// What followed on the last entry of a grant that is not closed.
    End,
    /// Policies after the last one shown, and changes of the broker's keys.
    Policies,
    /// How many other grants of the scope were alive.
    LiveMax,
    /// Outages, locks, and what earlier grants used or owe.
    Surroundings,
    /// Other uses of its statements, and what was said about the request and refused.
    Elsewhere,
    /// Histories that signers saw at sizes that no proof reaches.
    Seen {
        /// How many signers.
        statements: u64,
    },
}

impl Unknown {
    /// What a case with these numbers cannot show.
    pub(super) fn of(rest: Option<u64>, not_shown: u64, is_open: bool) -> Vec<Self> {
        let mut all = vec![Self::Rest { entries: rest }];
        if is_open {
            all.push(Self::End);
        }
        all.extend([Self::Policies, Self::LiveMax, Self::Surroundings, Self::Elsewhere]);
        if not_shown > 0 {
            all.push(Self::Seen { statements: not_shown });
        }
        all
    }

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest { .. } => "rest",
            Self::End => "end",
            Self::Policies => "policies",
            Self::LiveMax => "live-max",
            Self::Surroundings => "surroundings",
            Self::Elsewhere => "elsewhere",
            Self::Seen { .. } => "seen",
        }
    }
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rest { entries: Some(entries) } => {
                write!(f, "anything about the other {entries} entries of the ledger")
            }
            Self::Rest { entries: None } => f.write_str("anything about the rest of the ledger"),
            Self::End => f.write_str("what was written of this grant after its last entry here"),
            Self::Policies => f.write_str(
                "whether a newer policy, or another key of the broker, was already in force",
            ),
            Self::LiveMax => f.write_str("how many other grants of the scope were alive"),
            Self::Surroundings => f.write_str(
                "which outages and locks there were, and what earlier grants used or owe",
            ),
            Self::Elsewhere => f.write_str(
                "whether its statements stand in other entries too, and what was refused",
            ),
            Self::Seen { statements } => {
                write!(f, "whether {statements} of its signers saw this history")
            }
        }
    }
}
