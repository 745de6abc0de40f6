//! Inclusion and consistency proofs: made from kept hashes, checked from nothing but numbers.

use crate::bytes::Digest;
use crate::tree::{Frontier, Nodes, empty_root, fold_peaks, node_hash, peaks_of};

/// The proof that leaf `index` is in the tree of the first `size` leaves (RFC 9162, 2.1.3.1).
///
/// Empty if there is no such leaf.
///
/// # Errors
///
/// What `nodes` answers.
pub fn inclusion<N: Nodes>(nodes: &N, index: u64, size: u64) -> Result<Vec<Digest>, N::Error> {
    let mut proof = Vec::new();
    if index >= size {
        return Ok(proof);
    }
    let (mut start, mut end) = (0, size);
    while let Some(middle) = split(start, end) {
        if index < middle {
            proof.push(range(nodes, middle, end)?);
            end = middle;
        } else {
            proof.push(range(nodes, start, middle)?);
            start = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree of the first `new` leaves extends that of the first `old` (RFC 9162,
/// 2.1.4.1).
///
/// Empty if `old` is 0, equal to `new` or beyond it; only in the first two cases does the empty
/// proof verify.
///
/// # Errors
///
/// What `nodes` answers.
pub fn consistency<N: Nodes>(nodes: &N, old: u64, new: u64) -> Result<Vec<Digest>, N::Error> {
    let mut proof = Vec::new();
    if old == 0 || old >= new {
        return Ok(proof);
    }
    let (mut start, mut end) = (0, new);
    while end != old {
        let Some(middle) = split(start, end) else { break };
        if old <= middle {
            proof.push(range(nodes, middle, end)?);
            end = middle;
        } else {
            proof.push(range(nodes, start, middle)?);
            start = middle;
        }
    }
    // The verifier already holds the old root, so it is left out when it is a node of its own.
    if start != 0 {
        proof.push(range(nodes, start, end)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Whether `proof` shows `leaf` (a leaf hash) at `index` of the tree of `size` leaves with this
/// `root` (RFC 9162, 2.1.3.2).
#[must_use]
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Digest,
    proof: &[Digest],
    root: &Digest,
) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last) = (index, size.saturating_sub(1));
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// The edge of the tree of the first `index` leaves, out of an inclusion proof of leaf `index` that
/// verified for a tree of `size` leaves: what stands to the left of the path are its subtrees.
#[must_use]
pub fn frontier_before(index: u64, size: u64, proof: &[Digest]) -> Frontier {
    let (mut at, mut last) = (index, size.saturating_sub(1));
    let mut peaks = Vec::new();
    for sibling in proof {
        if at & 1 == 1 || at == last {
            peaks.push(*sibling);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        }
        at >>= 1;
        last >>= 1;
    }
    peaks.reverse();
    Frontier { size: index, peaks }
}

/// Whether `proof` shows that the tree of `new` leaves with `new_root` begins with the tree of
/// `old` leaves with `old_root` (RFC 9162, 2.1.4.2).
#[must_use]
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Digest,
    new_root: &Digest,
    proof: &[Digest],
) -> bool {
    if old == 0 {
        return proof.is_empty() && *old_root == empty_root();
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    if old > new {
        return false;
    }
    let (mut at, mut last) = (old.saturating_sub(1), new.saturating_sub(1));
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    // The old tree is complete, so its root is the first node and the proof leaves it out.
    let (first, rest) = if old.is_power_of_two() {
        (old_root, proof)
    } else {
        let Some((first, rest)) = proof.split_first() else { return false };
        (first, rest)
    };
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}

/// Where the tree over `start..end` splits: the largest power of two below its size. `None` for
/// a single leaf.
fn split(start: u64, end: u64) -> Option<u64> {
    let last = end.checked_sub(start)?.checked_sub(1)?;
    start.checked_add(1_u64.checked_shl(last.checked_ilog2()?)?)
}

fn range<N: Nodes>(nodes: &N, start: u64, end: u64) -> Result<Digest, N::Error> {
    let peaks = peaks_of(start, end).map(|(level, index)| nodes.node(level, index));
    Ok(fold_peaks(&peaks.collect::<Result<Vec<_>, _>>()?))
}
