//! Against the real ssh-agent: what we add it holds, what it signs verifies, and a loan ends.
#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use breakglass_client::agent::{Agent, AgentError, Loan};
use breakglass_client::signer::Signer;
use breakglass_client::state::SubjectKey;
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::sshsig::{assemble, to_be_signed};
use breakglass_ledger::statement::Kind;

/// A real agent of its own, ended with the test.
struct Running {
    child: Child,
    dir: tempfile::TempDir,
}

impl Running {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("agent");
        let mut command = Command::new("ssh-agent");
        let command = command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null());
        let child = command.spawn().unwrap();
        let running = Self { child, dir };
        until("the agent listens", || Agent::at(&running.socket()).is_ok());
        running
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("agent")
    }

    fn agent(&self) -> Agent {
        Agent::at(&self.socket()).unwrap()
    }

    fn ssh_add(&self, arguments: &[&Path]) -> String {
        let output = Command::new("ssh-add")
            .args(arguments)
            .env("SSH_AUTH_SOCK", self.socket())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(10), "not in time: {what}");
        std::thread::yield_now();
    }
}

/// A certificate over `key` by a CA made here, as stock `ssh-keygen` makes it; in wire form.
fn certificate(dir: &Path, key: &SubjectKey) -> Vec<u8> {
    let ca = dir.join("ca");
    let run = |command: &mut Command| assert!(command.output().unwrap().status.success());
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&ca));
    let public = dir.join("id.pub");
    std::fs::write(&public, key.public().to_openssh()).unwrap();
    run(Command::new("ssh-keygen")
        .args(["-q", "-I", "bg:test", "-n", "dba", "-V", "+10m", "-z", "7", "-s"])
        .arg(&ca)
        .arg(&public));
    let line = std::fs::read_to_string(dir.join("id-cert.pub")).unwrap();
    ssh_key::Certificate::from_openssh(&line).unwrap().to_bytes().unwrap()
}

fn lend(agent: &mut Agent, key: &SubjectKey, certificate: &[u8], seconds: u32) {
    let (private, comment) = (key.private(), "breakglass test");
    agent.lend(&Loan { certificate, private, comment, seconds }).unwrap();
}

#[test]
fn an_agent_signs_with_the_key_it_holds() {
    let running = Running::start();
    let path = running.dir.path().join("id");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "ada@desk", "-f"])
        .arg(&path)
        .output();
    assert!(made.unwrap().status.success());
    running.ssh_add(&[&path]);
    let identities = running.agent().identities().unwrap();
    assert_eq!(identities.len(), 1);
    assert_eq!(identities[0].comment, "ada@desk");
    let key = PublicKey::from_wire(&identities[0].blob).unwrap();
    let namespace = "approve.v1@breakglass";
    let raw = running.agent().sign(key.wire(), &to_be_signed(namespace, b"yes\n")).unwrap();
    let signature = assemble(&key, namespace, &raw).unwrap();
    assert!(signature.verify(namespace, b"yes\n").is_ok());
}

#[test]
fn a_key_that_the_agent_does_not_hold_is_refused_not_waited_for() {
    let running = Running::start();
    let key = SubjectKey::generate(&[Kind::Ssh]).unwrap();
    let answer = running.agent().sign(key.public().wire(), b"x");
    assert!(matches!(answer, Err(AgentError::Refused)));
    assert!(matches!(running.agent().remove(b"nothing"), Err(AgentError::Refused)));
    assert!(running.agent().identities().unwrap().is_empty());
}

#[test]
fn only_the_certificate_is_lent_and_it_can_be_taken_back() {
    for (kinds, name) in [(&[Kind::Ssh][..], "ED25519-CERT"), (&[Kind::X509], "ECDSA-CERT")] {
        lent_and_taken_back(&SubjectKey::generate(kinds).unwrap(), name);
    }
}

fn lent_and_taken_back(key: &SubjectKey, name: &str) {
    let running = Running::start();
    let certificate = certificate(running.dir.path(), key);
    lend(&mut running.agent(), key, &certificate, 600);
    let identities = running.agent().identities().unwrap();
    assert_eq!(identities.len(), 1, "the plain key must not be there");
    assert_eq!(identities[0].blob, certificate);
    assert!(running.ssh_add(&[Path::new("-l")]).contains(name));
    let message = to_be_signed("x", b"y");
    let raw = running.agent().sign(&certificate, &message).unwrap();
    let signature = assemble(key.public(), "x", &raw).unwrap();
    assert!(signature.verify("x", b"y").is_ok());
    running.agent().remove(&certificate).unwrap();
    assert!(running.agent().identities().unwrap().is_empty());
}

#[test]
fn a_loan_ends_by_itself() {
    let running = Running::start();
    let key = SubjectKey::generate(&[Kind::Ssh]).unwrap();
    let certificate = certificate(running.dir.path(), &key);
    lend(&mut running.agent(), &key, &certificate, 1);
    assert_eq!(running.agent().identities().unwrap().len(), 1);
    until("the agent forgets", || running.agent().identities().unwrap().is_empty());
}

#[test]
fn an_agent_that_answers_nonsense_is_not_believed() {
    for answer in [&[0, 0, 0, 1, 99][..], &[0, 0, 0, 5, 12, 0, 0, 0, 9], &[0xff, 0xff, 0xff, 0xff]]
    {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let answer = answer.to_vec();
        let odd = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let (mut stream, _) = listener.accept().unwrap();
            let mut question = [0; 5];
            stream.read_exact(&mut question).unwrap();
            stream.write_all(&answer).unwrap();
        });
        assert!(Agent::at(&path).unwrap().identities().is_err());
        odd.join().unwrap();
    }
}

/// An agent that waits for a touch that never comes looks like this.
#[test]
fn an_agent_that_says_nothing_is_not_waited_for_forever() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent");
    // The system accepts for it; nobody ever reads.
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let patience = Duration::from_millis(50);
    let answer = Agent::at(&path).unwrap().given(patience).sign(b"key", b"x");
    let Err(AgentError::Silent(waited)) = answer else { panic!("{answer:?}") };
    assert_eq!(waited, patience);
}

#[test]
fn a_signer_needs_no_agent_when_a_subject_key_signs() {
    let signer = Signer::Subject(SubjectKey::generate(&[Kind::Ssh]).unwrap());
    assert!(signer.sign("collect.v1@breakglass", b"mine\n").is_ok());
    assert!(!signer.needs_touch());
}
