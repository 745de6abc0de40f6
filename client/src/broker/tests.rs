use std::path::{Path, PathBuf};
use std::process::Command;

use breakglass_ledger::testing::House;
use clap::Parser;

use super::fake::{Fake, Manner};
use super::*;
use crate::cli::Cli;
use crate::failure::{Exit, Failure};
use crate::output::{Format, Output};
use crate::testing::trust;

fn pinned(addresses: &[&str], ca: &str) -> Pinned {
    Pinned {
        addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
        ca: ca.to_owned(),
        kept_size: 0,
        answer_within: Duration::from_secs(5),
    }
}

fn failure(pinned: Pinned) -> Failure {
    match Broker::connect(pinned, &|_| Ok(())) {
        Err(error) => error.into(),
        Ok(broker) => panic!("connected to {}", broker.address()),
    }
}

/// An address where nobody listens: bound once and given back.
fn nowhere() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// R31: the pin is read again each time, and whoever does not fit it is refused.
#[test]
fn a_broker_under_another_ca_is_refused() {
    let (real, other) =
        (Fake::serve(House::new(), Manner::Honest), Fake::serve(House::new(), Manner::Honest));
    let failure = failure(pinned(&[&real.address], &other.ca));
    assert_eq!(failure.exit(), Exit::Unrecognised, "{failure}");
    assert!(failure.to_string().contains(&real.address), "{failure}");
    assert!(Broker::connect(pinned(&[&real.address], &real.ca), &|_| Ok(())).is_ok());
}

#[test]
fn silence_everywhere_has_its_own_code_and_names_every_address() {
    let (one, two) = (nowhere(), nowhere());
    let fake = Fake::serve(House::new(), Manner::Honest);
    let failure = failure(pinned(&[&one, &two], &fake.ca));
    assert_eq!(failure.exit(), Exit::Unreachable);
    assert!(failure.to_string().contains(&one) && failure.to_string().contains(&two));
}

#[test]
fn the_first_good_broker_wins() {
    let (dead, fake) = (nowhere(), Fake::serve(House::new(), Manner::Honest));
    let broker = Broker::connect(pinned(&[&dead, &fake.address], &fake.ca), &|_| Ok(())).unwrap();
    assert_eq!(broker.address(), fake.address);
}

/// One user of a faked broker: configuration, key and state in a directory of their own.
struct User {
    dir: tempfile::TempDir,
}

impl User {
    fn of(fake: &Fake, house: &House) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(dir.path().join("key"))
            .status();
        assert!(made.unwrap().success());
        let user = Self { dir };
        user.points_at(fake, house);
        user
    }

    fn points_at(&self, fake: &Fake, house: &House) {
        std::fs::write(self.path("ca.pem"), &fake.ca).unwrap();
        let config = format!(
            "brokers = [\"{}\"]\ntls-ca = \"ca.pem\"\nlog = \"{}\"\nlog-key = \"{}\"\nby = \
             \"sam\"\nkey = \"key\"\nstate-dir = \"state\"\n",
            fake.address,
            house.keys.origin(),
            house.keys.log_key(),
        );
        std::fs::write(self.path("config.toml"), config).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs the command line in this process; what it printed on stdout, and how it ended.
    fn runs(&self, arguments: &[&str]) -> (String, Result<Exit, Failure>) {
        let config = self.path("config.toml");
        let line = ["breakglass", "--config", config.to_str().unwrap()];
        let cli = Cli::try_parse_from(line.iter().chain(arguments)).unwrap();
        let stdout = self.path("stdout");
        let file = std::fs::File::create(&stdout).unwrap();
        let mut out = Output::to_streams(Format::Text, Box::new(file), Box::new(std::io::sink()));
        let ended = crate::verbs::run(&cli, &mut out);
        drop(out);
        (std::fs::read_to_string(stdout).unwrap(), ended)
    }

    fn asks(&self) -> (String, Result<Exit, Failure>) {
        self.runs(&["request", "root-on-host", "--reason", "SSO is down", "--ttl", "30m"])
    }

    fn requests_kept(&self, house: &House) -> usize {
        let dir = house.keys.origin().as_str().replace('/', ".");
        let dir = self.path("state").join(dir).join("requests");
        count(&dir)
    }
}

fn count(dir: &Path) -> usize {
    std::fs::read_dir(dir).map(Iterator::count).unwrap_or(0)
}

#[test]
fn a_request_prints_its_id_alone_and_keeps_its_key() {
    let house = House::new();
    let fake = Fake::serve(house.clone(), Manner::Honest);
    let user = User::of(&fake, &house);
    let (stdout, ended) = user.asks();
    assert_eq!(ended.unwrap(), Exit::Done);
    let id: RequestId = stdout.trim_end().parse().unwrap();
    assert_eq!(stdout, format!("{id}\n"));
    assert_eq!(user.requests_kept(&house), 1);
}

#[test]
fn a_broker_that_stumbles_is_sent_the_same_bytes_again() {
    let house = House::new();
    let fake = Fake::serve(house.clone(), Manner::Stumbling);
    let (stdout, ended) = User::of(&fake, &house).asks();
    assert_eq!(ended.unwrap(), Exit::Done);
    assert!(stdout.starts_with("req-"));
    assert_eq!(fake.submitted(), 2);
}

/// R32: no id on stdout, no zero exit code, unless the ledger shows the request.
#[test]
fn a_broker_that_lies_about_recording_is_not_believed() {
    let house = House::new();
    let fake = Fake::serve(house.clone(), Manner::Lying);
    let (stdout, ended) = User::of(&fake, &house).asks();
    assert_eq!(stdout, "");
    assert_eq!(ended.unwrap_err().exit(), Exit::Tampered);
}

/// A broker that took the request and then only ended the stream kept the client asking as fast as it
/// could, and past the deadline.
#[test]
fn a_stream_that_only_ends_is_asked_for_again_with_pauses_and_not_past_the_deadline() {
    for (manner, expected) in
        [(Manner::Ending, Exit::Pending), (Manner::Breaking, Exit::Unreachable)]
    {
        let house = House::new();
        let fake = Fake::serve(house.clone(), manner);
        let user = User::of(&fake, &house);
        let begun = std::time::Instant::now();
        let ask = ["request", "root-on-host", "--reason", "SSO is down", "--ttl", "30m"];
        let (_, ended) = user.runs(&[&ask[..], &["--wait", "--deadline", "3s"]].concat());
        let took = begun.elapsed();
        let exit = ended.unwrap_or_else(|failure| failure.exit());
        assert_eq!(exit, expected);
        assert!(took >= Duration::from_secs(3) && took < Duration::from_secs(120), "{took:?}");
        assert!((1..=6).contains(&fake.watched()), "asked {} times", fake.watched());
    }
}

#[test]
fn a_refusal_is_told_by_number_and_leaves_no_key_behind() {
    let house = House::new();
    let fake = Fake::serve(house.clone(), Manner::Refusing);
    let user = User::of(&fake, &house);
    let (stdout, ended) = user.asks();
    let failure = ended.unwrap_err();
    assert_eq!((stdout.as_str(), failure.exit()), ("", Exit::Refused));
    assert_eq!(failure.rule().unwrap().number, 22);
    assert_eq!(user.requests_kept(&house), 0);
}

/// R37, R31: what was seen once is compared with after a restart of the client; a rewritten ledger
/// under the real key is a loud error, and nothing is signed for it.
#[test]
fn a_forked_or_shortened_ledger_is_refused_and_nothing_is_sent() {
    let mut house = House::new();
    let before = house.clone();
    house.request("sam", "root-on-host", 60);
    let fake = Fake::serve(house.clone(), Manner::Honest);
    let user = User::of(&fake, &house);
    user.asks().1.unwrap();
    let mut forked = before.clone();
    forked.request("ann", "quick", 60);
    forked.request("ann", "root-on-host", 60);
    forked.request("ann", "root-on-host", 90);
    for other in [before, forked] {
        let fake = Fake::serve(other, Manner::Honest);
        user.points_at(&fake, &house);
        let (stdout, ended) = user.asks();
        assert_eq!((stdout.as_str(), ended.unwrap_err().exit()), ("", Exit::Tampered));
        assert_eq!(fake.submitted(), 0);
    }
}

#[test]
fn a_ledger_that_grew_is_followed() {
    let mut house = House::new();
    let fake = Fake::serve(house.clone(), Manner::Honest);
    let user = User::of(&fake, &house);
    user.asks().1.unwrap();
    let state = crate::state::State::open(&user.path("state"), &house.keys.origin()).unwrap();
    assert_eq!(state.checkpoint(&trust(&house)).unwrap().unwrap().size, 2);
    house.request("ann", "root-on-host", 60);
    let grown = Fake::serve(house.clone(), Manner::Honest);
    user.points_at(&grown, &house);
    user.asks().1.unwrap();
    assert_eq!(state.checkpoint(&trust(&house)).unwrap().unwrap().size, 3);
}

#[test]
fn a_policy_is_checked_signed_and_its_signature_read_by_openssh() {
    let house = House::new();
    let fake = Fake::serve(house.clone(), Manner::Honest);
    let user = User::of(&fake, &house);
    let dir = user.path("policy");
    std::fs::create_dir(&dir).unwrap();
    for blob in crate::testing::policy(&house).files {
        std::fs::write(dir.join(blob.name), blob.content).unwrap();
    }
    let path = dir.to_str().unwrap();
    assert_eq!(user.runs(&["policy", "check", path]).1.unwrap(), Exit::Done);
    let (stdout, ended) = user.runs(&["policy", "sign", path]);
    assert_eq!(ended.unwrap(), Exit::Done);
    let manifest = std::fs::read_to_string(dir.join("manifest")).unwrap();
    assert!(manifest.contains("version: 2\n"), "{manifest}");
    let verified = Command::new("ssh-keygen")
        .args(["-Y", "check-novalidate", "-n", "policy.v1@breakglass", "-s", stdout.trim()])
        .stdin(std::fs::File::open(dir.join("manifest")).unwrap())
        .output();
    assert!(verified.unwrap().status.success());
    // Signing again leaves the manifest as it is; changing a file makes a new one.
    user.runs(&["policy", "sign", path]).1.unwrap();
    assert_eq!(std::fs::read_to_string(dir.join("manifest")).unwrap(), manifest);
    std::fs::write(dir.join("rules.cedar"), "// still none\n").unwrap();
    assert_eq!(user.runs(&["policy", "push", path]).1.unwrap_err().exit(), Exit::Usage);
    user.runs(&["policy", "sign", path]).1.unwrap();
    assert_ne!(std::fs::read_to_string(dir.join("manifest")).unwrap(), manifest);
    std::fs::write(dir.join("scopes.toml"), "[[scope]]\nid = \"x\"\nquorum = 0\n").unwrap();
    let (faults, ended) = user.runs(&["policy", "check", path]);
    assert_eq!(ended.unwrap(), Exit::Refused);
    assert!(faults.lines().count() > 1, "every fault is said: {faults}");
}
