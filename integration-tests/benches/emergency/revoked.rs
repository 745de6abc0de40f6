//! The lists of a hundred thousand: one more is revoked, and both are signed anew.

use std::hint::black_box;

use breakglass_broker::crl::{Entries, Line, SerialNumber};
use breakglass_broker::entropy::SystemEntropy;
use breakglass_broker::mint::Mint;
use breakglass_ledger::time::Timestamp;
use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevocationReason, RevokedCertParams};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

use crate::lists::ssh_keygen;
use crate::measure::{each, median, seconds};
use crate::parts::scratch;
use crate::report::{Aim, Figure, Report};

const SECTION: &str = "lists";

/// 2026-11-22, about noon.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_348_800);

/// Rounds, in which ours and the limit take turns.
const ROUNDS: usize = 15;

/// Both lists of `serials`, and one more.
pub(crate) fn measure(serials: &[u64], report: &mut Report) {
    let dir = tempfile::tempdir_in(scratch()).expect("a directory");
    Mint::create(dir.path(), "bench", &SystemEntropy::new(), NOW).expect("keys");
    let mint = Mint::open(dir.path(), "bench").expect("keys");
    let theirs = krl(&mint, serials, report);
    crl(&mint, serials, theirs, report);
}

/// Answers the seconds that `ssh-keygen` takes for its list.
fn krl(mint: &Mint, serials: &[u64], report: &mut Report) -> f64 {
    let (mut serials, mut version) = (serials.to_vec(), 1);
    let ours = each(3, || {
        serials.push(serials.last().expect("some") + 2);
        version += 1;
        mint.krl(&serials, version, NOW).expect("a list")
    });
    let dir = tempfile::tempdir_in(scratch()).expect("a directory");
    let theirs = ssh_keygen(dir.path(), &mint.public().ssh_ca.to_openssh(), &serials);
    let what = format!("KRL of {}, one more revoked: signed", serials.len());
    let limit = ("ssh-keygen -k, not signed", Figure::Time(theirs));
    report.held(SECTION, what, Figure::Time(ours), limit, Some(Aim::AtMost(0.1)));
    theirs
}

fn crl(mint: &Mint, serials: &[u64], keygen: f64, report: &mut Report) {
    let number = |seq: u64| SerialNumber::new(seq, (!seq).to_be_bytes()).expect("a number");
    let line = |seq| Line::new(number(seq), NOW).expect("a line");
    let (mut entries, mut next) = (Entries::default(), serials.last().expect("some") + 1);
    for seq in serials {
        entries.add(&line(*seq), NOW.plus(900)).expect("room");
    }
    let key = key();
    let floor = |der: &[u8]| {
        let copied = black_box(der.to_vec());
        key.sign(&SystemRandom::new(), &copied).expect("signs")
    };
    let (mut ours, mut floors, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let (mut texts, mut shown) = (Vec::new(), None);
    for _ in 0..ROUNDS {
        let (taken, list) = seconds(|| {
            entries.add(&line(next), NOW.plus(900)).expect("room");
            mint.crl_of(&entries, next, NOW).expect("a list").expect("an authority")
        });
        next += 1;
        let (least, _) = seconds(|| floor(&list.der));
        ours.push(taken);
        floors.push(least);
        ratios.push(taken / least);
        // As the daemon does it: who writes the file makes the text, and the list is shown until the next.
        texts.push(seconds(|| black_box(list.pem()).len()).0);
        shown = Some(list);
    }
    let (ours, least) = (median(&mut ours), median(&mut floors));
    let what = format!("CRL of {}, one more revoked: signed, read back", entries.len());
    let limit = ("copy, hash, one P-256 signature", Figure::Time(least), median(&mut ratios));
    report.paired(SECTION, &*what, Figure::Time(ours), limit, Some(Aim::AtMost(1.2)));
    let limit = ("ssh-keygen -k, not signed", Figure::Time(keygen));
    report.held(SECTION, &*what, Figure::Time(ours), limit, Some(Aim::AtMost(0.1)));
    let text = Figure::Time(median(&mut texts));
    report.part(SECTION, "its text and digest, by who writes the file", text);
    let one = each(500, || key.sign(&SystemRandom::new(), &[7; 64]).expect("signs"));
    report.held(
        SECTION,
        &*what,
        Figure::Time(ours),
        ("one P-256 signature", Figure::Time(one)),
        None,
    );
    let der = shown.expect("some rounds").der;
    let hash = each(3, || digest(&SHA256, black_box(&der)));
    report.held(
        SECTION,
        &*what,
        Figure::Time(ours),
        ("SHA-256 of it, once", Figure::Time(hash)),
        None,
    );
    let theirs = Figure::Time(rcgen(serials));
    report.held(
        SECTION,
        what,
        Figure::Time(ours),
        ("rcgen's builder", theirs),
        Some(Aim::AtMost(0.33)),
    );
}

fn key() -> EcdsaKeyPair {
    let (algorithm, rng) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).expect("a key");
    EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &rng).expect("a key")
}

/// Seconds that rcgen takes for the same list, from certificates to signed DER.
fn rcgen(serials: &[u64]) -> f64 {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("no names");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.key_usages = vec![rcgen::KeyUsagePurpose::CrlSign];
    let issuer = rcgen::Issuer::new(authority, key);
    let revoked = |seq: &u64| RevokedCertParams {
        serial_number: [seq.to_be_bytes(), (!seq).to_be_bytes()].concat().into(),
        revocation_time: rcgen::date_time_ymd(2026, 11, 22),
        reason_code: Some(RevocationReason::CessationOfOperation),
        invalidity_date: None,
    };
    each(3, || {
        let list = CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2026, 11, 22),
            next_update: rcgen::date_time_ymd(2026, 11, 29),
            crl_number: 1_u64.into(),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&issuer).expect("a list")
    })
}
