//! The record as a reviewer gets it: one request's case through the real daemon, and a broker that
//! shows two histories under one key.

use std::fs;
use std::path::Path;

use breakglass_integration_tests::desk::House;
use breakglass_integration_tests::dev::{Dev, Running, Said, breakglass};
use breakglass_integration_tests::people::{Person, ask};
use breakglass_ledger::audit::TrustFile;
use breakglass_ledger::statement::{Act, Seen};
use serde_json::Value;

fn requested(dev: &Dev, scope: &str) -> String {
    let words = ["request", scope, "--reason", "it burns", "--ttl", "5m"];
    dev.done("sam", &words).lines().next().unwrap().to_owned()
}

fn codes(said: &Said) -> Vec<String> {
    let told: Value = serde_json::from_str(&said.out).unwrap();
    let findings = told["findings"].as_array().unwrap();
    findings.iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_case_of_one_request_is_exported_and_verified_by_itself() {
    let dev = Dev::start();
    requested(&dev, "solo");
    let id = requested(&dev, "root-on-host");
    dev.done("ada", &["approve", &id, "--yes"]);
    dev.done("bob", &["deny", &id, "--reason", "not now", "--yes"]);
    dev.done("sam", &["audit", "export", "--request", &id, "--out", "case"]);
    let verify = ["audit", "verify", "case", "--trust", "broker/trust.toml"];
    let said = dev.says("sam", &verify);
    assert_eq!((said.code, said.out.as_str()), (0, format!("verified {id}").as_str()), "{said:?}");
    assert!(said.err.contains("a case cannot show"), "{said:?}");
    let told = dev.json("sam", &verify);
    assert_eq!(told["extent"], "request");
    assert_eq!(told["request"].as_str(), Some(id.as_str()));
    assert!(told["unknown"].as_array().unwrap().iter().any(|one| one["name"] == "live-max"));
    let shown = dev.done("sam", &["audit", "show", "case"]);
    for kind in ["genesis", "policy", "requested", "approved", "denied", "closed"] {
        assert!(shown.contains(kind), "no {kind} in {shown}");
    }
    assert!(!shown.contains("solo"), "another request: {shown}");

    let path = dev.path("case/entries.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let without: String =
        text.split_inclusive('\n').filter(|l| !l.contains("\"denied\"")).collect();
    fs::write(&path, without).unwrap();
    let said = dev.says("sam", &[&["-o", "json"], &verify[..]].concat());
    assert_eq!(said.code, 10, "{said:?}");
    assert!(codes(&said).contains(&"E_INCLUSION".to_owned()), "{said:?}");
}

/// Whoever cuts a case early could hide what came after.
#[test]
fn the_case_of_a_request_that_is_still_open_is_unproven() {
    let dev = Dev::start();
    let id = requested(&dev, "root-on-host");
    dev.done("ada", &["audit", "export", "--request", &id, "--out", "case"]);
    let words = ["-o", "json", "audit", "verify", "case", "--trust", "broker/trust.toml"];
    let said = dev.says("ada", &words);
    assert_eq!((said.code, codes(&said)), (12, vec!["E_CASE_INCOMPLETE".to_owned()]), "{said:?}");
    // Nobody exports what they may not read.
    let stranger = dev.says(
        "eve",
        &[
            "audit",
            "export",
            "--request",
            "req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d",
            "--out",
            "other",
        ],
    );
    assert_ne!(stranger.code, 0);
    assert!(!dev.path("other").exists());
}

/// R37: a copy of the state directory is a second ledger under the same keys. Who saw a checkpoint
/// of the one notices that the other goes back behind it, or tells another story.
#[test]
fn a_ledger_rolled_back_or_forked_is_caught_by_what_was_seen_before() {
    let mut house = House::sample();
    let sam = Person::named("sam");
    let say = |house: &mut House, scope, number| {
        let act = Act::Request(ask(
            "sam",
            scope,
            60,
            number,
            Person::numbered("fresh", u32::try_from(number).unwrap()).key(),
        ));
        house.act(&sam, act).expect("recorded");
    };
    let (files, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    house.stop();
    copy(house.dir.path(), files.path());
    house.start();
    say(&mut house, "quick", 1);
    let seen = house.seen();
    house.export(&out.path().join("honest"));
    house.stop();
    // The clean copy takes the place of what went on.
    empty(house.dir.path());
    copy(files.path(), house.dir.path());
    house.start();
    house.export(&out.path().join("back"));
    say(&mut house, "quick", 2);
    assert_eq!(house.seen().size, seen.size);
    house.export(&out.path().join("fork"));
    say(&mut house, "solo", 3);
    house.export(&out.path().join("longer"));

    let public = house.mint();
    let trust = |seen: Vec<Seen>| {
        let log = public.public().origin.clone();
        let authority = vec![Person::named("pia").key().fingerprint()];
        let key = public.public().log.clone();
        TrustFile { log, key, authority, freshness: None, seen }.to_toml().unwrap()
    };
    let check = |bundle: &str, seen: Vec<Seen>| {
        fs::write(out.path().join("trust.toml"), trust(seen)).unwrap();
        let mut command = breakglass(out.path());
        command.current_dir(out.path());
        command.args(["-o", "json", "audit", "verify", bundle, "--trust", "trust.toml"]);
        let said = Running::of(command).end();
        (said.code, codes(&said))
    };
    let unfounded = |bundle: &str| check(bundle, Vec::new());
    let every = ["honest", "back", "fork", "longer"];
    assert!(every.iter().all(|one| !unfounded(one).1.contains(&"E_FORK".to_owned())));
    let is_fine = unfounded("honest").1;
    assert_eq!(check("honest", vec![seen]).1, is_fine, "it is what was seen");
    let with = |code: &str| (10, code.to_owned());
    let first = |(exit, codes): (i32, Vec<String>)| (exit, codes[0].clone());
    assert_eq!(first(check("back", vec![seen])), with("E_ROLLBACK"));
    assert_eq!(first(check("fork", vec![seen])), with("E_FORK"));
    assert_eq!(first(check("longer", vec![seen])), with("E_FORK"));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let (path, to) = (file.as_ref().unwrap().path(), to.join(file.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

fn empty(dir: &Path) {
    for file in fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap()
        } else {
            fs::remove_file(path).unwrap()
        }
    }
}
