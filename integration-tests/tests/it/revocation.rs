//! Revocation lists against the programs that read them: `sshd` and `ssh-keygen`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use breakglass_broker::crl::Entries;
use breakglass_broker::krl;
use breakglass_broker::publish::Published;
use breakglass_integration_tests::desk::House;
use breakglass_integration_tests::grant::{Grant, Hosted, files_with, now, scope, tls_scope};
use breakglass_integration_tests::sshd::said;
use breakglass_integration_tests::wait::{nap, until};
use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::statement::Kind;
use proptest::prelude::*;

const IN: &str = "exit 0";

/// Says that everybody may stop, also when this thread dies: otherwise a failing test would hang.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Counts `act` until somebody stops.
fn count_until(stop: &AtomicBool, count: &AtomicU64, mut act: impl FnMut()) {
    let _stops = Stops(stop);
    while !stop.load(Ordering::SeqCst) {
        act();
        count.fetch_add(1, Ordering::SeqCst);
    }
}

/// R40: lists of very different lengths follow each other as fast as the disk allows, while one
/// revoked and one good credential log in and another reader reads every list it can get.
#[test]
fn a_list_replaced_under_load_never_lets_the_revoked_in_nor_the_good_out() {
    let mut site = Hosted::new();
    let (revoked, revoked_key) = site.grant("host", 3600);
    let (_, good_key) = site.grant("host", 3600);
    site.take_back(&revoked);
    let (mint, publisher, list) = (site.house.mint(), site.house.publisher(), site.house.revoked());
    let authority = site.house.desk().public().ssh_ca.wire().to_vec();
    let mut version = site.house.desk().lists().version;
    let stop = AtomicBool::new(false);
    let [swaps, reads, goods, bads] = std::array::from_fn(|_| AtomicU64::new(0));
    std::thread::scope(|threads| {
        let _stops = Stops(&stop);
        threads.spawn(|| {
            count_until(&stop, &swaps, || {
                version += 1;
                // From a few bytes to a few hundred kilobytes, several pages of the file apart.
                let others = (1..=(version % 5) * 10_000).map(|n| 1_000_000 + n * n);
                let serials: Vec<u64> = std::iter::once(revoked.serial).chain(others).collect();
                let (at, none) = (now().second(), Entries::default());
                let signed = mint.lists(&serials, &none, version, at, at).unwrap();
                assert_eq!(publisher.publish(&signed).unwrap(), Published::Now);
            });
        });
        threads.spawn(|| {
            count_until(&stop, &reads, || {
                let read = krl::read(&fs::read(&list).unwrap(), &authority).unwrap();
                assert!(read.revokes(revoked.serial));
                nap();
            });
        });
        threads.spawn(|| {
            count_until(&stop, &goods, || assert!(site.host.log_in(&good_key, IN).is_in()));
        });
        threads.spawn(|| {
            count_until(&stop, &bads, || assert!(!site.host.log_in(&revoked_key, IN).is_in()));
        });
        let begun = Instant::now();
        let at_least = |count: &AtomicU64, least| count.load(Ordering::SeqCst) >= least;
        until("hundreds of lists and some log-ins", Duration::from_secs(180), || {
            let enough = at_least(&swaps, 200) && at_least(&goods, 10) && at_least(&bads, 10);
            let is_over = begun.elapsed() > Duration::from_secs(10) && enough;
            (is_over || stop.load(Ordering::SeqCst)).then_some(())
        });
    });
    let counts = [&swaps, &reads, &goods, &bads].map(|count| count.load(Ordering::SeqCst));
    println!("lists, reads, good log-ins, revoked log-ins: {counts:?}");
}

/// What the publisher prevents: `sshd` reads an emptied list as one that revokes nobody, and
/// refuses everybody if it is cut off or missing. Only whole lists, put in place by one rename,
/// are safe; and the next one mends whatever somebody did to the files.
#[test]
fn a_list_written_in_place_would_let_everybody_in_or_nobody() {
    let mut site = Hosted::new();
    let (revoked, revoked_key) = site.grant("host", 3600);
    let (other, good_key) = site.grant("host", 3600);
    site.take_back(&revoked);
    let logins =
        |site: &Hosted| [&revoked_key, &good_key].map(|key| site.host.log_in(key, IN).is_in());
    assert_eq!(logins(&site), [false, true]);
    let whole = fs::read(site.house.revoked()).unwrap();
    fs::write(site.house.revoked(), b"").unwrap();
    assert_eq!(logins(&site), [true, true], "an empty list revokes nobody");
    fs::write(site.house.revoked(), &whole[..whole.len() - 7]).unwrap();
    assert_eq!(logins(&site), [false, false], "half a list refuses everybody");
    fs::remove_file(site.house.revoked()).unwrap();
    assert_eq!(logins(&site), [false, false], "no list refuses everybody");
    // The same version again is enough: the publisher sees that what is there is damaged.
    assert_eq!(site.house.publish(), Published::Now);
    assert_eq!(logins(&site), [false, true]);
    site.take_back(&other);
    assert_eq!(logins(&site), [false, false]);
}

/// One thing that happens to a house.
#[derive(Clone, Debug)]
enum Step {
    /// A credential of this many seconds.
    Grant(u32),
    /// One of the credentials so far is given back; too late for some.
    GiveBack(prop::sample::Index),
    /// Time goes by.
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (30..2000_u32).prop_map(Step::Grant),
        3 => any::<prop::sample::Index>().prop_map(Step::GiveBack),
        2 => (1..400_u64).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..Default::default() })]

    /// R35, R36, R39: after every step stock `ssh-keygen` finds exactly those certificates revoked
    /// that the ledger says are, dropped or expired, until no host can take them for good.
    #[test]
    fn ssh_keygen_finds_revoked_exactly_what_the_ledger_says(
        steps in prop::collection::vec(step(), 20..40),
    ) {
        let keys = tempfile::tempdir().unwrap();
        let mut house = House::with(files_with(&scope("host", "principals = [\"bg-root\"]")));
        let mut grants: Vec<(Grant, PathBuf)> = Vec::new();
        for (number, step) in (1..).zip(steps) {
            match step {
                Step::Grant(ttl) => {
                    let grant = house.grant("host", ttl, number);
                    let key = grant.write(keys.path());
                    shows(&grant, &key.with_file_name("id-cert.pub"));
                    grants.push((grant, key));
                }
                Step::GiveBack(which) if !grants.is_empty() => {
                    // Refused if it has ended already; the ledger says which it was.
                    let _ = house.give_back(which.get(&grants).0.request);
                }
                Step::GiveBack(_) => {}
                Step::Pass(seconds) => house.pass(seconds),
            }
            house.publish();
            let expected = revoked_by_the_ledger(&house);
            prop_assert_eq!(revoked_by_ssh_keygen(&house.revoked(), &grants), expected.clone());
            prop_assert_eq!(listed_by_ssh_keygen(&house.revoked()), expected);
        }
    }
}

/// R35: stock `ssh-keygen` reads what was minted, and its authority's signature is good.
fn shows(grant: &Grant, certificate: &Path) {
    let shown = said(Command::new("ssh-keygen").arg("-Lf").arg(certificate));
    for part in [
        format!("Key ID: \"bg:{}:sam\"", grant.id),
        format!("Serial: {}", grant.serial),
        format!("Public key: ED25519-CERT {}", grant.subject.key().fingerprint()),
        "bg-root".to_owned(),
    ] {
        assert!(shown.contains(&part), "no {part} in {shown}");
    }
}

/// Serials of credentials that were revoked and whose grants are not closed.
fn revoked_by_the_ledger(house: &House) -> BTreeSet<u64> {
    let mut revoked = Vec::new();
    for bytes in house.entries() {
        let body = Entry::parse(&bytes).unwrap().body;
        if let Body::Revoked(entry) = &body {
            revoked.push((entry.link.grant, entry.serial));
        }
        if let Body::Closed(entry) = &body {
            revoked.retain(|(grant, _)| *grant != entry.link.grant);
        }
    }
    revoked.into_iter().map(|(_, serial)| serial).collect()
}

/// Serials of the certificates that `ssh-keygen -Q` finds revoked by `list`.
fn revoked_by_ssh_keygen(list: &Path, grants: &[(Grant, PathBuf)]) -> BTreeSet<u64> {
    if grants.is_empty() {
        return BTreeSet::new();
    }
    let certificates = grants.iter().map(|(_, key)| key.with_file_name("id-cert.pub"));
    let mut ask = Command::new("ssh-keygen");
    ask.arg("-Qf").arg(list).args(certificates).stdin(Stdio::null());
    let output = ask.output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<&str> = told.lines().filter(|line| line.contains("id-cert.pub")).collect();
    assert_eq!(answers.len(), grants.len(), "{told}");
    let verdict = |line: &&str| match line.rsplit(": ").next() {
        Some("REVOKED") => true,
        Some("ok") => false,
        other => panic!("{other:?} in {told}"),
    };
    let revoked: Vec<bool> = answers.iter().map(verdict).collect();
    // ssh-keygen(1): "a non-zero exit status will be returned" if any is revoked.
    assert_eq!(output.status.success(), !revoked.contains(&true), "{told}");
    let found = grants.iter().zip(revoked).filter(|(_, is_revoked)| *is_revoked);
    found.map(|((grant, _), _)| grant.serial).collect()
}

/// The KRL names SSH certificates and nothing else, the CRL X.509 certificates, also after a start, which
/// reads them from the store.
#[test]
fn each_list_names_the_credentials_of_its_kind_alone() {
    let mut house = House::today(files_with(&tls_scope("both")));
    let (both, serials) = house.grant_of("both", 900, 1, &[Kind::Ssh, Kind::X509]);
    let (tls, alone) = house.grant_of("both", 900, 2, &[Kind::X509]);
    house.give_back(both).unwrap();
    house.give_back(tls).unwrap();
    for restarts in [false, true] {
        if restarts {
            house.restart();
        }
        house.publish();
        let (krl, crl) = (house.revoked(), house.revoked().with_file_name("crl.pem"));
        assert_eq!(listed_by_ssh_keygen(&krl), BTreeSet::from([serials[0]]));
        let mut openssl = Command::new("openssl");
        let text = said(openssl.args(["crl", "-noout", "-text", "-in"]).arg(crl));
        let numbers = text.lines().filter_map(|line| line.trim().strip_prefix("Serial Number: "));
        let seqs = numbers.map(|hex| u128::from_str_radix(hex, 16).unwrap() >> 64);
        assert_eq!(seqs.collect::<Vec<_>>(), [serials[1].into(), alone[0].into()]);
    }
}

/// Every serial that `ssh-keygen -Ql` prints, ranges spelled out.
fn listed_by_ssh_keygen(list: &Path) -> BTreeSet<u64> {
    let printed = said(Command::new("ssh-keygen").arg("-Ql").arg("-f").arg(list));
    let mut serials = BTreeSet::new();
    for value in printed.lines().filter_map(|line| line.strip_prefix("serial: ")) {
        let (first, last) = value.split_once('-').unwrap_or((value, value));
        serials.extend(first.parse::<u64>().unwrap()..=last.parse().unwrap());
    }
    serials
}
