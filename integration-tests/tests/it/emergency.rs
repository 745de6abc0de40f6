//! Whole emergencies with the programs that people run: daemon, client, `ssh`, `sshd`, `ssh-agent`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use breakglass_integration_tests::dev::{Dev, LONG, Running, breakglass};
use breakglass_integration_tests::signers::entries;
use breakglass_integration_tests::sshd::{Login, said};
use breakglass_integration_tests::wait::{SOON, until};

use super::stock_tools::{all_signatures_hold, check_chain};

const ASK: [&str; 8] = [
    "request",
    "root-on-host",
    "--incident",
    "INC-4711",
    "--reason",
    "payments are stuck",
    "--ttl",
    "30m",
];

/// Needs nobody's approval.
const ALONE: [&str; 4] = ["request", "solo", "--reason", "customers want to know"];

fn with<'a>(words: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [words, more].concat()
}

/// The first line of what `request` prints is the id.
fn asked(dev: &Dev, words: &[&str]) -> String {
    dev.done("sam", words).lines().next().unwrap().to_owned()
}

#[test]
fn an_emergency_from_the_request_to_the_proof() {
    let dev = Dev::start();
    let mut waiting = Running::of(
        dev.client("sam", &with(&ASK, &["--wait", "--deadline", "10m", "--out", "credential"])),
    );
    let id = dev.first_pending("ada");
    let shown = dev.done("ada", &["show", &id]);
    for part in ["payments are stuck", "INC-4711", "bg-root", "30 minutes"] {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
    dev.done("ada", &["approve", &id, "--yes"]);
    assert_eq!(dev.says("sam", &["status", &id]).code, 3, "security has not said yes");
    assert!(waiting.is_running());
    dev.done("bob", &["approve", &id, "--yes"]);
    let waited = waiting.end();
    assert_eq!(waited.code, 0, "{waited:?}");
    assert!(waited.out.starts_with(&id), "{waited:?}");
    assert!(waited.err.contains("waiting for security (bob, eve)"), "{waited:?}");

    let host = dev.host(&["bg-root"]);
    let key = dev.path("credential/id");
    is_private(&key);
    assert_eq!(host.log_in(&key, "echo in"), Login::In("in\n".to_owned()));
    let serial = dev.json("sam", &["status", &id])["serial"].to_string();
    host.logged(0, &["Accepted publickey", &format!("ID bg:{id}:sam (serial {serial})")]);
    assert!(dev.done("bob", &["grants"]).contains(&id));

    let stolen = copy(&dev, &key);
    assert_eq!(dev.done("sam", &["drop", &id]), "revoked");
    assert!(!key.exists(), "the key is gone from this machine");
    until("the copy is refused", SOON, || (!host.log_in(&stolen, "true").is_in()).then_some(()));
    host.logged(0, &["revoked by file"]);
    assert_eq!(dev.says("sam", &["status", &id]).code, 6);
    assert_eq!(dev.done("bob", &["grants"]), "");
    proves(&dev, 1);
}

/// The record is exported, and verified by us and by stock tools; a changed one is not.
fn proves(dev: &Dev, issued: usize) {
    dev.done("ada", &["audit", "export", "--out", "bundle"]);
    let verify = ["audit", "verify", "bundle", "--trust", "broker/trust.toml"];
    assert_eq!(dev.done("ada", &verify), "verified");
    let bundle = dev.path("bundle");
    let checked = check_chain(&bundle);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!(all_signatures_hold(&bundle) > issued);
    let made = entries(&bundle).iter().filter(|entry| entry["type"] == "issued").count();
    assert_eq!(made, issued);
    let path = bundle.join("entries.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let changed = text.replacen("ttl: 1800", "ttl: 1801", 1);
    assert_ne!(changed, text);
    fs::write(&path, changed).unwrap();
    assert_eq!(dev.says("ada", &verify).code, 10);
    assert_eq!(check_chain(&bundle).status.code(), Some(10));
}

fn is_private(key: &Path) {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(key), 0o600);
    assert_eq!(mode(key.parent().unwrap()), 0o700);
}

fn copy(dev: &Dev, key: &Path) -> PathBuf {
    let stolen = dev.path("stolen");
    fs::create_dir(&stolen).unwrap();
    for name in ["id", "id-cert.pub"] {
        fs::copy(key.with_file_name(name), stolen.join(name)).unwrap();
    }
    stolen.join("id")
}

/// A real ssh-agent of this test. Ended when dropped.
struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    fn start(socket: PathBuf) -> Self {
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).stdin(Stdio::null());
        let child = command.spawn().unwrap();
        let agent = Self { child, socket };
        // Not that its socket is there: it is, a moment before anybody listens.
        until("the agent listens", SOON, || UnixStream::connect(&agent.socket).ok());
        agent
    }

    /// What `ssh-add -l` lists; empty if nothing.
    fn holds(&self) -> String {
        let mut list = Command::new("ssh-add");
        let output = list.arg("-l").env("SSH_AUTH_SOCK", &self.socket).output().unwrap();
        // ssh-add(1): 1 if the agent has no identities, 2 if it cannot be reached.
        assert_ne!(output.status.code(), Some(2));
        let text = String::from_utf8(output.stdout).unwrap();
        if output.status.success() { text } else { String::new() }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The agent holds the certificate, and only for as long as it is good.
#[test]
fn a_certificate_in_the_agent_is_there_for_its_life_and_not_longer() {
    let dev = Dev::start();
    let agent = Agent::start(dev.path("agent.sock"));
    let lent = |words: &[&str]| {
        let mut command = dev.client("sam", words);
        command.env("SSH_AUTH_SOCK", &agent.socket);
        let said = Running::of(command).end();
        assert_eq!(said.code, 0, "{said:?}");
        said.out.lines().next().unwrap_or_default().to_owned()
    };
    let dropped = lent(&with(&ALONE, &["--ttl", "10m", "--wait"]));
    assert!(
        agent.holds().contains(&format!("bg:{dropped}:sam (ED25519-CERT)")),
        "{}",
        agent.holds()
    );
    assert_eq!(agent.holds().lines().count(), 1, "not the bare key: {}", agent.holds());
    let host = dev.host(&["bg-status"]);
    assert!(host.log_in_by_agent(&agent.socket, "true").is_in());
    lent(&["drop", &dropped]);
    assert_eq!(agent.holds(), "");
    assert!(!host.log_in_by_agent(&agent.socket, "true").is_in());

    let expiring = lent(&with(&ALONE, &["--ttl", "30s", "--wait", "--agent"]));
    assert!(agent.holds().contains(&expiring));
    until("the agent has forgotten it", LONG, || agent.holds().is_empty().then_some(()));
    until("it is over", LONG, || (dev.says("sam", &["status", &expiring]).code == 6).then_some(()));
}

/// Without a word about where, and without an agent, the credential goes into private files.
#[test]
fn the_printed_ssh_command_finds_the_credential() {
    let dev = Dev::start();
    let id = asked(&dev, &with(&ALONE, &["--ttl", "10m"]));
    let collected = dev.json("sam", &["collect", &id]);
    let key = collected["ssh"].as_array().unwrap().last().unwrap().as_str().unwrap();
    is_private(Path::new(key));
    assert!(dev.host(&["bg-status"]).log_in(Path::new(key), "true").is_in());
    assert_eq!(collected["principals"], serde_json::json!(["bg-status"]));
    let shown = said(Command::new("ssh-keygen").arg("-Lf").arg(format!("{key}-cert.pub")));
    assert!(shown.contains(&format!("Serial: {}", collected["serial"])), "{shown}");
}

/// Says `words` as `person` twice, for people and as JSON: both end with `code`, and the JSON
/// names it too.
fn ends(dev: &Dev, person: &str, words: &[&str], code: i32) {
    let told = dev.says(person, words);
    assert_eq!(told.code, code, "{words:?}: {told:?}");
    let told = dev.says(person, &with(&["-o", "json"], words));
    assert_eq!(told.code, code, "{words:?}: {told:?}");
    let lines = told.out.lines().chain(told.err.lines()).filter(|line| line.starts_with('{'));
    let objects: Vec<serde_json::Value> = lines.map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(!objects.is_empty(), "{words:?}: no JSON: {told:?}");
    let errors: Vec<_> =
        objects.iter().filter_map(|object| object.pointer("/error/exit")).collect();
    assert!(errors.iter().all(|exit| **exit == code), "{words:?}: {told:?}");
}

#[test]
fn every_way_to_end_has_its_exit_code() {
    let dev = Dev::start();
    let id = asked(&dev, &ASK);
    ends(&dev, "ada", &["show", &id], 0);
    ends(&dev, "sam", &["status", &id], 3);
    ends(&dev, "sam", &["collect", &id], 3);
    ends(&dev, "sam", &["collect", &id, "--wait", "--deadline", "1s"], 3);
    ends(&dev, "sam", &["approve", &id, "--yes"], 5);
    ends(&dev, "eve", &["approve", &id, "--yes", "--stage", "app-owner"], 5);
    ends(&dev, "sam", &with(&["request", "no-such-scope"], &ASK[2..]), 5);
    ends(&dev, "sam", &with(&ASK[..6], &["--ttl", "2h"]), 5);
    assert_eq!(dev.done("bob", &["deny", &id, "--reason", "not now", "--yes"]), "denied");
    ends(&dev, "sam", &["status", &id], 4);
    ends(&dev, "sam", &["collect", &id, "--wait"], 4);
    ends(&dev, "ada", &["show", "req-01a2039a-cd9f-7e82-8e80-fef499b6cb25"], 8);
    ends(&dev, "sam", &["--broker", "127.0.0.1:1", "pending"], 7);
    said(
        Command::new("ssh-keygen").args(["-qt", "ed25519", "-N", "", "-f"]).arg(dev.path("other")),
    );
    ends(&dev, "sam", &["--key", "other", "pending"], 8);
    ends(&dev, "sam", &["--key", "missing", "pending"], 2);
    assert_eq!(dev.says("sam", &with(&ASK[..6], &["--ttl", "13h"])).code, 2);
    assert_eq!(dev.says("bob", &["deny", &id]).code, 2);
    assert_eq!(dev.says("sam", &["frobnicate"]).code, 2);
    let short = asked(&dev, &with(&ALONE, &["--ttl", "1s", "--wait"]));
    until("it has expired", SOON, || {
        (dev.says("sam", &["status", &short]).code == 6).then_some(())
    });
    ends(&dev, "sam", &["status", &short], 6);
}

/// R32: the client says what the ledger says: neither a refused drop nor an unanswered one is told
/// as a revocation, and the same command can be given again.
#[test]
fn nothing_is_called_revoked_before_the_ledger_says_so() {
    let mut dev = Dev::start();
    let id = asked(&dev, &with(&ALONE, &["--ttl", "15m", "--wait"]));
    let not_theirs = dev.says("ada", &["drop", &id]);
    assert_eq!((not_theirs.code, not_theirs.out.as_str()), (5, ""), "{not_theirs:?}");
    assert!(not_theirs.err.contains("NOT recorded as revoked"), "{not_theirs:?}");
    assert_eq!(dev.done("sam", &["status", &id]).as_str(), "live");

    let unanswered = dev.while_stopped(|dev| dev.says("sam", &["drop", &id]));
    assert_eq!((unanswered.code, unanswered.out.as_str()), (7, ""), "{unanswered:?}");
    assert!(unanswered.err.contains("NOT recorded as revoked"), "{unanswered:?}");
    assert_eq!(dev.done("sam", &["status", &id]).as_str(), "live");
    assert_eq!(dev.done("sam", &["drop", &id]), "revoked");
    assert_eq!(dev.says("sam", &["status", &id]).code, 6);
}

#[test]
fn the_demo_holds_every_step() {
    let home = tempfile::tempdir().unwrap();
    let mut demo = breakglass(home.path());
    demo.arg("demo").arg("--dir").arg(home.path().join("demo"));
    let said = Running::of(demo).end();
    assert_eq!(said.code, 0, "{said:?}");
    for step in [
        "Key ID: \"bg:req-",
        "Accepted publickey",
        "REVOKED",
        "copy.pem: OK",
        "certificate revoked",
        "\"denied\":[\"req-",
        "verified",
        "Every step held",
    ] {
        assert!(said.err.contains(step), "no {step} in {}", said.err);
    }
    assert!(!said.err.contains("LEFT OUT"), "{}", said.err);
}
