//! The raw parts, each alone: signatures, hashes, rows.

use std::hint::black_box;
use std::path::{Path, PathBuf};

use breakglass_integration_tests::people::Person;
use breakglass_ledger::sshsig::to_be_signed;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::Extent;
use crate::measure::each;
use crate::report::{Figure, Report};
use crate::rows;

const SECTION: &str = "parts";

/// About what an entry with a statement has.
pub(crate) const ENTRY_BYTES: usize = 1600;

/// Where throw-away files go: the build's own directory, which is on a disk and not in memory.
pub(crate) fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// Signatures, hashes and rows.
pub(crate) fn measure(extent: Extent, report: &mut Report) {
    signatures(report);
    hashes(report);
    let budget = if extent == Extent::Quick { 0.3 } else { 1.0 };
    for batch in [1, 16, 256] {
        let cost = rows::cost(&scratch(), batch, ENTRY_BYTES, budget);
        let what = format!("SQLite, one row of {ENTRY_BYTES} B, {batch} to a commit");
        report.part(SECTION, what.clone(), Figure::Time(cost.row));
        report.part(SECTION, format!("{what}: CPU"), Figure::Time(cost.cpu));
    }
}

fn signatures(report: &mut Report) {
    let message = to_be_signed("request.v1@breakglass", &[b'x'; 600]);
    let seed = [7; 32];
    let ring = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed");
    let dalek = SigningKey::from_bytes(&seed);
    let signature = ring.sign(&message);
    let public = UnparsedPublicKey::new(&ED25519, ring.public_key().as_ref().to_vec());
    let mut part = |what, time| report.part(SECTION, what, Figure::Time(time));
    part("Ed25519 sign, ring", each(500, || ring.sign(black_box(&message))));
    part("Ed25519 sign, dalek", each(500, || dalek.sign(black_box(&message))));
    let verify = || public.verify(black_box(&message), signature.as_ref()).expect("good");
    part("Ed25519 verify, ring", each(500, verify));
    part("Ed25519 verify strictly, dalek", each(500, verifier(&message)));
    let person = Person::named("somebody");
    let sshsig = person.sign_in("request.v1@breakglass", &[b'x'; 600]);
    let whole = each(500, || sshsig.verify("request.v1@breakglass", &[b'x'; 600]).expect("good"));
    report.held(
        SECTION,
        "SSHSIG over a statement, parsed, verified",
        Figure::Time(whole),
        ("dalek's verification", Figure::Time(verification())),
        None,
    );
}

/// Seconds for one strict verification: the signature part of a floor.
pub(crate) fn verification() -> f64 {
    each(500, verifier(&to_be_signed("request.v1@breakglass", &[b'x'; 600])))
}

fn verifier(message: &[u8]) -> impl FnMut() {
    let key = SigningKey::from_bytes(&[7; 32]);
    let public: VerifyingKey = key.verifying_key();
    let signature: Signature = key.sign(message);
    let message = message.to_vec();
    move || public.verify_strict(black_box(&message), black_box(&signature)).expect("good")
}

fn hashes(report: &mut Report) {
    let bulk = vec![b'x'; 16 << 20];
    let time = each(2, || digest(&SHA256, black_box(&bulk)));
    report.part(SECTION, "SHA-256 in bulk, ring, bytes", Figure::Rate(bulk.len() as f64 / time));
    let entry = vec![b'x'; ENTRY_BYTES];
    let time = each(5000, || digest(&SHA256, black_box(&entry)));
    report.part(SECTION, "SHA-256 of one entry, ring", Figure::Time(time));
}

/// Seconds that a file takes `openssl dgst -sha256`; the best of three.
pub(crate) fn openssl_digest(file: &Path) -> f64 {
    let run = || {
        let (taken, output) = crate::measure::seconds(|| {
            std::process::Command::new("openssl")
                .args(["dgst", "-sha256"])
                .arg(file)
                .output()
                .expect("openssl is installed (see integration-tests/run)")
        });
        assert!(output.status.success(), "openssl dgst");
        taken
    };
    (0..3).map(|_| run()).fold(f64::INFINITY, f64::min)
}
