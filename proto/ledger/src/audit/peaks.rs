//! The tree while it grows, with just enough kept to recompute the root at any earlier size.

use super::spoken::{Past, Then};
use crate::bytes::Digest;
use crate::tree::{Frontier, Nodes, root_at};

/// A growing tree.
///
/// The root at a size is made of one node per bit set in it, and such a node is always a left
/// child: its index is even. Keeping those alone is 32 bytes per leaf over all levels together.
#[derive(Default)]
pub(super) struct Peaks {
    frontier: Frontier,
    /// By level: the nodes with an even index, in order.
    even: Vec<Vec<Digest>>,
    /// Sizes above this one are not kept, but for the newest.
    forgotten_above: Option<u64>,
}

/// A node that is not kept; [`root_at`] asks for none beyond the size.
pub(super) struct NotKept;

impl Peaks {
    pub(super) fn push(&mut self, leaf: Digest) {
        let even = &mut self.even;
        self.frontier.push_with(leaf, |level, index, node| {
            let level = usize::from(level);
            if level >= even.len() {
                even.push(Vec::new());
            }
            if index & 1 == 0
                && let Some(nodes) = even.get_mut(level)
            {
                nodes.push(node);
            }
        });
    }

    /// Counts a leaf of a ledger that is broken already and keeps nothing of it, so that a file of
    /// nothing but line feeds costs no memory.
    pub(super) fn pass_over(&mut self, leaf: Digest) {
        self.forgotten_above.get_or_insert(self.frontier.size());
        self.frontier.push(leaf);
    }

    pub(super) const fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(super) fn root(&self) -> Digest {
        self.frontier.root()
    }

    /// The root of the first `size` leaves; `None` if there are fewer.
    pub(super) fn root_at(&self, size: u64) -> Option<Digest> {
        if size == self.size() {
            return Some(self.root());
        }
        if size > self.forgotten_above.unwrap_or_else(|| self.size()) {
            return None;
        }
        root_at(self, size).ok()
    }
}

impl Past for Peaks {
    fn at(&mut self, size: u64) -> Then {
        self.root_at(size).map_or(Then::NotYet, Then::Root)
    }
}

impl Nodes for Peaks {
    type Error = NotKept;

    fn node(&self, level: u8, index: u64) -> Result<Digest, NotKept> {
        let place = usize::try_from(index >> 1).map_err(|_| NotKept)?;
        let nodes = self.even.get(usize::from(level)).filter(|_| index & 1 == 0);
        nodes.and_then(|nodes| nodes.get(place)).copied().ok_or(NotKept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::{leaf_hash, root_of};

    #[test]
    fn every_earlier_root_can_be_recomputed() {
        let leaves: Vec<_> = (0..70_u8).map(|n| leaf_hash(&[n])).collect();
        let mut peaks = Peaks::default();
        for leaf in &leaves {
            peaks.push(*leaf);
        }
        for size in 0..=70_u8 {
            let expected = root_of(&leaves[..usize::from(size)]);
            assert_eq!(peaks.root_at(u64::from(size)), Some(expected), "{size}");
        }
        assert_eq!(peaks.root_at(71), None);
        let kept: usize = peaks.even.iter().map(Vec::len).sum();
        assert!(kept <= 71, "{kept} hashes for 70 leaves");
        (0..1000_u32).for_each(|n| peaks.pass_over(leaf_hash(&n.to_be_bytes())));
        assert_eq!(peaks.even.iter().map(Vec::len).sum::<usize>(), kept, "nothing more is kept");
        assert_eq!(peaks.root_at(70), Some(root_of(&leaves)));
        assert_eq!((peaks.root_at(71), peaks.root_at(1070)), (None, Some(peaks.root())));
    }
}
