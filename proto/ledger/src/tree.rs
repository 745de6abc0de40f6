//! The Merkle tree over the ledger's entries: roots, and proofs that cost O(log n) reads.
//!
//! RFC 6962, 2.1 (unchanged in RFC 9162): a leaf is hashed as `0x00 ‖ entry`, a node as
//! `0x01 ‖ left ‖ right`, and the empty tree's root is the hash of nothing. Where the hashes are
//! kept is the caller's business; this module asks for them through [`Nodes`].

mod proof;

pub use proof::{consistency, frontier_before, inclusion, verify_consistency, verify_inclusion};

use crate::bytes::Digest;

/// Levels of a tree of at most 2^64 leaves, and so the most hashes in a [`Frontier`] or a proof.
pub const LEVELS_MAX: usize = 64;

/// The hash of one entry's bytes as a leaf.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], entry])
}

/// The hash of a node over its two children.
#[must_use]
pub fn node_hash(left: &Digest, right: &Digest) -> Digest {
    let mut bytes = [1; 65];
    let (_, children) = bytes.split_at_mut(1);
    let (for_left, for_right) = children.split_at_mut(32);
    for_left.copy_from_slice(left.as_bytes());
    for_right.copy_from_slice(right.as_bytes());
    Digest::of(&bytes)
}

/// The root of the tree with no leaves.
#[must_use]
pub fn empty_root() -> Digest {
    Digest::of(&[])
}

/// The root over these leaf hashes, in order.
#[must_use]
pub fn root_of(leaves: &[Digest]) -> Digest {
    let mut frontier = Frontier::new();
    for leaf in leaves {
        frontier.push(*leaf);
    }
    frontier.root()
}

/// Where the hashes of complete subtrees are kept.
pub trait Nodes {
    /// Why a hash could not be had.
    type Error;

    /// The hash of the complete subtree of `2^level` leaves that starts at leaf `index * 2^level`.
    ///
    /// # Errors
    ///
    /// [`Nodes::Error`] if it is not kept or cannot be read.
    fn node(&self, level: u8, index: u64) -> Result<Digest, Self::Error>;
}

/// The right edge of a tree: all that is needed to append and to know the root.
///
/// Holds one hash per bit set in the size, so at most [`LEVELS_MAX`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the complete subtrees, the largest (leftmost) first.
    peaks: Vec<Digest>,
}

impl Frontier {
    /// The edge of the empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The edge of the tree of the first `size` leaves kept in `nodes`.
    ///
    /// # Errors
    ///
    /// What `nodes` answers.
    pub fn load<N: Nodes>(nodes: &N, size: u64) -> Result<Self, N::Error> {
        let peaks = peaks_of(0, size).map(|(level, index)| nodes.node(level, index));
        Ok(Self { size, peaks: peaks.collect::<Result<_, _>>()? })
    }

    /// Appends a leaf hash.
    pub fn push(&mut self, leaf: Digest) {
        self.push_with(leaf, |_, _, _| ());
    }

    /// Appends a leaf hash and tells `keep` of every node it completes, as (level, index, hash):
    /// the leaf itself first, then upwards.
    pub fn push_with(&mut self, leaf: Digest, mut keep: impl FnMut(u8, u64, Digest)) {
        let (mut level, mut index, mut node) = (0_u8, self.size, leaf);
        keep(level, index, node);
        while index & 1 == 1 {
            let Some(left) = self.peaks.pop() else { break };
            node = node_hash(&left, &node);
            index >>= 1;
            level = level.saturating_add(1);
            keep(level, index, node);
        }
        self.peaks.push(node);
        self.size = self.size.saturating_add(1);
    }

    /// How many leaves there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root over all leaves.
    #[must_use]
    pub fn root(&self) -> Digest {
        fold_peaks(&self.peaks)
    }
}

/// The root of the first `size` leaves kept in `nodes`.
///
/// # Errors
///
/// What `nodes` answers.
pub fn root_at<N: Nodes>(nodes: &N, size: u64) -> Result<Digest, N::Error> {
    Ok(Frontier::load(nodes, size)?.root())
}

/// The root over complete subtrees, given the largest first: the small ones on the right are
/// combined first (RFC 6962, 2.1: the split is at the largest power of two).
fn fold_peaks(peaks: &[Digest]) -> Digest {
    peaks
        .iter()
        .copied()
        .rev()
        .reduce(|right, left| node_hash(&left, &right))
        .unwrap_or_else(empty_root)
}

/// The complete subtrees that make up the leaves `start..end`, the largest first, as (level,
/// index). `start` must be a multiple of the smallest power of two not below `end - start`.
fn peaks_of(start: u64, end: u64) -> impl Iterator<Item = (u8, u64)> {
    let mut at = start;
    std::iter::from_fn(move || {
        let left = end.checked_sub(at).filter(|left| *left > 0)?;
        let level = left.ilog2();
        let index = at.checked_shr(level)?;
        at = at.checked_add(1_u64.checked_shl(level)?)?;
        Some((u8::try_from(level).ok()?, index))
    })
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "small numbers; a panic fails the test")]
mod tests;
