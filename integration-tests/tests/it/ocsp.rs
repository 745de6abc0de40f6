//! Whether one certificate is good, asked online: the daemon answers, `openssl ocsp` and nginx ask.

use std::path::PathBuf;
use std::process::Command;

use breakglass_integration_tests::dev::Dev;
use breakglass_integration_tests::nginx::Nginx;
use breakglass_integration_tests::tls_site::{Shown, heard};

/// A broker whose certificates can be asked for.
struct Stage {
    dev: Dev,
}

/// A grant of sam's, and what was collected for it.
struct Held {
    id: String,
    shown: Shown,
}

impl Stage {
    fn new() -> Self {
        Self { dev: Dev::start() }
    }

    fn grant(&self, name: &str) -> Held {
        let asked = ["request", "orders-db", "--kind", "x509", "--incident", "INC-1"];
        let id =
            self.dev.done("sam", &[&asked[..], &["--reason", "locks", "--ttl", "15m"]].concat());
        self.dev.done("ada", &["approve", &id, "--yes"]);
        self.dev.done("sam", &["collect", &id, "--out", name]);
        let copy = |file: &str| {
            let (from, to) =
                (self.dev.path(name).join(file), self.dev.path(&format!("{name}.{file}")));
            std::fs::copy(from, &to).unwrap();
            to
        };
        let shown = Shown { certificate: copy("certificate.pem"), key: copy("key.pem") };
        Held { id, shown }
    }

    fn drop(&self, held: &Held) {
        self.dev.done("sam", &["drop", &held.id]);
    }

    fn ca(&self) -> PathBuf {
        self.dev.path("broker/state/x509-ca.pem")
    }

    fn responder(&self) -> String {
        let web = self.dev.daemon.as_ref().expect("it runs").web;
        format!("http://{web}/v1/x509/ocsp")
    }

    /// What `openssl ocsp` says when it asks our responder about `which`.
    fn asked(&self, options: &[&str], which: &[&str]) -> String {
        let mut openssl = Command::new("openssl");
        openssl.args(["ocsp", "-url", &self.responder()]).args(options).arg("-issuer");
        openssl.arg(self.ca()).arg("-CAfile").arg(self.ca()).args(which);
        heard(openssl.env("no_proxy", "*"))
    }

    /// nginx that asks our responder about each client, and reads a list that names nobody.
    fn nginx(&self, sessions: &str) -> Nginx {
        let page = |path| String::from_utf8(self.dev.page(path)).unwrap();
        let asks = format!("ssl_ocsp leaf; ssl_ocsp_responder {};", self.responder());
        let (authority, list) = (page("/v1/x509/ca.pem"), page("/v1/x509/crl.pem"));
        Nginx::keeping(&authority, &list, &format!("{sessions} {asks}"))
    }
}

const NO_SESSIONS: &str = "ssl_session_cache none; ssl_session_tickets off;";

#[test]
fn the_stock_tool_is_told_good_revoked_and_unknown_with_and_without_a_nonce() {
    let stage = Stage::new();
    let (held, other) = (stage.grant("one"), stage.grant("two"));
    let [one, two] = [&held, &other].map(|held| held.shown.certificate.to_str().unwrap());
    for options in [vec![], vec!["-no_nonce"], vec!["-sha256"], vec!["-sha256", "-no_nonce"]] {
        let told = stage.asked(&options, &["-cert", one]);
        assert!(told.contains("Response verify OK"), "{options:?}: {told}");
        assert!(told.contains(&format!("{one}: good")), "{options:?}: {told}");
        // The tool warns if its nonce does not come back, and if it comes back as another.
        assert!(!told.to_lowercase().contains("nonce"), "{options:?}: {told}");
    }
    let kept = stage.asked(&["-no_nonce"], &["-cert", one]);
    assert!(kept.contains(": good"), "{kept}");
    stage.drop(&held);
    for options in [vec![], vec!["-no_nonce"]] {
        let told = stage.asked(&options, &["-cert", one, "-cert", two]);
        assert!(told.contains("Response verify OK"), "{told}");
        assert!(told.contains(&format!("{one}: revoked")), "{options:?}: {told}");
        assert!(told.contains("Reason: cessationOfOperation"), "{told}");
        assert!(told.contains("Revocation Time: "), "{told}");
        assert!(told.contains(&format!("{two}: good")), "the other one is: {told}");
    }
    // The number of its entry, and something else behind it.
    let serial = held.shown.serial();
    let near = format!("0x{}{}", &serial[..serial.len() - 2], "00");
    for serial in ["0x2a", near.as_str()] {
        let told = stage.asked(&[], &["-serial", serial]);
        assert!(told.contains("Response verify OK"), "{told}");
        assert!(told.contains(&format!("{serial}: unknown")), "{told}");
    }
}

#[test]
fn nothing_is_said_about_the_certificates_of_another_authority() {
    let (stage, other) = (Stage::new(), Stage::new());
    let held = other.grant("one");
    let mut openssl = Command::new("openssl");
    openssl.args(["ocsp", "-url", &stage.responder(), "-issuer"]).arg(other.ca());
    openssl.arg("-CAfile").arg(other.ca()).arg("-cert").arg(&held.shown.certificate);
    let told = heard(openssl.env("no_proxy", "*"));
    assert!(told.contains("Responder Error: unauthorized (6)"), "{told}");
}

/// Revoked is refused on the next handshake, though nginx read no list since; who kept a session is
/// refused as well; and without a responder so is everybody.
#[test]
fn nginx_asks_and_refuses_the_next_handshake_after_a_revocation() {
    let mut stage = Stage::new();
    let (held, other) = (stage.grant("one"), stage.grant("two"));
    let nginx = stage.nginx(NO_SESSIONS);
    let told = nginx.ask(&held.shown);
    assert!(told.contains(&held.shown.serial()), "{told}");
    assert!(nginx.ask(&other.shown).contains(&other.shown.serial()));
    assert!(nginx.ask_and_keep(&held.shown).contains("200 OK"));
    stage.drop(&held);
    let refused = nginx.ask(&held.shown);
    assert!(refused.contains("The SSL certificate error"), "{refused}");
    assert!(!nginx.come_back(&held.shown).contains("200 OK"), "a session is no way round");
    assert!(nginx.ask(&other.shown).contains(&other.shown.serial()), "the other one is good");
    let refused = stage.dev.while_stopped(|_| nginx.ask(&other.shown));
    assert!(refused.contains("400 Bad Request"), "no answer is no leave: {refused}");
}

/// Otherwise than with a list, a kept session is no way round even where a shared cache keeps it: nginx
/// asks at each handshake, resumed or not.
#[test]
fn nginx_asks_again_for_a_session_that_a_shared_cache_kept() {
    let stage = Stage::new();
    let held = stage.grant("one");
    let nginx = stage.nginx("ssl_session_cache shared:kept:1m; ssl_session_tickets off;");
    assert!(nginx.ask_and_keep(&held.shown).contains("200 OK"));
    assert!(nginx.come_back(&held.shown).contains("200 OK"));
    stage.drop(&held);
    assert!(nginx.ask(&held.shown).contains("400 Bad Request"), "revoked");
    assert!(!nginx.come_back(&held.shown).contains("200 OK"), "though it has a session");
}
