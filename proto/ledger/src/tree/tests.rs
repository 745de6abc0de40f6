//! Tests of the tree against the published vectors and by mutation of every proof.

use std::convert::Infallible;

use data_encoding::HEXLOWER_PERMISSIVE;
use proptest::prelude::*;

use super::*;

/// The eight inputs of the test vectors of google/certificate-transparency
/// (`cpp/merkletree/merkle_tree_test.cc`), with the roots after each.
const CLASSIC: [(&str, &str); 8] = [
    ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    ("5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    (
        "606162636465666768696a6b6c6d6e6f",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ),
];

/// All nodes of a small tree, level by level.
struct Kept(Vec<Vec<Digest>>);

impl Kept {
    fn of(leaves: &[Digest]) -> Self {
        let mut kept = vec![Vec::new(); LEVELS_MAX];
        let mut frontier = Frontier::new();
        for leaf in leaves {
            frontier.push_with(*leaf, |level, index, hash| {
                let level = &mut kept[usize::from(level)];
                assert_eq!(u64::try_from(level.len()).unwrap(), index, "nodes arrive in order");
                level.push(hash);
            });
        }
        Self(kept)
    }
}

impl Nodes for Kept {
    type Error = Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Digest, Infallible> {
        Ok(self.0[usize::from(level)][usize::try_from(index).unwrap()])
    }
}

fn classic_leaves() -> Vec<Digest> {
    let bytes = |hex: &str| HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).unwrap();
    CLASSIC.iter().map(|(input, _)| leaf_hash(&bytes(input))).collect()
}

fn numbered_leaves(count: usize) -> Vec<Digest> {
    (0..count).map(|n| leaf_hash(n.to_string().as_bytes())).collect()
}

/// The definition in RFC 6962, 2.1, word for word: slow, and written apart from the code above.
fn naive_root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(b""),
        [one] => *one,
        many => {
            let mut k = 1;
            while k * 2 < many.len() {
                k *= 2;
            }
            node_hash(&naive_root(&many[..k]), &naive_root(&many[k..]))
        }
    }
}

#[test]
fn the_classic_eight_leaves_give_the_published_roots() {
    let leaves = classic_leaves();
    assert_eq!(
        root_of(&[]).to_string(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    for (count, (_, root)) in CLASSIC.iter().enumerate() {
        assert_eq!(root_of(&leaves[..=count]).to_string(), *root, "{} leaves", count + 1);
        assert_eq!(
            root_at(&Kept::of(&leaves), u64::try_from(count + 1).unwrap()).unwrap().to_string(),
            *root
        );
    }
}

/// `testPaths` of the same file: the proof of leaf 6 (counted from 1) in a tree of 8.
#[test]
fn the_classic_paths_are_reproduced() {
    let kept = Kept::of(&classic_leaves());
    let shown = |proof: Vec<Digest>| proof.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        shown(inclusion(&kept, 5, 8).unwrap()),
        [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
    assert_eq!(
        shown(consistency(&kept, 6, 8).unwrap()),
        [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ]
    );
}

#[test]
fn every_proof_of_every_small_tree_verifies() {
    let leaves = numbered_leaves(40);
    let kept = Kept::of(&leaves);
    for size in 1..=40_u64 {
        let upto = &leaves[..usize::try_from(size).unwrap()];
        let root = naive_root(upto);
        assert_eq!(root_at(&kept, size).unwrap(), root);
        for index in 0..size {
            let proof = inclusion(&kept, index, size).unwrap();
            let leaf = leaves[usize::try_from(index).unwrap()];
            assert!(verify_inclusion(index, size, &leaf, &proof, &root), "{index} of {size}");
        }
        for old in 0..=size {
            let old_root = naive_root(&leaves[..usize::try_from(old).unwrap()]);
            let proof = consistency(&kept, old, size).unwrap();
            assert!(verify_consistency(old, size, &old_root, &root, &proof), "{old} to {size}");
        }
    }
}

/// A size of the same shape gives the same path; the size itself is bound by the checkpoint.
#[test]
fn a_proof_for_another_place_or_shape_is_refused() {
    let leaves = numbered_leaves(13);
    let kept = Kept::of(&leaves);
    let root = naive_root(&leaves);
    let proof = inclusion(&kept, 4, 13).unwrap();
    for (index, size) in [(5, 13), (12, 13), (4, 40), (13, 13), (4, 4), (0, 0), (u64::MAX, 13)] {
        assert!(!verify_inclusion(index, size, &leaves[4], &proof, &root), "{index} of {size}");
    }
    let old_root = naive_root(&leaves[..6]);
    let proof = consistency(&kept, 6, 13).unwrap();
    for (old, new) in [(5, 13), (7, 13), (6, 40), (13, 6), (13, 13), (0, 13)] {
        assert!(!verify_consistency(old, new, &old_root, &root, &proof), "{old} to {new}");
    }
}

#[test]
fn a_tree_never_extends_another_of_the_same_size() {
    let (one, two) = (naive_root(&numbered_leaves(3)), naive_root(&classic_leaves()[..3]));
    assert!(verify_consistency(3, 3, &one, &one, &[]));
    assert!(!verify_consistency(3, 3, &one, &two, &[]));
}

fn flipped(digest: &Digest, bit: usize) -> Digest {
    let mut bytes = *digest.as_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    Digest::from_bytes(bytes)
}

proptest! {
    #[test]
    fn a_frontier_agrees_with_the_definition(count in 0_usize..300) {
        let leaves = numbered_leaves(count);
        prop_assert_eq!(root_of(&leaves), naive_root(&leaves));
        let size = u64::try_from(count).unwrap();
        let loaded = Frontier::load(&Kept::of(&leaves), size).unwrap();
        let mut pushed = Frontier::new();
        leaves.iter().for_each(|leaf| pushed.push(*leaf));
        prop_assert_eq!(loaded, pushed);
    }

    #[test]
    fn one_flipped_bit_breaks_an_inclusion_proof(
        size in 2_u64..200, pick in any::<prop::sample::Index>(),
        hash in any::<prop::sample::Index>(), bit in 0_usize..256,
    ) {
        let leaves = numbered_leaves(usize::try_from(size).unwrap());
        let index = pick.index(leaves.len());
        let root = naive_root(&leaves);
        let at = u64::try_from(index).unwrap();
        let proof = inclusion(&Kept::of(&leaves), at, size).unwrap();
        prop_assert!(verify_inclusion(at, size, &leaves[index], &proof, &root));
        let mut bad = proof.clone();
        let place = hash.index(bad.len());
        bad[place] = flipped(&bad[place], bit);
        prop_assert!(!verify_inclusion(at, size, &leaves[index], &bad, &root));
        prop_assert!(!verify_inclusion(at, size, &flipped(&leaves[index], bit), &proof, &root));
        prop_assert!(!verify_inclusion(at, size, &leaves[index], &proof, &flipped(&root, bit)));
        prop_assert!(!verify_inclusion(at, size, &leaves[index], &proof[1..], &root));
        bad = proof;
        bad.push(root);
        prop_assert!(!verify_inclusion(at, size, &leaves[index], &bad, &root));
    }

    #[test]
    fn one_flipped_bit_breaks_a_consistency_proof(
        new in 2_u64..200, pick in any::<prop::sample::Index>(),
        hash in any::<prop::sample::Index>(), bit in 0_usize..256,
    ) {
        let leaves = numbered_leaves(usize::try_from(new).unwrap());
        let old = pick.index(leaves.len() - 1) + 1;
        let (old_root, root) = (naive_root(&leaves[..old]), naive_root(&leaves));
        let old = u64::try_from(old).unwrap();
        let proof = consistency(&Kept::of(&leaves), old, new).unwrap();
        prop_assert!(verify_consistency(old, new, &old_root, &root, &proof));
        let mut bad = proof.clone();
        let place = hash.index(bad.len());
        bad[place] = flipped(&bad[place], bit);
        prop_assert!(!verify_consistency(old, new, &old_root, &root, &bad));
        prop_assert!(!verify_consistency(old, new, &flipped(&old_root, bit), &root, &proof));
        prop_assert!(!verify_consistency(old, new, &old_root, &flipped(&root, bit), &proof));
        prop_assert!(!verify_consistency(old, new, &old_root, &root, &proof[1..]));
        bad = proof;
        bad.push(root);
        prop_assert!(!verify_consistency(old, new, &old_root, &root, &bad));
    }
}

#[test]
fn an_inclusion_proof_holds_the_roots_around_its_leaf() {
    for size in 1..40_usize {
        let leaves = numbered_leaves(size);
        let kept = Kept::of(&leaves);
        for index in 0..size {
            let [at, all] = [index, size].map(|n| u64::try_from(n).unwrap());
            let Ok(proof) = inclusion(&kept, at, all);
            let mut before = frontier_before(at, all, &proof);
            assert_eq!(before.size(), at);
            assert_eq!(before.root(), root_of(&leaves[..index]), "{index} of {size}");
            before.push(leaves[index]);
            assert_eq!(before.root(), root_of(&leaves[..=index]), "{index} of {size}");
        }
    }
}
