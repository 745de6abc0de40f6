//! A key of the broker gives way to the next: what the one of before signed is taken as long as it counts,
//! then only what the new one signs. Daemon, client, sshd, openssl, PyJWT and joserfc are real.

use std::path::{Path, PathBuf};
use std::process::Command;

use breakglass_integration_tests::daemon::{Ended, breakglassd, run};
use breakglass_integration_tests::dev::{Dev, ISSUER};
use breakglass_integration_tests::sshd::{Lets, Sshd, said};
use breakglass_integration_tests::tls_site::{Shown, heard};
use breakglass_integration_tests::wait::{SOON, until};

use crate::jwt::judged_by;

const AUDIENCE: &str = "https://kubernetes.example.com";

/// A broker whose keys change.
struct Stage {
    dev: Dev,
}

impl Stage {
    fn new() -> Self {
        Self { dev: Dev::start() }
    }

    /// One step of `breakglassd rotate`, whoever has the state directory.
    fn rotate(dev: &Dev, words: &[&str]) -> Ended {
        let mut rotate = breakglassd();
        rotate.arg("rotate").args(words).arg("--state").arg(dev.path("broker/state"));
        run(&mut rotate)
    }

    /// The same with the daemon stopped before and started after; it has to be done.
    fn steps(&mut self, words: &[&str]) -> String {
        let ended = self.dev.while_stopped(|dev| Self::rotate(dev, words));
        assert_eq!(ended.code, Some(0), "{words:?}: {ended:?}");
        ended.out
    }

    /// sam asks for `kind` of `scope`, ada agrees, sam collects; a copy stays when it is given back. The
    /// authorities are those of now, as a client's configuration has them that was brought up to date.
    fn grant(&self, scope: &str, kind: &str, name: &str) -> (String, PathBuf) {
        let words = ["request", scope, "--kind", kind, "--incident", "INC-1", "--ttl", "15m"];
        let id = self.dev.done("sam", &[&words[..], &["--reason", "locks"]].concat());
        self.dev.done("ada", &["approve", &id, "--yes"]);
        let authorities = self.page("/v1/x509/ca.pem", "authorities.pem");
        let authorities = authorities.to_str().unwrap();
        self.dev.done("sam", &["collect", &id, "--out", name, "--x509-ca", authorities]);
        let kept = self.dev.path(&format!("copy of {name}"));
        said(Command::new("cp").arg("-r").arg(self.dev.path(name)).arg(&kept));
        (id, kept)
    }

    /// A page of the public side, in a file of this name.
    fn page(&self, path: &str, name: &str) -> PathBuf {
        let file = self.dev.path(name);
        std::fs::write(&file, self.dev.page(path)).unwrap();
        file
    }

    /// A host that was given the authorities of now.
    fn host(&self) -> Sshd {
        let authorities = String::from_utf8(self.dev.page("/v1/ssh/ca.pub")).unwrap();
        Sshd::start(&Lets {
            authorities: authorities.lines().map(ToOwned::to_owned).collect(),
            revoked: Some(self.dev.revoked()),
            principals: vec!["bg-orders".to_owned()],
        })
    }

    /// The record, taken away and verified.
    fn is_verified(&self, name: &str) {
        self.dev.done("ada", &["audit", "export", "--out", name]);
        let words = ["audit", "verify", name, "--trust", "broker/trust.toml"];
        assert_eq!(self.dev.done("ada", &words), "verified");
    }
}

/// Which CA signed the SSH certificate in `dir`, as the stock tool reads it.
fn signer(dir: &Path) -> String {
    let told = heard(Command::new("ssh-keygen").arg("-Lf").arg(dir.join("id-cert.pub")));
    let line = told.lines().find(|line| line.contains("Signing CA")).map(str::trim);
    line.unwrap_or_else(|| panic!("{told}")).to_owned()
}

#[test]
fn two_ssh_authorities_are_trusted_until_nothing_of_the_old_one_counts_and_then_one() {
    let mut stage = Stage::new();
    let (_, kept) = stage.grant("orders-db", "ssh", "kept");
    let (back, given_back) = stage.grant("orders-db", "ssh", "given back");
    stage.is_verified("before");
    let refused = Stage::rotate(&stage.dev, &["prepare", "ssh-ca"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("the daemon is running; stop it"), "{refused:?}");
    stage.steps(&["prepare", "ssh-ca"]);
    let host = stage.host();
    let early = stage.dev.while_stopped(|dev| Stage::rotate(dev, &["switch", "ssh-ca"]));
    assert_eq!(early.code, Some(1), "who keeps keys for a day does not know it: {early:?}");
    assert!(early.err.contains("--now"), "{early:?}");
    let (_, prepared) = stage.grant("orders-db", "ssh", "prepared");
    assert_eq!(signer(&prepared), signer(&kept), "a key that is only prepared signs nothing");
    stage.steps(&["switch", "ssh-ca", "--now"]);
    let (new, newer) = stage.grant("orders-db", "ssh", "newer");
    assert_ne!(signer(&newer), signer(&kept));
    for dir in [&kept, &given_back, &newer] {
        assert!(host.log_in(&dir.join("id"), "true").is_in(), "{}", dir.display());
    }
    for (id, dir) in [(&back, &given_back), (&new, &newer)] {
        stage.dev.done("sam", &["drop", id]);
        until("whoever signed it, it is refused", SOON, || {
            (!host.log_in(&dir.join("id"), "true").is_in()).then_some(())
        });
    }
    assert!(host.log_in(&kept.join("id"), "true").is_in(), "the others are not");
    stage.is_verified("meanwhile");
    let (_, last) = stage.grant("orders-db", "ssh", "last");
    let still = stage.dev.while_stopped(|dev| Stage::rotate(dev, &["retire", "ssh-ca"]));
    assert_eq!(still.code, Some(1), "{still:?}");
    assert!(still.err.contains("counts until"), "{still:?}");
    stage.steps(&["retire", "ssh-ca", "--force", "a drill"]);
    let host = stage.host();
    assert!(host.log_in(&last.join("id"), "true").is_in(), "what the new key signed");
    assert!(!host.log_in(&kept.join("id"), "true").is_in(), "and nothing else");
    stage.is_verified("after");
}

#[test]
fn two_x509_authorities_are_trusted_each_with_its_list_and_then_one() {
    let mut stage = Stage::new();
    let (_, kept) = stage.grant("orders-db", "x509", "kept");
    let (back, given_back) = stage.grant("orders-db", "x509", "given back");
    let before = stage.page("/v1/x509/ca.pem", "before.pem");
    stage.steps(&["prepare", "x509-ca"]);
    stage.steps(&["switch", "x509-ca", "--now"]);
    let (_, newer) = stage.grant("orders-db", "x509", "newer");
    let [kept, given_back, newer] = [kept, given_back, newer].map(|dir| Shown::collected(&dir));
    let (authorities, list) =
        (stage.page("/v1/x509/ca.pem", "both.pem"), stage.page("/v1/x509/crl.pem", "lists.pem"));
    for shown in [&kept, &given_back, &newer] {
        assert_eq!(
            shown.verdict(&authorities, Some(&list), &[]),
            0,
            "{}",
            shown.certificate.display()
        );
    }
    stage.dev.done("sam", &["drop", &back]);
    let list = stage.page("/v1/x509/crl.pem", "lists.pem");
    let verdict = |shown: &Shown| shown.verdict(&authorities, Some(&list), &[]);
    // X509_V_ERR_CERT_REVOKED.
    assert_eq!([&kept, &given_back, &newer].map(verdict), [0, 23, 0]);
    let current = stage.page("/v1/x509/ca.pem", "current.pem");
    let asked = |shown: &Shown, authority: &Path| {
        let web = stage.dev.daemon.as_ref().unwrap().web;
        let mut openssl = Command::new("openssl");
        openssl.args(["ocsp", "-url", &format!("http://{web}/v1/x509/ocsp"), "-issuer"]);
        openssl.arg(authority).arg("-CAfile").arg(authority);
        // By its number alone, as if this authority had given it.
        openssl.args(["-serial", &format!("0x{}", shown.serial())]);
        heard(openssl.env("no_proxy", "*"))
    };
    // The bundle's first is the one of now; the tool reads the first of a file.
    for (shown, authority, standing) in [
        (&kept, &before, ": good"),
        (&given_back, &before, ": revoked"),
        (&newer, &current, ": good"),
        (&kept, &current, ": unknown"),
        (&newer, &before, ": unknown"),
    ] {
        let told = asked(shown, authority);
        let is_told = told.contains("Response verify OK") && told.contains(standing);
        assert!(is_told, "{standing}: {told}");
    }
    stage.steps(&["retire", "x509-ca", "--force", "a drill"]);
    let (authorities, list) =
        (stage.page("/v1/x509/ca.pem", "one.pem"), stage.page("/v1/x509/crl.pem", "list.pem"));
    assert_eq!(newer.verdict(&authorities, Some(&list), &[]), 0);
    // X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY.
    assert_eq!(kept.verdict(&authorities, Some(&list), &[]), 20);
    stage.is_verified("after");
}

#[test]
fn two_keys_of_tokens_are_published_until_the_old_ones_tokens_are_over_and_then_one() {
    let mut stage = Stage::new();
    let (id, _) = stage.grant("cluster", "jwt", "kept");
    let old = stage.dev.done("sam", &["token", &id]);
    stage.steps(&["prepare", "jwt-key"]);
    stage.steps(&["switch", "jwt-key", "--now"]);
    let (id, _) = stage.grant("cluster", "jwt", "newer");
    let new = stage.dev.done("sam", &["token", &id]);
    let judged = |stage: &Stage, name: &str| {
        let keys = stage.page("/.well-known/jwks.json", name);
        judged_by(&keys, ISSUER, AUDIENCE, &[old.clone(), new.clone()])
    };
    for said in judged(&stage, "both.json") {
        assert!(said.iter().all(|word| word == "ok"), "{said:?}");
    }
    stage.steps(&["retire", "jwt-key", "--force", "a drill"]);
    let said = judged(&stage, "one.json");
    assert!(said[0].iter().all(|word| word != "ok"), "{said:?}");
    assert!(said[1].iter().all(|word| word == "ok"), "{said:?}");
    stage.is_verified("after");
}
