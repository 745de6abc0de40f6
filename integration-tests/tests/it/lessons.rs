//! Faults that shipped elsewhere, shown not to be ours where the whole desk is needed to show it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use breakglass_broker::desk::{DeskError, Receipt, Revoking};
use breakglass_broker::krl;
use breakglass_broker::mint::{Mint, MintError};
use breakglass_broker::publish::Published;
use breakglass_broker::store::{GuardPolicy, Store};
use breakglass_integration_tests::desk::{House, sample_files};
use breakglass_integration_tests::dev::Dev;
use breakglass_integration_tests::dice::Dice;
use breakglass_integration_tests::evidence::{Evidence, trust};
use breakglass_integration_tests::people::{Person, ask};
use breakglass_integration_tests::wait::{SOON, until};
use breakglass_ledger::audit::{Code, Verdict};
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::policy::{Files, sample};
use breakglass_ledger::statement::{About, Act, Collect, Kind, Pickup};

/// The lessons that must be found as named tests.
const REQUIRED: [&str; 40] = [
    "R01", "R02", "R03", "R04", "R05", "R06", "R07", "R08", "R09", "R10", "R11", "R12", "R13",
    "R14", "R15", "R16", "R17", "R18", "R19", "R20", "R21", "R22", "R23", "R24", "R25", "R26",
    "R27", "R28", "R29", "R30", "R31", "R32", "R33", "R34", "R35", "R36", "R37", "R38", "R39",
    "R40",
];

fn refusal(told: Result<Receipt, DeskError>) -> &'static str {
    match told {
        Err(DeskError::Refused { refusal, .. }) => refusal.name(),
        other => panic!("not refused: {other:?}"),
    }
}

/// Whether a host that reads the newest list refuses the serial.
fn is_revoked(house: &House, serial: u64) -> bool {
    let authority = house.desk().public().ssh_ca.wire().to_vec();
    krl::read(&house.desk().lists().krl, &authority).unwrap().revokes(serial)
}

fn about(request: Digest, by: &str) -> About {
    About { request, by: by.parse().unwrap(), comment: None }
}

/// The sample policy with joe beside sam.
fn with_joe() -> Files {
    let people = ["pia", "sam", "joe", "ada", "bob", "eve"].map(Person::named);
    let listed: Vec<_> = people.iter().map(|one| (one.name.as_str(), one.key())).collect();
    sample(&listed)
}

/// R10: an ending names one grant and ends that one. Another person's grant is refused, the
/// refusal is on record under the name of whoever tried, and no list changes.
#[test]
fn nobody_ends_anothers_grant_and_the_attempt_is_on_record() {
    let mut house = House::with(with_joe());
    let (mine, other) = (house.grant("solo", 600, 1), house.grant("solo", 600, 2));
    let list = house.desk().lists();
    let joe = Person::named("joe");
    let attempts = [
        (Act::Drop(about(mine.request, "joe")), "not-yours"),
        (Act::Drop(about(mine.request, "sam")), "key-not-theirs"),
        (Act::Withdraw(about(mine.request, "joe")), "not-yours"),
        (Act::Deny(about(mine.request, "joe")), "not-entitled-to-end"),
    ];
    for (act, expected) in attempts {
        let kind = act.kind();
        assert_eq!(refusal(house.act(&joe, act)), expected);
        let last = Entry::parse(house.entries().last().unwrap()).unwrap();
        let Body::Refused(refused) = last.body else { panic!("not on record") };
        assert_eq!((refused.act, refused.request), (kind, Some(mine.request)));
        assert_eq!(refused.by, Some("joe".parse().unwrap()));
        assert_eq!(refused.refusal.name, expected);
    }
    assert_eq!(house.desk().lists(), list);
    house.give_back(other.request).unwrap();
    assert!(is_revoked(&house, other.serial) && !is_revoked(&house, mine.serial));
    assert_eq!(house.audit().verdict, Verdict::Verified);
}

/// R13: whoever knows every id and digest of a grant gets nothing by them.
#[test]
fn ids_give_nothing() {
    let mut house = House::with(with_joe());
    let grant = house.grant("root-on-host", 600, 1);
    let issued = Digest::of(&house.entries()[usize::try_from(grant.serial).unwrap()]);
    let (joe, request) = (Person::named("joe"), grant.request);
    let collect = || Act::Collect(Collect { request, kind: Kind::Ssh });
    assert_eq!(refusal(house.act(&joe, collect())), "not-the-subject-key");
    assert_eq!(refusal(house.act(&Person::named("sam"), collect())), "not-the-subject-key");
    let pickup = Act::Pickup(Pickup { request, issued });
    assert_eq!(refusal(house.act(&joe, pickup)), "not-the-subject-key");
    assert_eq!(refusal(house.approve("joe", "app-owner", request)), "wrong-state");
    let own = Person::named("a key of joe's");
    let mut taken = ask("joe", "root-on-host", 600, 1, own.key());
    taken.id = grant.id;
    assert_eq!(refusal(house.act(&joe, Act::Request(taken))), "id-taken");
    let of_issued = |bytes: &Vec<u8>| matches!(Entry::parse(bytes).unwrap().body, Body::Issued(_));
    assert_eq!(house.entries().iter().filter(|entry| of_issued(entry)).count(), 1);
}

/// R16: a credential is collected again by the key that it was approved for, and by no other, not
/// even by the key of another grant of the same person.
#[test]
fn nobody_collects_again_with_another_key() {
    let mut house = House::sample();
    let (mine, other) = (house.grant("solo", 600, 1), house.grant("solo", 600, 2));
    let collect = Act::Collect(Collect { request: mine.request, kind: Kind::Ssh });
    assert_eq!(refusal(house.act(&other.subject, collect.clone())), "not-the-subject-key");
    let again = house.act(&mine.subject, collect).unwrap();
    assert_eq!(again.credential, Some(mine.certificate));
}

/// R18: where anything is written, the daemon's own configuration says alone. What people send names no
/// file, whatever it looks like, and no message of the wire has a place for one.
#[test]
fn nothing_that_is_sent_says_where_to_write() {
    let mut dev = Dev::start();
    let aim = dev.path("aim");
    fs::create_dir(&aim).unwrap();
    // Of a daemon that is stopped, so that none of them is about to be replaced. Lists have their version in
    // their name, and which of that version they are.
    let names = |dev: &Dev| -> BTreeSet<String> {
        let all = below(&dev.path("broker/state"));
        let named = |path: &String| path.replace(|c: char| c.is_ascii_digit(), "");
        all.iter().map(|path| named(path).replace("lists/-/", "lists//")).collect()
    };
    let ask = |dev: &Dev, reason: &str| {
        let asked = ["request", "solo", "--incident", "INC-1", "--ttl", "10m", "--reason", reason];
        let id = dev.done("sam", &asked);
        dev.done("sam", &["collect", &id, "--out", "taken"]);
        dev.done("sam", &["drop", &id, "--reason", reason]);
    };
    ask(&dev, "customers");
    let before = dev.while_stopped(names);
    let aim_text = aim.display().to_string();
    for form in
        ["AIM/a", "file://AIM/b", "|tee AIM/c", "$(touch AIM/d)", "`touch AIM/e`", "../aim/f"]
    {
        ask(&dev, &form.replace("AIM", &aim_text));
    }
    // People say by which channel they are told; only channels of the configuration exist.
    let file = dev.path("broker/policy/people.toml");
    let people = fs::read_to_string(&file).unwrap();
    let told = format!("name = \"ada\"\nnotify = [\"file:{aim_text}/g\"]\n");
    let changed = people.replacen("name = \"ada\"\n", &told, 1);
    assert_ne!(changed, people);
    fs::write(&file, changed).unwrap();
    dev.done("pia", &["policy", "sign", "broker/policy", "--yes"]);
    dev.done("pia", &["policy", "push", "broker/policy", "--yes"]);
    ask(&dev, "customers again");
    assert_eq!(below(&aim), BTreeSet::new());
    assert_eq!(dev.while_stopped(names), before, "files of the same names as before");
    for file in fs::read_dir(root().join("proto/breakglass/v1")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let fields = text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
        let named = fields.filter_map(|line| line.split(" = ").next()?.rsplit(' ').next());
        for name in named {
            let is_place = ["path", "file_name", "directory", "url", "command"].contains(&name);
            assert!(!is_place, "{name}");
        }
    }
}

/// The paths of all files below `dir`.
fn below(dir: &Path) -> BTreeSet<String> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(dir).unwrap().display().to_string());
            }
        }
    }
    found
}

/// R20: there is no secret that could be compared. Nobody proves themselves by knowing one:
/// statements are proven by signatures, and what private rooms hold signs and is never compared.
/// So the rooms of private keys hold no comparison of key material, and its types have no `==`.
#[test]
fn no_secret_is_ever_compared() {
    let words = ["password", "passphrase", "token", "bearer", "shared_secret", "api_key", "hmac"];
    for file in sources("broker/src").into_iter().chain(sources("broker/rules/src")) {
        for line in production(&file).lines() {
            let lower = line.to_lowercase();
            let compares = line.contains("==") || line.contains("!=");
            let named = words.iter().find(|word| lower.contains(*word));
            assert!(!(compares && named.is_some()), "{}: {line}", file.display());
        }
    }
    let keepers = ["Keys", "Ed25519Key", "AuthorityKey", "Authority", "Mint", "SamplePerson"];
    let mut found = BTreeSet::new();
    for file in sources("broker/src/mint") {
        let text = production(&file);
        for name in keepers {
            for at in text.match_indices(&format!("struct {name}")).map(|(at, _)| at) {
                let rest = text[at + "struct ".len() + name.len()..].chars().next();
                if rest.is_some_and(|next| next.is_alphanumeric()) {
                    continue;
                }
                found.insert(name);
                let before = text[..at].rsplit("\n\n").next().unwrap();
                assert!(!before.contains("PartialEq"), "{name} in {}", file.display());
            }
            assert!(!text.contains(&format!("PartialEq for {name}")), "{}", file.display());
        }
    }
    assert!(found.len() >= 4, "the keepers of keys are no longer called so: {found:?}");
}

/// R31: a restart keeps every key that others pin; a ledger or an export of another key is refused.
#[test]
fn a_restart_keeps_the_pins_and_a_mismatch_refuses() {
    let mut house = House::sample();
    let parts = |house: &House| {
        let public = house.desk().public();
        let keys = (public.ssh_ca.clone(), public.lists.clone(), public.tls_ca_der.clone());
        (public.origin.clone(), public.log.clone(), keys)
    };
    let (pinned, trusted) = (parts(&house), trust(&house));
    house.restart();
    assert_eq!(parts(&house), pinned);
    assert_eq!(Evidence::of(&house).verify(&trusted).verdict, Verdict::Verified);
    let other = elsewhere();
    let foreign = Evidence::of(&house).verify(&trust(&other));
    assert_ne!(foreign.verdict, Verdict::Verified);
    assert!(foreign.findings.iter().any(|one| one.code == Code::OriginUntrusted));
    house.stop();
    let key = &other.desk().public().log;
    assert!(Store::open(&house.ledger(), key, GuardPolicy::Require).is_err());
    // Keys that are gone are missed, not made anew; keys that are there are not replaced.
    let now = house.now();
    let again = Mint::create(house.dir.path(), "payments", house.dice.as_ref(), now);
    assert!(matches!(again, Err(MintError::Exists { .. })), "{again:?}");
    fs::remove_dir_all(house.dir.path().join("keys")).unwrap();
    assert!(Mint::open(house.dir.path(), "test").is_err());
}

/// R33: there is no delete: no statement of SQL removes or changes an entry, no call of the wire
/// offers it, and however a live grant ends, its serial is on the list.
#[test]
fn there_is_no_delete_and_every_end_revokes() {
    for file in sources("broker/src/store") {
        let text = production(&file).to_uppercase();
        for word in ["DELETE FROM ENTRY", "UPDATE ENTRY", "REPLACE INTO ENTRY"] {
            assert!(!text.contains(word), "{}: {word}", file.display());
        }
        // An older file's derived tables are derived again from its entries, in the transaction that drops
        // them; nothing else drops a table, and which are of the record stands in one place.
        let drops = text.matches("DROP TABLE").count();
        let is_upgrade = file.ends_with("store/upgrade.rs");
        assert!(drops == 0 || is_upgrade && drops == 1, "{}: DROP TABLE", file.display());
        for grants in ["DELETE FROM REQUEST", "DELETE FROM GRANT_ENTRY"] {
            assert!(!text.contains(grants), "{}: {grants}", file.display());
        }
    }
    let wire = fs::read_to_string(root().join("proto/breakglass/v1/broker.proto")).unwrap();
    let calls: Vec<&str> = wire.lines().filter(|line| line.trim().starts_with("rpc ")).collect();
    assert!(calls.len() >= 8);
    for word in ["Delete", "Remove", "Purge", "Forget"] {
        assert!(!calls.iter().any(|call| call.contains(word)), "{word}");
    }
    let ends: [fn(&mut House, Digest); 4] = [
        |house, request| drop(house.give_back(request).unwrap()),
        |house, request| {
            let cancel = Act::Cancel(about(request, "ada"));
            house.act(&Person::named("ada"), cancel).unwrap();
        },
        |house, _| house.pass(600),
        |house, _| {
            let people = ["pia", "joe", "ada", "bob"].map(Person::named);
            let listed: Vec<_> = people.iter().map(|one| (one.name.as_str(), one.key())).collect();
            house.push(sample(&listed)).unwrap();
        },
    ];
    for (which, end) in ends.iter().enumerate() {
        let mut house = House::sample();
        let grant = house.grant("root-on-host", 600, 1);
        assert!(!is_revoked(&house, grant.serial));
        end(&mut house, grant.request);
        assert!(is_revoked(&house, grant.serial), "end {which}");
        assert_eq!(house.audit().verdict, Verdict::Verified);
    }
}

/// R39: expiry takes the same way as giving back: an entry, and the published list.
#[test]
fn what_expires_is_on_the_published_list_like_what_was_given_back() {
    let mut house = House::sample();
    let (dropped, expiring) = (house.grant("solo", 600, 1), house.grant("solo", 600, 2));
    house.publish();
    house.give_back(dropped.request).unwrap();
    house.publish();
    house.pass(600);
    house.publish();
    let authority = house.desk().public().ssh_ca.wire().to_vec();
    let list = krl::read(&fs::read(house.revoked()).unwrap(), &authority).unwrap();
    assert!(list.revokes(dropped.serial) && list.revokes(expiring.serial));
    let mut causes = Vec::new();
    for bytes in house.entries() {
        if let Body::Revoked(revoked) = Entry::parse(&bytes).unwrap().body {
            causes.push(revoked.cause.name());
        }
    }
    assert_eq!(causes, ["dropped", "expired"]);
}

/// R40: a list that cannot be published leaves the last good one in place and stops minting; no
/// serial is ever 0, and an older list never comes back after a restart.
#[test]
fn the_last_good_list_stays_and_without_lists_nothing_is_minted() {
    let mut house = House::sample();
    let grant = house.grant("solo", 600, 1);
    assert!(grant.serial > 0);
    house.give_back(grant.request).unwrap();
    assert_eq!(house.publish(), Published::Now);
    let good = fs::read(house.revoked()).unwrap();
    let older = house.publisher().current().unwrap().unwrap();
    let next = house.grant("solo", 600, 2);
    house.give_back(next.request).unwrap();
    let mut torn = (*house.desk().lists()).clone();
    torn.krl.truncate(torn.krl.len() / 2);
    assert!(house.publisher().publish(&torn).is_err());
    assert_eq!(fs::read(house.revoked()).unwrap(), good);
    house.desk().report(Revoking::Publishing, false);
    let subject = Person::named("late subject");
    let statement = house.statement(Act::Request(ask("sam", "solo", 60, 3, subject.key())));
    let request = statement.digest();
    house.submit(&Person::named("sam"), statement).unwrap();
    let collect = Act::Collect(Collect { request, kind: Kind::Ssh });
    assert_eq!(refusal(house.act(&subject, collect.clone())), "cannot-revoke");
    house.desk().report(Revoking::Publishing, true);
    house.act(&subject, collect).unwrap();
    house.restart();
    assert_eq!(house.publish(), Published::Now);
    assert!(house.publisher().publish(&older).is_err(), "an older list would let people in again");
    let authority = house.desk().public().ssh_ca.wire().to_vec();
    let list = krl::read(&fs::read(house.revoked()).unwrap(), &authority).unwrap();
    assert!(list.revokes(grant.serial) && list.revokes(next.serial));
}

/// No lesson vanishes silently: each is named in the doc comment of a test somewhere.
#[test]
fn every_lesson_has_a_test_that_names_it() {
    let mut named = BTreeSet::new();
    for folder in ["proto", "broker", "client", "integration-tests"] {
        for file in sources(folder) {
            named.extend(lessons_in(&fs::read_to_string(&file).unwrap()));
        }
    }
    let missing: Vec<_> = REQUIRED.iter().filter(|lesson| !named.contains(**lesson)).collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
}

#[test]
fn a_lesson_counts_only_above_a_test() {
    let found = |text: &str| lessons_in(text).into_iter().collect::<Vec<_>>();
    assert_eq!(found("/// R01, R02: so\n/// and so.\n#[test]\nfn a() {}"), ["R01", "R02"]);
    assert!(found("/// R01: so.\nfn a() {}\n\n#[test]\nfn b() {}").is_empty());
    assert!(found("// R01\n#[test]\nfn b() {}").is_empty());
    assert!(found("/// xR01 R1 R011\n#[test]\nfn b() {}").is_empty());
}

/// Numbers in doc comments directly above `#[test]`.
fn lessons_in(text: &str) -> BTreeSet<String> {
    let (mut found, mut above) = (BTreeSet::new(), String::new());
    for line in text.lines().map(str::trim_start) {
        if line == "#[test]" || line.starts_with("#[tokio::test") {
            let words = above.split(|c: char| !c.is_ascii_alphanumeric());
            let is_lesson = |word: &&str| {
                let digits = word.strip_prefix('R').unwrap_or_default();
                digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_digit())
            };
            found.extend(words.filter(is_lesson).map(str::to_owned));
        }
        if let Some(doc) = line.strip_prefix("///") {
            above.push_str(doc);
            above.push('\n');
        } else if !line.starts_with("#[") {
            above.clear();
        }
    }
    found
}

/// A house of another deployment's keys.
fn elsewhere() -> House {
    let dir = tempfile::tempdir().unwrap();
    House::at(dir, sample_files(), House::begin(), Dice::seeded(8))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every Rust source below `folder`, tests included, build results not.
fn sources(folder: &str) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "{folder} has no sources");
    files
}

/// The text before the unit tests, without comments; nothing of a file of tests.
fn production(file: &Path) -> String {
    let is_test = file.components().any(|part| {
        let part = part.as_os_str();
        part == "tests" || part == "tests.rs"
    });
    if is_test {
        return String::new();
    }
    let text = fs::read_to_string(file).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// R14: a scope that leaves the policy takes its live grants with it, though the broker is killed
/// the moment after.
#[test]
fn a_removed_scope_ends_its_grants_also_across_a_crash() {
    let mut dev = Dev::start();
    let ask =
        ["request", "solo", "--reason", "customers", "--ttl", "10m", "--wait", "--out", "out"];
    let id = dev.done("sam", &ask).lines().next().unwrap().to_owned();
    let serial = dev.json("sam", &["status", &id])["serial"].to_string();
    let file = dev.path("broker/policy/scopes.toml");
    let scopes = fs::read_to_string(&file).unwrap();
    let without = scopes.replacen("id = \"solo\"", "id = \"former\"", 1);
    assert_ne!(without, scopes);
    fs::write(&file, without).unwrap();
    dev.done("pia", &["policy", "sign", "broker/policy", "--yes"]);
    dev.done("pia", &["policy", "push", "broker/policy", "--yes"]);
    dev.while_killed(|_| ());
    let ended = dev.says("sam", &["status", &id]);
    assert_eq!(ended.code, 6, "{ended:?}");
    assert!(ended.err.contains("policy-changed"), "{ended:?}");
    until(&format!("the list names serial {serial}"), SOON, || {
        let mut ask = std::process::Command::new("ssh-keygen");
        ask.arg("-Qlf").arg(dev.revoked()).arg(dev.path("out/id-cert.pub"));
        let told = String::from_utf8_lossy(&ask.output().unwrap().stdout).into_owned();
        told.contains("REVOKED").then_some(())
    });
}
