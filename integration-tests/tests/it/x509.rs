//! Client certificates from the request to the server that refuses them: the daemon, its client,
//! PostgreSQL, nginx and openssl, all real.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use breakglass_broker::desk::DeskError;
use breakglass_broker::mint::Mint;
use breakglass_integration_tests::desk::House;
use breakglass_integration_tests::dev::{Dev, Said};
use breakglass_integration_tests::grant::{files_with, now, scope};
use breakglass_integration_tests::nginx::Nginx;
use breakglass_integration_tests::people::{Person, ask};
use breakglass_integration_tests::postgres::Postgres;
use breakglass_integration_tests::sshd::said;
use breakglass_integration_tests::tls_site::Shown;
use breakglass_integration_tests::wait::{SOON, until};
use breakglass_ledger::statement::{Act, Ask, Kind};

/// A broker, and what sam collects for the orders database.
struct Stage {
    dev: Dev,
}

/// A grant of sam's, and copies of what was collected, which stay when the client removes its own.
struct Held {
    id: String,
    shown: Shown,
    ssh_key: PathBuf,
}

impl Stage {
    fn new() -> Self {
        Self { dev: Dev::start() }
    }

    /// sam asks for `kinds`, ada agrees, sam collects into a directory of this name.
    fn grant(&self, kinds: &str, name: &str) -> Held {
        let asked = ["request", "orders-db", "--kind", kinds, "--incident", "INC-1"];
        let id =
            self.dev.done("sam", &[&asked[..], &["--reason", "locks", "--ttl", "15m"]].concat());
        self.dev.done("ada", &["approve", &id, "--yes"]);
        self.dev.done("sam", &["collect", &id, "--out", name]);
        let kept = self.dev.path(&format!("copy of {name}"));
        said(Command::new("cp").arg("-r").arg(self.dev.path(name)).arg(&kept));
        Held { id, shown: Shown::collected(&kept), ssh_key: kept.join("id") }
    }

    /// Who signs client certificates, as the daemon's page has it.
    fn authority(&self) -> String {
        String::from_utf8(self.dev.page("/v1/x509/ca.pem")).unwrap()
    }

    /// Where the broker puts its lists for hosts on its own machine.
    fn published(&self, name: &str) -> PathBuf {
        self.dev.path("broker/state/lists/current").join(name)
    }

    /// The list as the daemon's page has it.
    fn list(&self) -> String {
        String::from_utf8(self.dev.page("/v1/x509/crl.pem")).unwrap()
    }

    /// Waits until the directory has this list, which it has a moment after the page.
    fn wait_for(&self, list: &str) {
        let path = self.published("crl.pem");
        let is_there = || fs::read_to_string(&path).unwrap() == list;
        until("the list is published", SOON, || is_there().then_some(()));
    }

    fn nginx(&self) -> Nginx {
        Nginx::start(&self.authority(), &self.list())
    }

    fn ca(&self) -> PathBuf {
        self.dev.path("broker/state/x509-ca.pem")
    }

    /// What `openssl verify` says with this list.
    fn verdict(&self, shown: &Shown, list: Option<&Path>) -> u32 {
        shown.verdict(&self.ca(), list, &[])
    }

    fn drop(&self, held: &Held) {
        self.dev.done("sam", &["drop", &held.id]);
    }
}

/// `breakglass pg`, with what `psql` is told.
fn pg(stage: &Stage, postgres: &Postgres, sql: &str) -> Said {
    pg_at(stage, postgres, &postgres.target(), sql)
}

fn pg_at(stage: &Stage, postgres: &Postgres, target: &str, sql: &str) -> Said {
    let ca = postgres.site.server_ca();
    let ca = ca.to_str().unwrap();
    let words = ["pg", "--keep", "--server-ca", ca, "--", "psql", "-Atc", sql, target];
    stage.dev.says("sam", &words)
}

/// R35, R39: what the daemon mints is taken by PostgreSQL as the role that its map names, until the
/// list names it; then the next connection is refused, and the one that is open is found by its
/// serial and ended. The whole of it is in the ledger, and verifies.
#[test]
fn postgresql_lets_in_who_was_granted_until_it_is_revoked_and_the_ledger_shows_it() {
    let stage = Stage::new();
    let host = stage.dev.host(&["bg-orders"]);
    let (held, other) = (stage.grant("ssh,x509", "key"), stage.grant("x509", "other"));
    let postgres = Postgres::start(&stage.authority(), &stage.list());
    let told = pg(&stage, &postgres, "select 1");
    assert_eq!(told.code, 2, "of two grants one has to be named: {told:?}");
    assert_eq!(postgres.said(&other.shown, "select current_user"), "breakglass_admin");
    assert!(host.log_in(&held.ssh_key, "true").is_in(), "both kinds, one grant");
    let mut session = postgres.psql(&held.shown, "select pg_sleep(300)");
    let session = session.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let number = decimal(&held.shown.serial());
    let count = format!("select count(*) from pg_stat_ssl where client_serial = {number}");
    until("the session is there", SOON, || (postgres.admin(&count) == "1").then_some(()));
    stage.drop(&held);
    // The directory has the list of the page a moment later; PostgreSQL reads it without being told to.
    let list = stage.list();
    stage.wait_for(&list);
    postgres.take(&list);
    let refused = postgres.said(&held.shown, "select 1");
    assert!(refused.contains("SSL error: sslv3 alert certificate revoked"), "{refused}");
    assert!(!host.log_in(&held.ssh_key, "true").is_in(), "both kinds, one end");
    assert_eq!(postgres.said(&other.shown, "select current_user"), "breakglass_admin");
    assert_eq!(postgres.admin(&count), "1", "an open session survives, so it is ended");
    let end = "select pg_terminate_backend(pid) from pg_stat_ssl where client_serial = ";
    assert_eq!(postgres.admin(&format!("{end}{number}")), "t");
    let ended = session.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(told.contains("terminating connection"), "{told}");
    // One is left, so none has to be named; then none is left.
    let told = pg(&stage, &postgres, "select current_user");
    assert_eq!((told.code, told.out.as_str()), (0, "breakglass_admin"), "{told:?}");
    // Nothing is said to a server under a name that is not its own.
    let elsewhere =
        postgres.target().replace("host=localhost", "host=db.example hostaddr=127.0.0.1");
    let told = pg_at(&stage, &postgres, &elsewhere, "select 1");
    assert_eq!((told.code, told.out.as_str()), (2, ""), "{told:?}");
    assert!(told.err.contains("does not match host name"), "{told:?}");
    stage.drop(&other);
    let told = pg(&stage, &postgres, "select 1");
    assert_eq!((told.code, told.out.as_str()), (6, ""), "{told:?}");
    is_shown_by_the_ledger(&stage, &[&held, &other]);
}

/// The export verifies, and does not once a certificate in it is another.
fn is_shown_by_the_ledger(stage: &Stage, all: &[&Held]) {
    stage.dev.done("sam", &["audit", "export", "--out", "bundle"]);
    let verify = ["audit", "verify", "bundle", "--trust", "broker/trust.toml"];
    let told = stage.dev.says("sam", &verify);
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.out.starts_with("verified"), "{told:?}");
    let path = stage.dev.path("bundle/entries.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let [held, other] = all else { panic!("two grants") };
    let certificate = |held: &Held| {
        let pem = fs::read_to_string(&held.shown.certificate).unwrap();
        pem.trim_end().replace('\n', "\\n")
    };
    let (held, other) = (certificate(held), certificate(other));
    assert!(text.contains(&held) && text.contains(&other), "the whole certificate is there");
    fs::write(&path, text.replace(&held, &other)).unwrap();
    let told = stage.dev.says("sam", &verify);
    assert_eq!(told.code, 10, "{told:?}");
    assert!(told.out.starts_with("tampered"), "{told:?}");
}

/// As PostgreSQL writes serial numbers.
fn decimal(serial: &str) -> u128 {
    u128::from_str_radix(serial, 16).unwrap()
}

#[test]
fn the_stock_tool_reads_what_was_collected_and_knows_the_published_lists() {
    let stage = Stage::new();
    let held = stage.grant("x509", "key");
    let empty = stage.dev.path("empty.pem");
    fs::write(&empty, stage.list()).unwrap();
    let subject = held.shown.openssl(&["-subject", "-nameopt", "RFC2253"]);
    assert_eq!(subject, format!("subject=CN=bg-{}-sam,O=breakglass:orders", held.id));
    let purposes = held.shown.openssl(&["-ext", "extendedKeyUsage,keyUsage,basicConstraints"]);
    for line in ["TLS Web Client Authentication", "Digital Signature", "CA:FALSE"] {
        assert!(purposes.contains(line), "{purposes}");
    }
    assert!(!purposes.contains("Server"), "{purposes}");
    assert_eq!(stage.verdict(&held.shown, Some(&empty)), 0);
    assert_eq!(stage.verdict(&held.shown, None), 3, "a list is demanded");
    let week = (now().second().unix_seconds() + 8 * 86_400).to_string();
    let late = held.shown.verdict(&stage.ca(), Some(&empty), &["-attime", &week]);
    assert_eq!(late, 12, "the list runs out, whatever else has");
    stage.drop(&held);
    stage.wait_for(&stage.list());
    assert_eq!(stage.verdict(&held.shown, Some(&stage.published("crl.pem"))), 23, "revoked");
    assert_eq!(stage.verdict(&held.shown, Some(&empty)), 0, "by the old list it is good");
    let mut openssl = Command::new("openssl");
    openssl.args(["crl", "-inform", "DER", "-in"]).arg(stage.published("crl.der"));
    assert_eq!(said(&mut openssl).trim(), stage.list().trim(), "both forms are one list");
    let mut openssl = Command::new("openssl");
    openssl.args(["crl", "-noout", "-text", "-in"]).arg(stage.published("crl.pem"));
    assert!(said(&mut openssl).contains(&format!("Serial Number: {}", held.shown.serial())));
}

/// R35: also where the session of before was kept.
#[test]
fn nginx_takes_a_certificate_until_its_list_names_it_and_a_kept_session_is_no_way_round() {
    let stage = Stage::new();
    let held = stage.grant("x509", "key");
    let nginx = stage.nginx();
    let ca = nginx.site.server_ca();
    let url = nginx.url();
    let words = ["curl", "--keep", "--", "-s", "--noproxy", "*", "--cacert"];
    let words = [&words[..], &[ca.to_str().unwrap(), &url]].concat();
    let told = stage.dev.says("sam", &words);
    let attributed = format!("{} CN=bg-{}-sam,O=breakglass:orders", held.shown.serial(), held.id);
    assert_eq!((told.code, told.out.as_str()), (0, attributed.as_str()), "{told:?}");
    assert!(nginx.ask_and_keep(&held.shown).contains("200 OK"));
    stage.drop(&held);
    let other = stage.grant("x509", "other");
    assert!(nginx.ask(&held.shown).contains(&held.id), "until it reads the list it knows nothing");
    nginx.take(&stage.list());
    let refused = nginx.ask(&held.shown);
    assert!(refused.contains("400 The SSL certificate error"), "{refused}");
    assert!(
        !nginx.come_back(&held.shown).contains("200 OK"),
        "a session of before is no way round"
    );
    assert!(nginx.ask(&other.shown).contains(&other.id), "the other one is good");
}

/// Why the runbook sets how sessions are kept: with a shared cache they outlive the certificate.
#[test]
fn nginx_with_a_shared_cache_takes_a_session_though_its_list_names_the_certificate() {
    let stage = Stage::new();
    let held = stage.grant("x509", "key");
    let shared = "ssl_session_cache shared:kept:1m; ssl_session_tickets off;";
    let nginx = Nginx::keeping(&stage.authority(), &stage.list(), shared);
    assert!(nginx.ask_and_keep(&held.shown).contains("200 OK"));
    stage.drop(&held);
    nginx.take(&stage.list());
    assert!(nginx.ask(&held.shown).contains("400 Bad Request"), "the list is in force");
    assert!(nginx.come_back(&held.shown).contains("200 OK"), "the trap is not there any more");
}

/// Why the list is signed every few minutes and its age is part of `/healthz`.
#[test]
fn nginx_refuses_everybody_once_the_list_has_run_out() {
    let stage = Stage::new();
    let held = stage.grant("x509", "key");
    let nginx = stage.nginx();
    assert!(nginx.ask(&held.shown).contains(&held.id));
    assert_eq!(stage.dev.page("/healthz"), b"serving\n");
    let mint = Mint::open(&stage.dev.path("broker/state"), "dev").unwrap();
    let then = now().second().minus(8 * 86_400);
    let old = mint.crl([].iter(), 1, then).unwrap().unwrap();
    nginx.take(old.pem());
    assert!(nginx.ask(&held.shown).contains("400 Bad Request"), "the old list is in force");
    nginx.take(&stage.list());
    assert!(nginx.ask(&held.shown).contains(&held.id), "and the new one heals it");
}

/// R09: what is certified is the client's key, and everything else in the certificate is the policy's.
/// R19: the private half is in no file of the broker's.
#[test]
fn nothing_but_the_public_half_of_the_key_comes_from_the_client() {
    let stage = Stage::new();
    let held = stage.grant("x509", "key");
    let mut openssl = Command::new("openssl");
    openssl.args(["pkey", "-pubout", "-in"]).arg(&held.shown.key);
    assert_eq!(held.shown.openssl(&["-pubkey"]), said(&mut openssl));
    let mut openssl = Command::new("openssl");
    openssl.args(["pkey", "-noout", "-text", "-in"]).arg(&held.shown.key);
    let text = said(&mut openssl);
    let (_, rest) = text.split_once("priv:").unwrap();
    let (hex, _) = rest.split_once("pub:").unwrap();
    let hex: String = hex.chars().filter(char::is_ascii_hexdigit).collect();
    let secret = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
    let secret = secret.get(secret.len() - 32..).unwrap();
    let holds = |path: &Path, what: &[u8]| {
        let content = fs::read(path).unwrap();
        content.windows(what.len()).any(|window| window == what)
    };
    let (mut dirs, mut seen) = (vec![stage.dev.path("broker/state")], 0);
    while let Some(dir) = dirs.pop() {
        for one in fs::read_dir(dir).unwrap() {
            let path = one.unwrap().path();
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                dirs.push(path);
                continue;
            }
            seen += 1;
            assert!(!holds(&path, secret), "{}", path.display());
        }
    }
    assert!(seen > 5, "the broker has files");
}

/// A key that TLS servers would not take is refused before anybody is asked to approve.
#[test]
fn a_subject_key_of_the_wrong_type_is_refused_by_name() {
    let certifies = scope("orders-db", "principals = [\"bg-orders\"]");
    let certifies =
        format!("\n{certifies}\n[scope.x509]\norganizations = [\"breakglass:orders\"]\n");
    let mut house = House::today(files_with(&certifies));
    let asked = Ask {
        kinds: vec![Kind::X509],
        ..ask("sam", "orders-db", 600, 1, Person::named("subject").key())
    };
    match house.act(&Person::named("sam"), Act::Request(asked)) {
        Err(DeskError::Refused { refusal, .. }) => {
            assert_eq!(refusal.name(), "subject-key-type");
            assert!(refusal.to_string().contains("ecdsa-sha2-nistp256"), "{refusal}");
        }
        other => panic!("not refused: {other:?}"),
    }
}
