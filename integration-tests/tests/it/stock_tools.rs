//! An export is checked without any code of ours: `ssh-keygen`, `sha256sum`, `jq`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use breakglass_integration_tests::desk::{House, sample_files};
use breakglass_integration_tests::grant::{files_with, scope};
use breakglass_integration_tests::people::{Person, ask};
use breakglass_integration_tests::signers::{Claim, claims, entries, is_signed};
use breakglass_integration_tests::sshd::said;
use breakglass_ledger::statement::{About, Act, Collect, Kind};
use serde_json::Value;

/// An export of a house where most things have happened, and the house.
struct Record {
    house: House,
    dir: tempfile::TempDir,
}

impl Record {
    fn new() -> Self {
        let mut house = House::sample();
        let dropped = house.grant("root-on-host", 900, 1);
        house.give_back(dropped.request).unwrap();
        house.grant("quick", 60, 2);
        deny(&mut house);
        // One collects too early, and is told so.
        let subject = Person::named("hasty");
        let asked = house.statement(Act::Request(ask("sam", "quick", 60, 4, subject.key())));
        let request = asked.digest();
        house.submit(&Person::named("sam"), asked).unwrap();
        house.act(&subject, Act::Collect(Collect { request, kind: Kind::Ssh })).unwrap_err();
        house.push(files_with(&scope("host", "principals = [\"bg-root\"]"))).unwrap();
        house.grant("host", 600, 5);
        // The quick one expires and is closed, the early one lapses.
        house.pass(700);
        house.push(sample_files()).unwrap();
        let record = Self { house, dir: tempfile::tempdir().unwrap() };
        record.house.export(&record.path());
        record
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("bundle")
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path().join("entries.jsonl")).unwrap();
        text.lines().map(ToOwned::to_owned).collect()
    }

    /// Other entries, each line ended as it should be.
    fn rewrite(&self, lines: &[String]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(self.path().join("entries.jsonl"), text).unwrap();
    }
}

fn deny(house: &mut House) {
    let subject = Person::named("denied");
    let asked = house.statement(Act::Request(ask("sam", "root-on-host", 60, 3, subject.key())));
    let request = asked.digest();
    house.submit(&Person::named("sam"), asked).unwrap();
    let about = About { request, by: "bob".parse().unwrap(), comment: None };
    house.act(&Person::named("bob"), Act::Deny(about)).unwrap();
}

/// `tools/check-chain`, as the runbook has it.
pub(crate) fn check_chain(export: &Path) -> Output {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/check-chain");
    Command::new(script).arg(export).output().unwrap()
}

/// Every signature in `export` is accepted by `ssh-keygen -Y verify`; returns how many there are.
pub(crate) fn all_signatures_hold(export: &Path) -> usize {
    let (claims, allowed) = claims(export);
    for claim in &claims {
        assert!(claim.holds(&allowed), "{claim:?}\n{allowed}");
    }
    claims.len()
}

#[test]
fn ssh_keygen_accepts_every_signature_in_an_export() {
    let record = Record::new();
    let types: Vec<Value> =
        entries(&record.path()).into_iter().map(|e| e["type"].clone()).collect();
    for kind in ["policy", "requested", "approved", "denied", "issued", "revoked", "refused"] {
        assert!(types.contains(&kind.into()), "no {kind} among {types:?}");
    }
    // Each entry that somebody caused, and three policies.
    assert_eq!(all_signatures_hold(&record.path()), 17);
}

/// Otherwise a verifier that says yes to everything would do.
#[test]
fn ssh_keygen_refuses_the_same_signatures_for_anything_else() {
    let record = Record::new();
    let (claims, allowed) = claims(&record.path());
    let approval = claims.iter().find(|claim| claim.namespace.starts_with("approve")).unwrap();
    assert!(approval.holds(&allowed));
    let mut edited = approval.clone();
    edited.statement = edited.statement.replace("ttl-max: 43200", "ttl-max: 43201");
    assert!(edited != *approval && !edited.holds(&allowed));
    let elsewhere = ["deny.v1@breakglass", "file"];
    for namespace in elsewhere {
        let moved = Claim { namespace: namespace.to_owned(), ..approval.clone() };
        assert!(!moved.holds(&allowed), "{namespace}");
    }
    for other in ["sam", "eve", "authority"] {
        let claimed = Claim { by: other.to_owned(), ..approval.clone() };
        assert!(!claimed.holds(&allowed), "{other}");
    }
}

#[test]
fn sha256sum_and_jq_alone_accept_an_export() {
    let record = Record::new();
    let output = check_chain(&record.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let head = record.house.desk().reader().unwrap().head();
    let ok = format!("ok: {} entries, root {}\n", head.size, head.root);
    assert_eq!(String::from_utf8_lossy(&output.stdout), ok);
}

/// Every size up to eleven has another shape of tree.
#[test]
fn sha256sum_and_jq_accept_exports_of_every_small_size() {
    let mut house = House::sample();
    for number in 1..10 {
        let dir = tempfile::tempdir().unwrap();
        house.export(dir.path());
        let output = check_chain(dir.path());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let subject = Person::named(&format!("subject {number}"));
        let act = Act::Request(ask("sam", "solo", 60, number, subject.key()));
        let asked = house.statement(act);
        // An open duplicate is refused, and written down all the same.
        let _ = house.submit(&Person::named("sam"), asked);
    }
}

/// R37: what was done to each is seen, and by which rule.
#[test]
fn sha256sum_and_jq_alone_see_every_tampering() {
    let record = Record::new();
    let good = record.lines();
    let last = good.len() - 1;
    let entry_edits: Vec<(&str, &str, Vec<String>)> = vec![
        ("a digit in the middle", "entry 6 does not follow", {
            let mut lines = good.clone();
            lines[5] = lines[5].replace("\"time\":\"2026-11-22T10", "\"time\":\"2026-11-22T11");
            lines
        }),
        ("the last entry", "another root", {
            let mut lines = good.clone();
            lines[last] = lines[last].replace("\"time\":\"2026", "\"time\":\"2027");
            lines
        }),
        ("one is missing", "where entry 4 should be is 5", [&good[..4], &good[5..]].concat()),
        ("the first is missing", "where entry 0 should be is 1", good[1..].to_vec()),
        ("the last is missing", "the checkpoint says", good[..last].to_vec()),
        ("one is there twice", "where entry 4 should be is 3", {
            [&good[..4], &good[3..]].concat()
        }),
        ("two are swapped", "where entry 3 should be is 4", {
            let mut lines = good.clone();
            lines.swap(3, 4);
            lines
        }),
        ("all are missing", "0 entries", Vec::new()),
        ("white space", "canonical", {
            let mut lines = good.clone();
            lines[2] = lines[2].replace("\"v\":1", "\"v\": 1");
            lines
        }),
        ("a key twice", "canonical", {
            let mut lines = good.clone();
            lines[2] = lines[2].replace("\"v\":1", "\"v\":1,\"v\":1");
            lines
        }),
        ("a tail of another history", "another root", relinked(&good, 5)),
    ];
    for (harm, word, lines) in entry_edits {
        assert_ne!(lines, good, "{harm}: nothing was done");
        record.rewrite(&lines);
        sees(&record, harm, word);
    }
    record.rewrite(&good);
    assert!(check_chain(&record.path()).status.success());
    let entries = record.path().join("entries.jsonl");
    fs::write(&entries, good.join("\n")).unwrap();
    sees(&record, "no line feed at the end", "canonical");
    record.rewrite(&good);
    let blob = fs::read_dir(record.path().join("blobs")).unwrap().next().unwrap().unwrap().path();
    fs::write(blob, "quorum = 0\n").unwrap();
    sees(&record, "a policy file", "is changed");
}

fn sees(record: &Record, harm: &str, word: &str) {
    let output = check_chain(&record.path());
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(10), "{harm}: {told}");
    assert!(told.contains(word), "{harm}: {told}");
}

/// Entry `from` is changed and every later one is linked anew: the chain holds, the tree does not.
fn relinked(good: &[String], from: usize) -> Vec<String> {
    use breakglass_ledger::bytes::Digest;
    use breakglass_ledger::entry::Entry;
    let mut lines = good[..from].to_vec();
    for line in &good[from..] {
        let mut entry = Entry::parse(line.as_bytes()).unwrap();
        entry.prev = Digest::of(lines.last().unwrap().as_bytes());
        entry.salt = breakglass_ledger::bytes::Salt::from_bytes([9; 16]);
        let mut bytes = String::from_utf8(entry.to_bytes().unwrap()).unwrap();
        if let Some(link) = entry.grant() {
            // The grant's own chain as well.
            let own = lines.iter().rev().find(|line| line.contains(&link.grant.to_string()));
            if let Some(own) = own.filter(|_| link.gseq > 0) {
                let now = Digest::of(own.as_bytes()).to_string();
                bytes = bytes.replace(&link.gprev.to_string(), &now);
            }
        }
        lines.push(bytes);
    }
    lines
}

#[test]
fn ssh_keygen_accepts_the_signature_beside_a_revocation_list_and_no_other_list() {
    let record = Record::new();
    record.house.publish();
    let genesis = entries(&record.path()).remove(0);
    let key = genesis["body"]["lists-key"].as_str().unwrap();
    let allowed = format!("lists namespaces=\"krl.v1@breakglass\" {key}\n");
    let list = record.house.revoked();
    let signature = fs::read_to_string(list.with_file_name("krl.sig")).unwrap();
    let mut bytes = fs::read(&list).unwrap();
    let holds = |bytes: &[u8]| is_signed(&allowed, "lists", "krl.v1@breakglass", &signature, bytes);
    assert!(holds(&bytes));
    *bytes.last_mut().unwrap() ^= 1;
    assert!(!holds(&bytes));
}

/// R35: what the ledger says about a certificate is what stock tools read from it.
#[test]
fn ssh_keygen_reads_from_each_certificate_what_its_entry_says() {
    let record = Record::new();
    let path = record.dir.path().join("certificate.pub");
    let entries = entries(&record.path());
    let read = |line: &str, mode: &str| {
        fs::write(&path, format!("{line}\n")).unwrap();
        said(Command::new("ssh-keygen").arg(mode).arg("-f").arg(&path).env("TZ", "UTC"))
    };
    let authority = read(entries[0]["body"]["ssh-ca"].as_str().unwrap(), "-l");
    let authority = authority.split(' ').nth(1).unwrap();
    let issued: Vec<&Value> = entries.iter().filter(|entry| entry["type"] == "issued").collect();
    assert_eq!(issued.len(), 3);
    for entry in issued {
        let body = &entry["body"];
        let text = |key: &str| body[key].as_str().unwrap().trim_end_matches('Z').to_owned();
        let shown = read(&text("certificate"), "-L");
        assert_eq!(body["serial"], entry["seq"]);
        for part in [
            "Type: ssh-ed25519-cert-v01@openssh.com user certificate".to_owned(),
            format!("Signing CA: ED25519 {authority}"),
            format!("Key ID: \"bg:{}:sam\"", text("grant")),
            format!("Serial: {}", entry["seq"]),
            format!("Valid: from {} to {}", text("valid-after"), text("valid-before")),
            format!("Principals: \n                {}", body["principals"][0].as_str().unwrap()),
            "Critical Options: (none)".to_owned(),
        ] {
            assert!(shown.contains(&part), "no {part} in {shown}");
        }
    }
}
