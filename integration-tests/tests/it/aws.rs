//! `breakglass aws` as the `credential_process` of a real SDK. AWS itself is the far end: what it would
//! verify is verified, with the libraries of others.

use std::fs;
use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use breakglass_integration_tests::daemon::program;
use breakglass_integration_tests::dev::{Dev, ISSUER};
use serde_json::Value;

const AUDIENCE: &str = "https://kubernetes.example.com";
const ROLE: &str = "arn:aws:iam::111122223333:role/admin";
const BY_CERTIFICATE: [&str; 4] = [
    "--trust-anchor",
    "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/1",
    "--profile",
    "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/1",
];

/// A broker, an account that trusts it, and a program that uses the account.
struct Account {
    dev: Dev,
    far: Child,
    sdk: Child,
    asks: ChildStdin,
    says: Lines<BufReader<ChildStdout>>,
}

impl Drop for Account {
    fn drop(&mut self) {
        for child in [&mut self.far, &mut self.sdk] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Account {
    /// The profile's process is `breakglass aws` with these `words`.
    fn new(words: &[&str]) -> Self {
        let dev = Dev::start();
        let web = format!("http://{}", dev.daemon.as_ref().unwrap().web);
        let mut far = python(&dev, "aws.py", include_str!("aws.py"));
        let mut far = far.args([&web, ISSUER, AUDIENCE]).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(far.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let endpoint = format!("http://127.0.0.1:{}", port.trim());
        let (us, sam) = (program("breakglass"), dev.path("broker/config/sam.toml"));
        let process = format!(
            "{} --config {} aws --role {ROLE} --endpoint {endpoint} {}",
            us.display(),
            sam.display(),
            words.join(" ")
        );
        let config = dev.path("aws-config");
        fs::write(&config, format!("[profile emergency]\ncredential_process = {process}\n"))
            .unwrap();
        let mut sdk = python(&dev, "sdk.py", include_str!("sdk.py"));
        sdk.env("AWS_CONFIG_FILE", &config).stdin(Stdio::piped());
        sdk.env("AWS_SHARED_CREDENTIALS_FILE", dev.path("none"));
        let mut sdk = sdk.spawn().unwrap();
        let (asks, says) = (sdk.stdin.take().unwrap(), sdk.stdout.take().unwrap());
        Self { dev, far, sdk, asks, says: BufReader::new(says).lines() }
    }

    /// The credentials that the SDK would sign its next request with.
    fn uses(&mut self) -> Value {
        self.asks.write_all(b"\n").unwrap();
        let line = self.says.next().expect("the SDK answers").unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// sam's grant, collected.
    fn granted(&self, scope: &str, kind: &str) -> String {
        let words = ["request", scope, "--kind", kind, "--incident", "INC-1", "--ttl", "20m"];
        let id = self.dev.done("sam", &[&words[..], &["--reason", "locks"]].concat());
        self.dev.done("ada", &["approve", &id, "--yes"]);
        self.dev.done("sam", &["collect", &id]);
        id
    }

    /// A session for the grant, another one when that is about to end, and none once it is given back.
    fn lends_while_the_grant_lives(&mut self, scope: &str, kind: &str) {
        let id = self.granted(scope, kind);
        // What ends in five minutes it takes for nothing to begin with, and asks again; and so each time.
        for number in 2..=3 {
            let expected = serde_json::json!({
                "method": "custom-process", "key": format!("ASIA{number}"),
                "secret": format!("secret {number}"), "token": format!("token {number}"),
            });
            assert_eq!(self.uses(), expected);
        }
        self.dev.done("sam", &["drop", &id]);
        let said = self.uses();
        let error = said["error"].as_str().unwrap_or_else(|| panic!("{said}"));
        assert!(error.contains("you hold no live grant on this machine"), "{error}");
        assert!(error.contains("breakglass request SCOPE"), "what to do: {error}");
    }
}

fn python(dev: &Dev, name: &str, script: &str) -> Command {
    fs::write(dev.path(name), script).unwrap();
    let mut python = Command::new("/usr/bin/python3");
    let path = std::env::var_os("PATH").unwrap_or_default();
    python.env_clear().env("PATH", path).env("HOME", dev.path("home")).env("no_proxy", "*");
    python.arg(dev.path(name)).stdin(Stdio::null()).stdout(Stdio::piped());
    python
}

#[test]
fn botocore_reads_a_session_for_the_certificate_until_it_is_given_back() {
    Account::new(&BY_CERTIFICATE).lends_while_the_grant_lives("orders-db", "x509");
}

#[test]
fn botocore_reads_a_session_for_the_token_until_it_is_given_back() {
    Account::new(&["--region", "eu-west-1"]).lends_while_the_grant_lives("cluster", "jwt");
}

/// Without a grant it asks for none; and what belongs to the one way does not go with the other.
#[test]
fn nothing_is_requested_and_the_two_ways_are_not_mixed() {
    let mut account = Account::new(&["--region", "eu-west-1"]);
    assert!(account.uses()["error"].as_str().unwrap().contains("you hold no live grant"));
    let pending = account.dev.json("ada", &["pending"]);
    assert_eq!(pending["requests"].as_array().unwrap().len(), 0);
    for words in [
        &["--region", "eu-west-1/", "--endpoint", "http://127.0.0.1:9"][..],
        &[&["--region", "eu-west-1"][..], &BY_CERTIFICATE].concat(),
        &BY_CERTIFICATE[..2],
        &[],
    ] {
        let said = account.dev.says("sam", &[&["aws", "--role", ROLE], words].concat());
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{words:?}: {said:?}");
    }
}
