//! Two more doors: a database that asks for an X.509 certificate, a cluster that asks for a token.

use std::fs;
use std::io;
use std::process::{Command, Output as Ran, Stdio};
use std::time::Instant;

use super::daemon::nap;
use super::stage::{LIST_WITHIN, Stage, held, not_held};
use crate::failure::{Exit, Failure};

/// A certificate that stock `openssl` takes, and with the list of after its end takes no more.
///
/// # Errors
///
/// [`Failure`] naming what did not hold.
pub(super) fn certificate(stage: &mut Stage<'_>) -> Result<(), Failure> {
    stage.title("The orders database wants an X.509 certificate. Sam asks, Bob says yes.");
    let id = granted(stage, "orders-db", "x509", "orders are stuck as well")?;
    stage.plays("sam", &["collect", &id, "--out", "database"])?;
    stage.shell("cp database/certificate.pem copy.pem");
    fs::copy(stage.dir().join("database/certificate.pem"), stage.dir().join("copy.pem"))
        .map_err(|error| not_held("no copy was made", &error.to_string()))?;
    stage.shell(&format!("curl -so x509-ca.pem http://{}/v1/x509/ca.pem", stage.web()));
    let authority = stage.fetch("/v1/x509/ca.pem")?;
    keep(stage, "x509-ca.pem", &authority)?;
    openssl_says(stage, "copy.pem: OK")?;
    stage.title("Sam gives it back. Whoever has the new list takes it no more.");
    stage.plays("sam", &["drop", &id, "--reason", "orders flow again"])?;
    openssl_says(stage, "certificate revoked")
}

/// A token that says who and how long, under a published key, and stands among the denied after its end.
///
/// # Errors
///
/// [`Failure`] naming what did not hold.
pub(super) fn token(stage: &mut Stage<'_>) -> Result<(), Failure> {
    stage.title("The cluster wants a token.");
    let id = granted(stage, "cluster", "jwt", "a node is full of payments")?;
    stage.plays("sam", &["collect", &id, "--out", "cluster"])?;
    stage.shell(&format!("curl -s http://{}/.well-known/jwks.json", stage.web()));
    let keys = stage.fetch("/.well-known/jwks.json")?;
    stage.quote(&String::from_utf8_lossy(&keys));
    stage.title("Sam gives it back; whoever verifies tokens reads that it is denied.");
    stage.plays("sam", &["drop", &id, "--reason", "the node is drained"])?;
    let begun = Instant::now();
    loop {
        let denied = String::from_utf8_lossy(&stage.fetch(DENIED)?).into_owned();
        if denied.contains(&id) {
            stage.shell(&format!("curl -s http://{}{DENIED}", stage.web()));
            stage.quote(&denied);
            break;
        }
        held(begun.elapsed() < LIST_WITHIN, "the token is not denied", &denied)?;
        nap();
    }
    stage.fails("sam", &["token", &id], Exit::Lapsed).map(drop)
}

/// A request for `scope` that Bob approved.
fn granted(stage: &mut Stage<'_>, scope: &str, kind: &str, why: &str) -> Result<String, Failure> {
    let words = ["request", scope, "--kind", kind, "--incident", "INC-4711", "--reason", why];
    let asked = stage.plays("sam", &[&words[..], &["--ttl", "20m"]].concat())?;
    let id = asked.stdout.trim().to_owned();
    stage.plays("bob", &["approve", &id, "--yes"])?;
    Ok(id)
}

/// What stock `openssl` has to say of the certificate, by the newest list.
fn openssl_says(stage: &mut Stage<'_>, expected: &str) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        let list = stage.fetch("/v1/x509/crl.pem")?;
        keep(stage, "crl.pem", &list)?;
        let Ok(ran) = openssl(stage) else {
            stage.say("  LEFT OUT: there is no openssl to ask about the certificate.");
            return Ok(());
        };
        let said = [ran.stdout, ran.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        if said.contains(expected) {
            stage.shell(&format!("curl -so crl.pem http://{}/v1/x509/crl.pem", stage.web()));
            stage.shell(&format!("openssl {}", VERIFY.join(" ")));
            stage.quote(&said);
            return Ok(());
        }
        held(begun.elapsed() < LIST_WITHIN, "openssl says otherwise", &said)?;
        nap();
    }
}

fn openssl(stage: &Stage<'_>) -> io::Result<Ran> {
    Command::new("openssl").args(VERIFY).current_dir(stage.dir()).stdin(Stdio::null()).output()
}

fn keep(stage: &Stage<'_>, name: &str, content: &[u8]) -> Result<(), Failure> {
    fs::write(stage.dir().join(name), content)
        .map_err(|error| not_held("a file was not kept", &error.to_string()))
}

/// As a server that lets clients in would do it.
const VERIFY: [&str; 9] = [
    "verify",
    "-CAfile",
    "x509-ca.pem",
    "-crl_check",
    "-CRLfile",
    "crl.pem",
    "-purpose",
    "sslclient",
    "copy.pem",
];

const DENIED: &str = "/v1/jwt/denied.json";
