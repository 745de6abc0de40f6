//! Credentials of each kind, from the statement that collects one to the entry that says so.

use std::hint::black_box;
use std::sync::mpsc::channel;

use breakglass_client::state::SubjectKey;
use breakglass_ledger::sshsig::{SshSig, assemble, to_be_signed};
use breakglass_ledger::statement::{Kind, Statement};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey, VerificationAlgorithm,
};

use crate::Extent;
use crate::cast::{House, Ink, Said};
use crate::filling::Stage;
use crate::measure::{cpu_of_sequencer, each};
use crate::parts::{ENTRY_BYTES, scratch};
use crate::report::{Aim, Figure, Report};
use crate::rows;

const SECTION: &str = "issue";

/// Statements given to the desk at once: its own batch.
const BATCH: usize = 256;

/// Requests that wait at once: one for each responder, who has one open request for a scope.
const ROUND: u64 = 256;

/// What is signed: about what a credential of any kind has.
const SIGNED_BYTES: usize = 600;

pub(crate) fn measure(extent: Extent, report: &mut Report) {
    let count = if extent == Extent::Quick { 1024 } else { 4096 };
    let budget = if extent == Extent::Quick { 0.3 } else { 1.0 };
    let row = rows::cost(&scratch(), BATCH, ENTRY_BYTES, budget).cpu;
    let (ed25519, p256) = (ed25519(), p256());
    for (kind, (raw, read_back)) in [(Kind::Ssh, ed25519), (Kind::X509, p256), (Kind::Jwt, p256)] {
        let (each_one, verified) = issued(kind, count);
        let least = ("one raw signature, verified once", Figure::Rate(1.0 / (raw + read_back)));
        let raw = ("raw signatures of the key's type", Figure::Rate(1.0 / raw));
        let rate = |seconds: f64| Figure::Rate(1.0 / seconds);
        let (decided, name) = (each_one - row, kind.name());
        report.part(
            SECTION,
            format!("{name}: CPU of one, its row and commit included"),
            Figure::Time(each_one),
        );
        let what = format!("{name}: decided, signed, read back, recorded; less a raw row");
        report.held(SECTION, &*what, rate(decided), raw, Some(Aim::AtLeast(0.5)));
        // What is signed is read back before it is handed out, so this is the least it can cost.
        report.held(SECTION, what, rate(decided), least, None);
        let what = format!("{name}: the same, and the collector's signature verified");
        report.held(SECTION, what, rate(decided + verified), raw, None);
    }
}

/// CPU seconds that the one thread that decides takes for one credential of `kind`, and seconds for
/// the verification of the signature that collects it.
fn issued(kind: Kind, count: u64) -> (f64, f64) {
    let mut stage = Stage::new(House::Company, 0);
    let (mut cpu, mut verified) = (0.0, 0.0);
    for _ in 0..count / ROUND {
        let collects = waiting(&mut stage, kind, ROUND);
        let Said { statement, signature, .. } = &collects[0];
        let namespace = statement.act().kind().namespace();
        let text = statement.text().as_bytes();
        verified = each(200, || signature.verify(&namespace, text).expect("good"));
        let before = cpu_of_sequencer();
        give(stage.house.desk(), &collects);
        cpu += cpu_of_sequencer() - before;
    }
    (cpu / count as f64, verified)
}

/// Approved requests for credentials of `kind`; answers what collects them.
fn waiting(stage: &mut Stage, kind: Kind, count: u64) -> Vec<Said> {
    let mut collects = Vec::new();
    for number in stage.take(count) {
        let scene = stage.scene();
        let key = SubjectKey::generate(&[kind]).expect("a key");
        let own = key.public().clone();
        let said =
            stage.cast.emergency_of(&scene, number, (900, Ink::Old), kind, &own, |statement| {
                sign(&key, statement)
            });
        let [request, first, second, collect] = said;
        give(stage.house.desk(), &[request, first, second]);
        collects.push(collect);
    }
    collects
}

fn sign(key: &SubjectKey, statement: &Statement) -> SshSig {
    let namespace = statement.act().kind().namespace();
    let message = to_be_signed(&namespace, statement.text().as_bytes());
    let blob = key.sign(&message).expect("signs");
    assemble(key.public(), &namespace, &blob).expect("assembles")
}

fn give(desk: &breakglass_broker::desk::Desk, all: &[Said]) {
    let (answer, told) = channel();
    for batch in all.chunks(4 * BATCH) {
        for said in batch {
            let answer = answer.clone();
            let reply = Box::new(move |said: Result<_, _>| drop(answer.send(said.map(drop))));
            desk.submit(said.incoming(), reply).expect("room in the queue");
        }
        for _ in batch {
            told.recv().expect("an answer").expect("written");
        }
    }
}

/// Seconds for one Ed25519 signature, and for its verification.
fn ed25519() -> (f64, f64) {
    let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed");
    let signed = each(500, || key.sign(black_box(&[7; SIGNED_BYTES])));
    let signature = key.sign(&[7; SIGNED_BYTES]);
    (signed, verified(&ED25519, key.public_key().as_ref(), signature.as_ref()))
}

/// Seconds for one P-256 signature, and for its verification.
fn p256() -> (f64, f64) {
    let (algorithm, rng) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
    let algorithm: &EcdsaSigningAlgorithm = algorithm;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).expect("a key");
    let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &rng).expect("a key");
    let signed = each(500, || key.sign(&rng, black_box(&[7; SIGNED_BYTES])).expect("signs"));
    let signature = key.sign(&rng, &[7; SIGNED_BYTES]).expect("signs");
    (signed, verified(&ECDSA_P256_SHA256_FIXED, key.public_key().as_ref(), signature.as_ref()))
}

fn verified(algorithm: &'static dyn VerificationAlgorithm, key: &[u8], signature: &[u8]) -> f64 {
    let key = UnparsedPublicKey::new(algorithm, key);
    each(500, || key.verify(black_box(&[7; SIGNED_BYTES]), signature).expect("good"))
}
