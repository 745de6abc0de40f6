use breakglass_ledger::note::SignedCheckpoint;
use breakglass_ledger::tree::{Nodes, consistency, node_hash, root_of};
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::*;

struct Log {
    pair: Ed25519KeyPair,
    trust: Trust,
}

fn log(seed: u8) -> Log {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = pair.public_key().as_ref().try_into().unwrap();
    let log = Origin::new("test", &public).unwrap();
    let key = VerifierKey::of_log(&log, &public).unwrap();
    Log { pair, trust: Trust { log, key } }
}

impl Log {
    fn note(&self, leaves: &[Digest]) -> (Checkpoint, String) {
        let size = u64::try_from(leaves.len()).unwrap();
        let origin = self.trust.log.clone();
        let checkpoint = Checkpoint { origin, size, root: root_of(leaves) };
        let signature = self.pair.sign(checkpoint.body().as_bytes());
        let signature = signature.as_ref().try_into().unwrap();
        let note = SignedCheckpoint::assemble(&checkpoint, &self.trust.key, &signature);
        (checkpoint, note)
    }
}

fn leaves(count: u8, salt: u8) -> Vec<Digest> {
    (0..count).map(|index| Digest::of(&[index, salt])).collect()
}

struct Kept<'a>(&'a [Digest]);

impl Nodes for Kept<'_> {
    type Error = std::convert::Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Digest, Self::Error> {
        if level == 0 {
            return Ok(self.0[usize::try_from(index).unwrap()]);
        }
        let (below, first) = (level.checked_sub(1).unwrap(), index.checked_mul(2).unwrap());
        let left = self.node(below, first)?;
        Ok(node_hash(&left, &self.node(below, first.checked_add(1).unwrap())?))
    }
}

#[test]
fn an_extension_of_what_was_seen_is_believed() {
    let log = log(1);
    let all = leaves(7, 0);
    let (kept, _) = log.note(&all[..3]);
    let (_, note) = log.note(&all);
    let proof = consistency(&Kept(&all), 3, 7).unwrap();
    assert_eq!(log.trust.extend(Some(&kept), &note, &proof).unwrap().size, 7);
    assert_eq!(log.trust.extend(None, &note, &[]).unwrap().size, 7);
}

/// R37: an older genuine checkpoint is a rollback for whoever has seen a newer one.
#[test]
fn a_ledger_that_went_backwards_is_refused_loudly() {
    let log = log(1);
    let all = leaves(7, 0);
    let (kept, _) = log.note(&all);
    let (_, note) = log.note(&all[..3]);
    let error = log.trust.extend(Some(&kept), &note, &[]).unwrap_err();
    assert_eq!(error, TrustError::Rollback { kept: 7, offered: 3 });
    assert_eq!(Failure::from(error).exit(), Exit::Tampered);
}

/// R37: a rewritten suffix is signed with the real key and still not believed.
#[test]
fn another_history_is_a_fork() {
    let log = log(1);
    let (kept, _) = log.note(&leaves(5, 0));
    let (_, same_length) = log.note(&leaves(5, 9));
    assert_eq!(log.trust.extend(Some(&kept), &same_length, &[]), Err(TrustError::Fork { size: 5 }));
    let rewritten = leaves(8, 9);
    let (_, longer) = log.note(&rewritten);
    let proof = consistency(&Kept(&rewritten), 5, 8).unwrap();
    assert_eq!(
        log.trust.extend(Some(&kept), &longer, &proof),
        Err(TrustError::NoExtension { kept: 5, offered: 8 })
    );
}

/// R31: the pin is the configured key; a ledger under another key is refused, however it is named.
#[test]
fn a_checkpoint_under_another_key_is_refused() {
    let (ours, other) = (log(1), log(2));
    let (_, note) = other.note(&leaves(3, 0));
    assert!(matches!(ours.trust.open(&note), Err(TrustError::Note(_))));
}

#[test]
fn a_key_of_another_log_is_refused_in_the_configuration() {
    let (ours, other) = (log(1), log(2));
    let given = crate::config::Given {
        config: None,
        log: Some(ours.trust.log.to_string()),
        log_key: Some(other.trust.key.to_string()),
        ..crate::config::Given::default()
    };
    let config = Config::load(&given).unwrap();
    assert!(matches!(Trust::of(&config), Err(ConfigError::Value { key: "log-key", .. })));
}
