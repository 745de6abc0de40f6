//! The agent of a host with the real PostgreSQL, nginx and etcd: the X.509 list is brought to them, checked
//! before, and lands, whatever is in the way.

mod nginx;
mod stage;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use breakglass_integration_tests::agent::{Pins, Told, verb};
use breakglass_integration_tests::daemon::{Daemon, run};
use breakglass_integration_tests::etcd::Etcd;
use breakglass_integration_tests::hosts::files_with_hosts;
use breakglass_integration_tests::postgres::Postgres;
use breakglass_integration_tests::record::{Exported, rows};
use breakglass_integration_tests::site::Site;
use breakglass_integration_tests::sshd::said;
use breakglass_integration_tests::tls_site::{Shown as Certified, TlsSite};
use breakglass_integration_tests::wait::{SOON, until};
use breakglass_ledger::audit::{Code, Verdict};
use breakglass_ledger::entry::{Body, Entry};

use self::stage::{Authority, Says, Stage, WEEK};

const PG: &str = "db-1.postgresql";

/// Must be shown, 2: accepted, refused at the next connection, the open session ended, and all of it
/// tried at the server itself.
#[test]
fn postgresql_refuses_what_the_agent_brought_and_the_open_session_is_ended() {
    let stage = Stage::new();
    let list = stage.ca.list(&[3], 9);
    stage.show(&list);
    let postgres = Postgres::start(&stage.ca.0.pem(), &list);
    let (held, other) =
        (stage.ca.certify(41, stage.told.dir.path()), stage.ca.certify(42, stage.told.dir.path()));
    let port = postgres.target();
    let port = port.split("port=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let crls = postgres.site.path("crls");
    stage.looks_after(&format!(
        "kind = \"postgresql\"\nssl-crl-dir = \"{}\"\naddress = \"127.0.0.1:{port}\"\n\
         connection = \"host={} port={port} user=postgres dbname=postgres\"\n",
        crls.display(),
        postgres.site.path("data").display(),
    ));
    let _agent = stage.told.run();
    stage.until_state(PG, "\"canary\":\"refused\"");
    assert_eq!(postgres.said(&held, "select current_user"), "breakglass_admin");
    let mut command = postgres.psql(&held, "select pg_sleep(300)");
    let session = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut others = postgres.psql(&other, "select pg_sleep(300)").spawn().unwrap();
    let open = "select count(*) from pg_stat_ssl where client_serial is not null";
    until("both are there", SOON, || (postgres.admin(open) == "2").then_some(()));
    let next = stage.ca.list(&[3, 41], 10);
    stage.show(&next);
    let ended = session.wait_with_output().unwrap();
    assert!(String::from_utf8_lossy(&ended.stderr).contains("terminating connection"));
    assert!(postgres.said(&held, "select 1").contains("certificate revoked"));
    assert_eq!(fs::read_to_string(stage.file(&crls)).unwrap(), next);
    assert_eq!(postgres.admin(open), "1", "another's session goes on");
    assert_eq!(postgres.said(&other, "select current_user"), "breakglass_admin");
    until("it is said", SOON, || {
        let log = stage.told.log();
        (log.contains("1 sessions ended") && log.contains("list 10 in force after")).then_some(())
    });
    assert!(stage.told.log().contains("canary refused"), "{}", stage.told.log());
    let _ = (others.kill(), others.wait());
}

/// A server that does not read the directory at all is told apart from one that does.
#[test]
fn a_server_that_reads_another_directory_is_an_alarm() {
    let stage = Stage::new();
    let list = stage.ca.list(&[3], 9);
    let postgres = Postgres::start(&stage.ca.0.pem(), &list);
    stage.show(&stage.ca.list(&[3, 7], 10));
    let port = postgres.target();
    let port = port.split("port=").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    stage.looks_after(&format!(
        "kind = \"postgresql\"\nssl-crl-dir = \"elsewhere\"\naddress = \"127.0.0.1:{port}\"\n"
    ));
    fs::create_dir(stage.told.path("elsewhere")).unwrap();
    let _agent = stage.told.run();
    stage.until_state(PG, "ALARM: the server does not refuse");
    let mut asked = verb(stage.told.dir.path(), &["status", "--config"]);
    let answered = run(asked.arg(stage.told.config()));
    assert_eq!(answered.code, Some(13), "{answered:?}");
    assert!(answered.out.contains("canary accepted"), "{answered:?}");
}

/// etcd needs no reload and can end nobody's session; of two lists in its file it would read the first.
#[test]
fn etcd_refuses_with_the_next_connection_whichever_authority_signed_the_newest_list() {
    let stage = Stage::new();
    let next_ca = Authority::new("breakglass payments X.509 CA 4567cdef");
    let both = format!("{}{}", stage.ca.0.pem(), next_ca.0.pem());
    fs::write(stage.told.path("x509-ca.pem"), &both).unwrap();
    let site = TlsSite::new(&both, "");
    let crl = site.path("crl.pem");
    fs::remove_file(&crl).unwrap();
    stage.looks_after(&format!("kind = \"etcd\"\ncrl = \"{}\"\n", crl.display()));
    let held = stage.ca.certify(41, stage.told.dir.path());
    let newer = next_ca.certify(42, stage.told.dir.path());
    stage.show(&stage.ca.list(&[3], 9));
    let _agent = stage.told.run();
    let in_force = |version: u64| {
        let said = format!("list {version} in force after");
        until(&said, SOON, || stage.told.log().contains(&said).then_some(()));
    };
    in_force(9);
    let mut install = verb(stage.told.dir.path(), &["install", "--config"]);
    let printed = run(install.arg(stage.told.config()));
    let told = printed.out.split("# Written by").find(|file| file.contains("ETCD_")).unwrap();
    // Where it says that whoever installs puts it.
    fs::write(stage.told.path("client-ca.pem"), &both).unwrap();
    let etcd = Etcd::start(site, told.split_once('\n').unwrap().1);
    until("it serves", SOON, || etcd.lets_in(&held).then_some(()));
    assert!(etcd.lets_in(&newer));
    stage.show(&stage.ca.list(&[3, 41], 10));
    in_force(10);
    assert!(!etcd.lets_in(&held) && etcd.lets_in(&newer));
    // The authority changes: each list names the numbers of both, and the older one is of before.
    stage.show(&next_ca.list(&[3, 41, 42], 11));
    in_force(11);
    assert!(!etcd.lets_in(&held) && !etcd.lets_in(&newer));
    assert_eq!(fs::read_to_string(&crl).unwrap().matches("BEGIN X509 CRL").count(), 1);
    fs::remove_file(&crl).unwrap();
    assert!(!etcd.lets_in(&held), "without its list it lets in nobody");
    until("it is put back", SOON, || crl.exists().then_some(()));
}

/// R37, R40: whatever a liar on the way shows, the last good list stays, also through a restart.
#[test]
fn bad_lists_of_every_kind_are_refused_and_the_last_good_one_stays() {
    let stage = Stage::new();
    stage.looks_after("kind = \"postgresql\"\nssl-crl-dir = \"crls\"\n");
    let dir = stage.told.path("crls");
    fs::create_dir(&dir).unwrap();
    let file = stage.file(&dir);
    let good = stage.ca.list(&[7], 10);
    stage.show(&good);
    let agent = stage.told.run();
    let in_place = |what: &str| {
        until("the list is in place", SOON, || {
            (fs::read_to_string(&file).ok()? == what).then_some(())
        });
    };
    in_place(&good);
    let next = stage.ca.list(&[7, 8], 11);
    let says = |begins, ends| stage.ca.says(Says { revoked: &[7], version: 11, begins, ends });
    let unsigned = Authority::new("breakglass payments X.509 CA 0123abcd").list(&[7, 8], 11);
    let foreign = Authority::new("somebody else").list(&[7, 8], 11);
    let body: String = next.lines().filter(|line| !line.starts_with('-')).collect();
    let cases = [
        ("empty", String::new()),
        ("cut off", next[..next.len() / 2].to_owned()),
        ("cut off", body),
        ("older", stage.ca.list(&[3], 9)),
        ("another authority", foreign),
        ("not signed", unsigned),
        ("in the future", says(600, WEEK)),
        ("ran out", says(-600, -60)),
    ];
    for (word, list) in cases {
        stage.show(&list);
        stage.until_state(PG, word);
        assert_eq!(fs::read_to_string(&file).unwrap(), good, "{word}");
    }
    stage.show(&stage.ca.list(&[7], 10).replace(&good, ""));
    drop(agent);
    stage.show(&stage.ca.list(&[3], 9));
    let _agent = stage.told.run();
    stage.until_state(PG, "older");
    assert_eq!(fs::read_to_string(&file).unwrap(), good, "through a restart");
    // Where it cannot be written, for whatever reason, the old one stays and it is said.
    let beside = PathBuf::from(format!("{}.tmp", file.display()));
    fs::create_dir(&beside).unwrap();
    stage.show(&next);
    stage.until_state(PG, "cannot be put in place");
    assert_eq!(fs::read_to_string(&file).unwrap(), good);
    fs::remove_dir(&beside).unwrap();
    in_place(&next);
    fs::remove_file(&file).unwrap();
    in_place(&next);
    let soon = stage.ca.says(Says { revoked: &[7], version: 12, begins: -60, ends: 7200 });
    stage.show(&soon);
    stage.until_state(PG, "ALARM: the list in place runs out");
    in_place(&soon);
}

/// A full disk says so, keeps the old list, and the next one is taken when there is room.
#[test]
fn a_full_disk_keeps_the_old_list_until_there_is_room() {
    let stage = Stage::new();
    let dir = stage.told.path("crls");
    fs::create_dir(&dir).unwrap();
    let disk = Disk::mount(&dir);
    stage.looks_after("kind = \"postgresql\"\nssl-crl-dir = \"crls\"\n");
    let file = stage.file(&dir);
    let good = stage.ca.list(&[7], 10);
    stage.show(&good);
    let _agent = stage.told.run();
    until("the list is in place", SOON, || file.exists().then_some(()));
    let room = dir.join("ballast");
    fs::write(&room, vec![0; 1 << 20]).unwrap_err();
    let next = stage.ca.list(&[7, 8], 11);
    stage.show(&next);
    stage.until_state(PG, "cannot be put in place");
    assert_eq!(fs::read_to_string(&file).unwrap(), good);
    fs::remove_file(&room).unwrap();
    until("the next one is in place", SOON, || {
        (fs::read_to_string(&file).ok()? == next).then_some(())
    });
    drop(disk);
}

/// A file system of 64 KiB. Gone when dropped.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path) -> Self {
        let mut mount = Command::new("mount");
        said(mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(at));
        Self(at.to_owned())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// What is in force at a server of TLS is a fact in the ledger, with the digest of the broker's file.
#[test]
fn the_ledger_says_that_the_x509_list_is_in_force() {
    let (site, _daemon, pins, told) = followed();
    let ca = site.state().join("x509-ca.pem");
    let more = format!(
        "x509-ca = \"{}\"\n[[target]]\nkind = \"postgresql\"\nssl-crl-dir = \"crls\"\n",
        ca.display()
    );
    told.write(&pins, &more);
    fs::create_dir(told.path("crls")).unwrap();
    let _agent = told.run();
    let statement = until("it is in the ledger", SOON, || {
        rows(&site.ledger()).iter().find_map(|bytes| {
            let Body::Applied(applied) = Entry::parse(bytes).unwrap().body else { return None };
            Some(applied.signed.statement)
        })
    });
    let in_place = fs::read_dir(told.path("crls")).unwrap().next().unwrap().unwrap().path();
    let digest = breakglass_ledger::bytes::Digest::of(&fs::read(in_place).unwrap());
    for line in ["\ntarget: db-1.postgresql\n", "\nlist: crl\n", "\ncanary: untried\n"] {
        assert!(statement.contains(line), "{line}: {statement}");
    }
    assert!(statement.contains(&format!("\ndigest: sha256:{digest}\n")), "{statement}");
}

/// A daemon, and the agent of a host that is enrolled there.
fn followed() -> (Site, Daemon, Pins, Told) {
    let site = Site::under(files_with_hosts(&["db-1"]));
    let daemon = site.serve();
    let pins = Pins::of(&site, &daemon);
    let told = Told::new("db-1", &pins);
    (site, daemon, pins, told)
}

/// Whoever has the authority's key signs past the broker: no list names what they sign, but the server's
/// sessions do, and the ledger knows no such number.
#[test]
fn a_certificate_that_the_ledger_does_not_know_is_found_where_it_is_used() {
    const UNKNOWN: u64 = 4_711;
    let (site, daemon, pins, told) = followed();
    let ca = site.state().join("x509-ca.pem");
    let list = fs::read_to_string(site.state().join("lists/current/crl.pem")).unwrap();
    let postgres = Postgres::start(&fs::read_to_string(&ca).unwrap(), &list);
    let stolen = past_the_broker(&site, told.dir.path(), UNKNOWN);
    told.write(
        &pins,
        &format!(
            "x509-ca = \"{}\"\n[[target]]\nkind = \"postgresql\"\nssl-crl-dir = \"{}\"\nconnection = \"{}\"\n",
            ca.display(),
            postgres.site.path("crls").display(),
            postgres.administrator(),
        ),
    );
    let _agent = told.run();
    let mut session = postgres.psql(&stolen, "select pg_sleep(300)").spawn().unwrap();
    nobody_was_given(&site, "db-1.postgresql", UNKNOWN);
    let _ = (session.kill(), session.wait());
    let trust = site.trust();
    daemon.stop();
    let report = Exported::at_rest(&site).verify(&trust);
    assert_eq!(report.verdict, Verdict::Suspect);
    let found: Vec<_> = report.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(found, [Code::UnloggedCredential]);
}

/// Waits until the ledger says that `target` saw `number`, and that nobody was given it.
fn nobody_was_given(site: &Site, target: &str, number: u64) {
    let seen = until("the ledger says that nobody was given it", SOON, || {
        rows(&site.ledger()).iter().find_map(|bytes| {
            let Body::Reconciled(seen) = Entry::parse(bytes).unwrap().body else { return None };
            Some((seen.target.to_string(), seen.unlogged))
        })
    });
    assert_eq!(seen, (target.to_owned(), vec![number]));
}

/// A certificate by the authority's key as it lies in the state directory, made by the stock tool.
fn past_the_broker(site: &Site, dir: &Path, seq: u64) -> Certified {
    let keys = site.state().join("keys");
    let shown = Certified { certificate: dir.join("past.crt"), key: dir.join("past.key") };
    let openssl = |words: &[&str]| {
        let mut openssl = Command::new("openssl");
        said(openssl.args(words).current_dir(dir))
    };
    openssl(&[
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=bg-req-0192f0c1-sam",
        "-keyout",
        "past.key",
        "-out",
        "past.csr",
    ]);
    fs::write(dir.join("past.ext"), "extendedKeyUsage = clientAuth\n").unwrap();
    let (ca, key) = (keys.join("x509-ca.crt"), keys.join("x509-ca.pem"));
    let serial = format!("0x{seq:016x}0123456789abcdef");
    openssl(&[
        "x509",
        "-req",
        "-in",
        "past.csr",
        "-CA",
        ca.to_str().unwrap(),
        "-CAkey",
        key.to_str().unwrap(),
        "-set_serial",
        &serial,
        "-days",
        "1",
        "-extfile",
        "past.ext",
        "-out",
        "past.crt",
    ]);
    shown
}
