//! What it takes to verify an export, beside hashing its bytes and checking its signatures.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use breakglass_integration_tests::people::Person;
use breakglass_ledger::audit::{Report as Verified, TrustFile, Verdict, verify};
use breakglass_ledger::bundle::{self, Bundle, Opening};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::chain::{Chain, entry_hash};
use breakglass_ledger::entry::{Entry, check_form};
use breakglass_ledger::tree::{Frontier, leaf_hash};
use ring::digest::{SHA256, digest};

use crate::Extent;
use crate::cast::{House, Ink};
use crate::filling::Stage;
use crate::measure::{cpu_of, seconds};
use crate::parts::{openssl_digest, verification};
use crate::report::{Aim, Figure, Report};

const SECTION: &str = "proof";

/// An export in a directory, and who is trusted about it.
struct Export {
    dir: tempfile::TempDir,
    trust: TrustFile,
    checkpoint: String,
    blobs: HashMap<Digest, Vec<u8>>,
    entries: u64,
}

pub(crate) fn measure(extent: Extent, report: &mut Report) {
    let size = if extent == Extent::Quick { 12_000 } else { 100_000 };
    let mut stage = Stage::new(House::Company, 6 * 3600);
    stage.fill(size, Ink::Fresh);
    let export = Export::of(&stage);
    let path = export.dir.path().join(bundle::ENTRIES);
    let bytes = std::fs::read(&path).expect("entries");
    let name = format!("{} entries", export.entries);
    let openssl = openssl_digest(&path);
    report.part(SECTION, format!("{name}: openssl dgst -sha256"), Figure::Time(openssl));
    let (hashing, _) = seconds(|| digest(&SHA256, &bytes));
    report.part(SECTION, format!("{name}: ring's SHA-256"), Figure::Time(hashing));
    let scan = best(|| scan(&path));
    let limit = ("openssl dgst", Figure::Time(openssl));
    let what = format!("{name}: form, chain, tree, one core");
    report.held(SECTION, what.clone(), Figure::Time(scan), limit, Some(Aim::AtMost(0.9)));
    report.held(SECTION, what, Figure::Time(scan), ("ring's SHA-256", Figure::Time(hashing)), None);
    let parse = best(|| parse(&path));
    let limit = ("form, chain, tree", Figure::Time(scan));
    report.held(SECTION, format!("{name}: entries parsed"), Figure::Time(parse), limit, None);
    signatures(&export, &name, report);
}

/// The whole verifier: everything is hashed, every signature checked, every decision judged again.
fn signatures(export: &Export, name: &str, report: &mut Report) {
    let begun = cpu_of(std::process::id());
    let (whole, verified) = seconds(|| export.verify());
    let cpu = cpu_of(std::process::id()) - begun;
    assert_eq!(verified.verdict, Verdict::Verified, "{:?}", verified.findings.first());
    // Of each emergency four statements are signed, and the certificate.
    let signatures = verified.issued * 5;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let raw = verification() * signatures as f64;
    report.part(SECTION, format!("{name}: {signatures} raw checks, one core"), Figure::Time(raw));
    let what = format!("{name}: audit::verify, all of it");
    let limit = ("raw checks on one core", Figure::Time(raw));
    report.held(SECTION, what.clone(), Figure::Time(whole), limit, None);
    report.held(SECTION, format!("{what}: CPU"), Figure::Time(cpu), limit, None);
    let limit = ("raw checks on all cores", Figure::Time(raw / cores as f64));
    report.held(SECTION, what, Figure::Time(whole), limit, Some(Aim::AtMost(1.25)));
}

impl Export {
    fn of(stage: &Stage) -> Self {
        let desk = stage.house.desk();
        let reader = desk.reader().expect("a snapshot");
        let dir = tempfile::tempdir_in(crate::parts::scratch()).expect("a directory");
        let mut out = BufWriter::new(create(&dir.path().join(bundle::ENTRIES)));
        let mut entries = 0;
        loop {
            let page = reader.entries(entries, 1000).expect("entries");
            let Some(last) = page.last() else { break };
            entries = last.seq + 1;
            for record in &page {
                bundle::write_entry(&mut out, &record.bytes).expect("written");
            }
        }
        out.flush().expect("written");
        let mut out = BufWriter::new(create(&dir.path().join(bundle::OPENINGS)));
        let mut after = 0;
        loop {
            let page = reader.texts(after, 1000).expect("texts");
            let Some(last) = page.last() else { break };
            after = last.number;
            for text in &page {
                let line = Opening::new(&text.salt, &text.text).to_line().expect("a line");
                out.write_all(&line).and_then(|()| out.write_all(b"\n")).expect("written");
            }
        }
        out.flush().expect("written");
        let blob = |digest| (digest, reader.blob(digest).expect("reads").expect("is there"));
        let blobs = reader.blobs(None).expect("blobs").into_iter().map(blob).collect();
        let trust = TrustFile {
            log: desk.public().origin.clone(),
            key: desk.public().log.clone(),
            authority: vec![Person::named("pia").key().fingerprint()],
            freshness: None,
            seen: Vec::new(),
        };
        Self { dir, trust, checkpoint: desk.checkpoint().to_string(), blobs, entries }
    }

    fn verify(&self) -> Verified {
        let read = |name| open(&self.dir.path().join(name));
        let bundle = Bundle {
            entries: &mut read(bundle::ENTRIES),
            checkpoint: &self.checkpoint,
            openings: &mut read(bundle::OPENINGS),
            blobs: &|digest| self.blobs.get(&digest).cloned(),
        };
        verify(bundle, &self.trust, None, None).expect("readable")
    }
}

/// Form, chain and tree of every line, with the ledger's own parts.
fn scan(path: &Path) {
    let (mut chain, mut tree, mut line) = (Chain::default(), Frontier::new(), Vec::new());
    let mut input = open(path);
    while input.read_until(b'\n', &mut line).expect("readable") > 0 {
        let entry = &line[..line.len() - 1];
        let form = check_form(entry).expect("canonical");
        chain.extend(&form, entry_hash(entry)).expect("continues");
        tree.push(leaf_hash(entry));
        line.clear();
    }
    assert_eq!(chain.size(), tree.size());
    std::hint::black_box(tree.root());
}

/// What the whole verifier reads beyond that.
fn parse(path: &Path) {
    let (mut line, mut input) = (Vec::new(), open(path));
    while input.read_until(b'\n', &mut line).expect("readable") > 0 {
        std::hint::black_box(Entry::parse(&line[..line.len() - 1]).expect("an entry"));
        line.clear();
    }
}

fn best(body: impl Fn()) -> f64 {
    (0..3).map(|_| seconds(&body).0).fold(f64::INFINITY, f64::min)
}

fn open(path: &Path) -> BufReader<File> {
    BufReader::with_capacity(1 << 20, File::open(path).expect("is there"))
}

fn create(path: &Path) -> File {
    File::create(path).expect("can be made")
}
