//! Approvals made where no broker is reached, carried in files, sent by somebody else.

use std::fs;

use breakglass_integration_tests::dev::{Dev, Said};

/// An address at which nobody answers: whoever uses it reaches no broker.
const NOWHERE: [&str; 2] = ["--broker", "127.0.0.1:1"];

/// sam asks; what an approver needs is saved as `case` by somebody who reaches the broker.
fn saved(dev: &Dev) -> String {
    let ask = ["request", "root-on-host", "--incident", "INC-1", "--reason", "payments are stuck"];
    let id = dev.done("sam", &ask).lines().next().unwrap().to_owned();
    dev.done("eve", &["show", &id, "--save", "case"]);
    id
}

/// `who` approves the case away from the broker.
fn approved(dev: &Dev, who: &str, out: &str) -> Said {
    let words = ["approve", "case", "--offline", out, "--comment", "by radio", "--yes"];
    let said = dev.says(who, &[&NOWHERE[..], &words].concat());
    assert_eq!((said.code, said.out.as_str()), (0, out), "{said:?}");
    said
}

fn refused(dev: &Dev, file: &str, code: i32, why: &str) {
    let said = dev.says("eve", &["submit", file]);
    assert_eq!((said.code, said.out.as_str()), (code, ""), "{said:?}");
    assert!(said.err.contains(why), "no {why} in {said:?}");
}

#[test]
fn an_approval_is_made_without_a_broker_and_sent_by_somebody_else() {
    let mut dev = Dev::start();
    let id = saved(&dev);
    dev.while_stopped(|dev| {
        let said = approved(dev, "ada", "yes-of-ada");
        for part in ["payments are stuck", "INC-1", "bg-root", "as of the file", "NOT sent"] {
            assert!(said.err.contains(part), "no {part} in {said:?}");
        }
        approved(dev, "bob", "yes-of-bob");
        let own = dev.says("sam", &["approve", "case", "--offline", "own", "--yes"]);
        assert_eq!(own.code, 5, "nobody approves their own: {own:?}");
        assert_eq!(dev.says("sam", &["submit", "yes-of-ada"]).code, 7, "no broker yet");
    });
    // The requester is as good a messenger as any.
    assert_eq!(dev.done("sam", &["submit", "yes-of-ada"]), "approved");
    let sent = dev.json("eve", &["submit", "yes-of-bob"]);
    assert_eq!((&sent["id"], &sent["missing"]), (&id.as_str().into(), &0.into()));
    refused(&dev, "yes-of-ada", 5, "repeated");
    dev.done("sam", &["collect", &id, "--out", "credential"]);
    dev.done("ada", &["audit", "export", "--out", "bundle"]);
    let verify = ["audit", "verify", "bundle", "--trust", "broker/trust.toml"];
    assert_eq!(dev.done("ada", &verify), "verified");
}

#[test]
fn an_approval_of_what_has_changed_or_was_changed_does_not_count() {
    let (dev, other) = (Dev::start(), Dev::start());
    let id = saved(&dev);
    approved(&dev, "ada", "yes");
    let text = fs::read_to_string(dev.path("yes")).unwrap();
    fs::write(dev.path("edited"), text.replacen("ttl-max: 1800", "ttl-max: 3600", 1)).unwrap();
    refused(&dev, "edited", 10, "changed after signing");
    fs::write(dev.path("cut"), &text[..text.len() / 2]).unwrap();
    refused(&dev, "cut", 11, "not in form");
    fs::write(other.path("yes"), &text).unwrap();
    refused(&other, "yes", 2, "for the ledger");
    fs::copy(dev.path("case"), other.path("case")).unwrap();
    let elsewhere = other.says("ada", &["approve", "case", "--offline", "out", "--yes"]);
    assert_eq!(elsewhere.code, 2, "{elsewhere:?}");
    let online = dev.says("ada", &["approve", "case", "--yes"]);
    assert_eq!(online.code, 2, "a file needs --offline: {online:?}");

    // Another policy comes into force while the approval is on its way.
    let policy = dev.path("broker/policy");
    let scopes = fs::read_to_string(policy.join("scopes.toml")).unwrap();
    fs::write(policy.join("scopes.toml"), scopes.replacen("live-max = 2", "live-max = 3", 1))
        .unwrap();
    dev.done("pia", &["policy", "sign", "broker/policy", "--yes"]);
    dev.done("pia", &["policy", "push", "broker/policy", "--yes"]);
    refused(&dev, "yes", 5, "policy-not-in-force");

    // Late: by the time that it arrives, somebody has said no.
    dev.done("eve", &["show", &id, "--save", "case-2"]);
    let again = ["approve", "case-2", "--offline", "yes-2", "--yes"];
    dev.done("ada", &[&NOWHERE[..], &again].concat());
    dev.done("bob", &["deny", &id, "--reason", "not now", "--yes"]);
    refused(&dev, "yes-2", 5, "wrong-state");
}
