//! The codes of what is wrong with an entry's form or place.

use super::finding::Code;
use crate::chain::ChainError;
use crate::entry::EntryError;

pub(super) const fn code_of_entry(error: &EntryError) -> Code {
    match error {
        EntryError::TooLarge { .. } => Code::EntryTooLarge,
        EntryError::Form { .. } | EntryError::Spelling => Code::EntryNotCanonical,
        EntryError::Schema { .. } => Code::Schema,
    }
}

pub(super) const fn code_of_chain(error: &ChainError) -> Code {
    match error {
        ChainError::Gap { .. } => Code::SeqGap,
        ChainError::Link { .. } => Code::ChainBroken,
        ChainError::Time { .. } => Code::TimeRegression,
    }
}
