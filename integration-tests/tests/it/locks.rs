//! Locks, with the programs that people run: set, felt, kept across a kill, lifted, over.

use breakglass_integration_tests::dev::Dev;
use breakglass_integration_tests::signers::entries;
use breakglass_integration_tests::wait::{SOON, until};

const ASK: [&str; 6] = ["request", "solo", "--reason", "customers want to know", "--ttl", "10m"];

/// Asks and collects; the request's id.
fn live(dev: &Dev, out: &str) -> String {
    let words = [&ASK[..], &["--wait", "--out", out]].concat();
    dev.done("sam", &words).lines().next().unwrap().to_owned()
}

#[test]
fn a_lost_laptop_is_locked_until_it_is_found_and_a_killed_broker_does_not_forget_it() {
    let mut dev = Dev::start();
    let id = live(&dev, "credential");
    let lock = ["lock", "principal:sam", "--until", "2h", "--message", "laptop lost, call 1234"];
    let unconfirmed = dev.says("ada", &lock);
    assert_eq!(unconfirmed.code, 2, "nobody said yes: {unconfirmed:?}");
    assert_eq!(dev.done("sam", &["status", &id]), "live");

    let number = dev.done("ada", &[&lock[..], &["--yes"]].concat());
    assert_eq!(dev.says("sam", &["status", &id]).code, 6, "revoked in the same breath");
    assert!(dev.says("sam", &["status", &id]).err.contains("(locked)"));
    let stopped = dev.says("sam", &ASK);
    assert_eq!(stopped.code, 5, "{stopped:?}");
    for part in ["principal:sam is locked", &format!("entry {number}"), "ada says: “laptop lost"]
    {
        assert!(stopped.err.contains(part), "no {part} in {stopped:?}");
    }
    assert!(dev.done("sam", &["locks"]).contains("laptop lost, call 1234"));
    let own = dev.says("sam", &["unlock", &number, "--yes"]);
    assert_eq!(own.code, 5, "{own:?}");
    assert!(own.err.contains("unlock-own"), "{own:?}");

    dev.while_killed(|_| ());
    assert_eq!(dev.says("sam", &ASK).code, 5, "still locked");
    assert_eq!(dev.done("bob", &["unlock", &number, "--reason", "found", "--yes"]), "unlocked");
    assert_eq!(dev.done("sam", &["locks"]), "");
    let again = live(&dev, "again");
    assert_eq!(dev.done("sam", &["status", &again]), "live");
    dev.done("ada", &["audit", "export", "--out", "bundle"]);
    let verify = ["audit", "verify", "bundle", "--trust", "broker/trust.toml"];
    assert_eq!(dev.done("ada", &verify), "verified");
}

#[test]
fn the_clock_lifts_a_lock_and_the_ledger_says_so() {
    let dev = Dev::start();
    // A slow machine finds the first ones over before it has asked.
    let is_felt = ["3s", "12s", "45s"].into_iter().any(|until| {
        dev.done("eve", &["lock", "scope:solo", "--until", until, "--message", "a drill", "--yes"]);
        let said = dev.says("sam", &ASK);
        if said.code == 0 {
            dev.done("sam", &["withdraw", said.out.lines().next().unwrap()]);
        }
        said.code == 5 && said.err.contains("scope:solo is locked")
    });
    assert!(is_felt, "it was locked and could be asked for");
    until("the lock is over", SOON, || (dev.says("sam", &ASK).code == 0).then_some(()));
    until("its end is written", SOON, || {
        let bundle = tempfile::tempdir().unwrap();
        let out = bundle.path().join("bundle");
        dev.done("ada", &["audit", "export", "--out", out.to_str().unwrap()]);
        let unlocked = entries(&out).into_iter().find(|entry| entry["type"] == "unlocked")?;
        assert!(unlocked["body"].get("statement").is_none(), "nobody signed it: {unlocked}");
        Some(())
    });
}
