//! The agent of a host with the real daemon and the real `sshd`: a revocation lands, whatever is in
//! the way.

mod canary;

use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use breakglass_integration_tests::agent::{Pins, Told, verb};
use breakglass_integration_tests::daemon::{Daemon, breakglassd, powerless, run};
use breakglass_integration_tests::desk::House;
use breakglass_integration_tests::grant::scope;
use breakglass_integration_tests::hosts::files_with_hosts;
use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::record::rows;
use breakglass_integration_tests::site::{ROOMY, Site};
use breakglass_integration_tests::sshd::{Lets, Login, Sshd, make_privilege_separation_directory};
use breakglass_integration_tests::wait::{SOON, until};
use breakglass_integration_tests::wire::Wire;
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Entry, Signed};
use breakglass_ledger::statement::{Act, Applied, Canary, Statement};
use tokio::runtime::Runtime;

/// A daemon, an agent that follows it, and a host that reads the agent's list.
struct Stage {
    site: Site,
    daemon: Option<Daemon>,
    pins: Pins,
    told: Told,
    runtime: Runtime,
}

/// A credential in sam's hands.
struct Held {
    request: Digest,
    serial: u64,
    key: PathBuf,
}

impl Stage {
    fn new() -> Self {
        let mut files = files_with_hosts(&["db-1"]);
        let opens = scope("host", "principals = [\"bg-root\"]");
        files.scopes.extend_from_slice(format!("\n{opens}").as_bytes());
        let site = Site::under(files);
        let daemon = site.serve();
        let pins = Pins::of(&site, &daemon);
        let told = Told::new("db-1", &pins);
        let runtime = Runtime::new().unwrap();
        Self { site, daemon: Some(daemon), pins, told, runtime }
    }

    fn wire(&self) -> Wire {
        self.runtime.block_on(Wire::to(&self.site, self.daemon.as_ref().unwrap()))
    }

    fn grant(&self, ttl: u32, name: &str) -> Held {
        let (wire, subject) = (self.wire(), Person::named(name));
        let asked = wire.ask(&Person::named("sam"), "host", ttl, &subject);
        let request = Statement::parse(&asked.statement).unwrap().digest();
        self.runtime.block_on(wire.submit(asked)).unwrap();
        let answer = self.runtime.block_on(wire.submit(wire.collect(&subject, request))).unwrap();
        let Body::Issued(issued) = Entry::parse(&answer.entry).unwrap().body else { panic!() };
        let key = subject.write(&self.told.path(name), &answer.credential);
        Held { request, serial: issued.serial, key }
    }

    fn take_back(&self, held: &Held) {
        let wire = self.wire();
        let drop = wire.about(&Person::named("sam"), Act::Drop, held.request);
        self.runtime.block_on(wire.submit(drop)).unwrap();
    }

    /// A host that lets in whoever the broker certified and the agent's list does not name.
    fn host(&self) -> Sshd {
        until("a list is in place", SOON, || self.told.list().exists().then_some(()));
        Sshd::start(&Lets {
            authorities: vec![self.pins.ssh_ca.clone()],
            revoked: Some(self.told.list()),
            principals: vec!["bg-root".to_owned()],
        })
    }

    fn bodies(&self) -> Vec<Body> {
        let entries = rows(&self.site.ledger());
        entries.iter().map(|bytes| Entry::parse(bytes).unwrap().body).collect()
    }

    fn applied(&self) -> Vec<Applied> {
        let said = |signed: &Signed| {
            let statement = Statement::parse(signed.statement.as_bytes()).unwrap();
            let Act::Applied(applied) = statement.act() else { panic!() };
            applied.clone()
        };
        let bodies = self.bodies();
        let reports = bodies.iter().filter_map(|body| {
            let Body::Applied(applied) = body else { return None };
            Some(said(&applied.signed))
        });
        reports.collect()
    }

    /// How often `serial` is reported as used.
    fn uses(&self, serial: u64) -> usize {
        let line = format!("\nserial: {serial}\n");
        let bodies = self.bodies();
        let used = bodies.iter().filter(
            |body| matches!(body, Body::Used(used) if used.signed.statement.contains(&line)),
        );
        used.count()
    }
}

/// A program that is ended with the test.
struct Kept(Child);

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn kept(mut command: Command) -> Kept {
    let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
    Kept(quiet.spawn().expect("ssh starts"))
}

/// R33, R39: a revocation is refused at the next log-in; the session that is open, and the channels
/// that a control master would still open in it, are ended; and the ledger says all of it.
#[test]
fn a_revocation_lands_and_open_sessions_and_their_channels_end_with_it() {
    let stage = Stage::new();
    let _agent = stage.told.run();
    let host = stage.host();
    let held = stage.grant(3600, "first");
    let other = stage.grant(3600, "other");
    let socket = stage.told.path("master");
    let master = ["ControlMaster=yes".to_owned(), format!("ControlPath={}", socket.display())];
    let mut session = kept(host.ssh_with(&held.key, &master, &["sleep 600"]));
    let mut others = kept(host.ssh_with(&other.key, &[], &["sleep 600"]));
    until("the master listens", SOON, || socket.exists().then_some(()));
    let through = [format!("ControlPath={}", socket.display())];
    let channel = || {
        let mut ssh = host.ssh_with(&stage.told.path("none"), &through, &["echo in"]);
        ssh.output().unwrap().status.success()
    };
    assert!(channel(), "a master opens more channels");
    host.logged(0, &["Accepted publickey", &format!("(serial {})", held.serial)]);
    until("the uses are reported", SOON, || {
        (stage.uses(held.serial) == 1 && stage.uses(other.serial) == 1).then_some(())
    });
    stage.take_back(&held);
    let begun = Instant::now();
    until("the session is ended", SOON, || session.0.try_wait().unwrap());
    println!("from the revocation to the end of the session: {:?}", begun.elapsed());
    assert!(!channel(), "no channel is opened any more");
    assert!(!host.log_in(&held.key, "echo in").is_in());
    host.logged(0, &["revoked by file"]);
    assert!(others.0.try_wait().unwrap().is_none(), "another's session goes on");
    assert_eq!(host.log_in(&other.key, "echo in"), Login::In("in\n".to_owned()));
    let report = until("it is reported", SOON, || {
        stage.applied().into_iter().find(|applied| applied.canary == Canary::Refused)
    });
    assert!(report.version > held.serial);
    assert!(stage.applied().iter().any(|applied| applied.ended.0 == Some(1)));
    assert!(stage.site.check().code == Some(0) || stage.daemon.is_some());
}

/// Expired while nobody could say so: the certificate's own end is enough.
#[test]
fn while_the_broker_is_away_sessions_end_in_their_time_and_reports_wait() {
    let mut stage = Stage::new();
    let _agent = stage.told.run();
    let host = stage.host();
    // Long enough for a log-in on a busy machine: what is over before it is seen has no use to tell.
    let held = stage.grant(30, "short");
    let long = stage.grant(3600, "long");
    stage.daemon.take().unwrap().kill();
    assert!(host.log_in(&long.key, "echo in").is_in(), "the last list stays");
    let mut session = kept(host.ssh_with(&held.key, &[], &["sleep 600"]));
    let mut lasting = kept(host.ssh_with(&long.key, &[], &["sleep 600"]));
    until("the session ends in its time", SOON, || session.0.try_wait().unwrap());
    assert!(lasting.0.try_wait().unwrap().is_none());
    // It says so once it has seen that the session is gone, which is a moment later.
    until("the agent says that it ended it", SOON, || {
        stage.told.log().contains("1 sessions ended").then_some(())
    });
    until("the agent says that it is alone", SOON, || {
        stage.told.log().contains("cannot report").then_some(())
    });
    let config = stage.site.config(ROOMY);
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.replacen("127.0.0.1:0", &stage.pins.rpc.to_string(), 1);
    let text = text.replacen("127.0.0.1:0", &stage.pins.web.to_string(), 1);
    std::fs::write(&config, text).unwrap();
    stage.daemon =
        Some(Daemon::start(breakglassd().arg("serve").arg("--config").arg(config)).unwrap());
    until("the queue is delivered", SOON, || {
        (stage.uses(held.serial) > 0 && stage.uses(long.serial) > 0).then_some(())
    });
    stage.take_back(&long);
    until("the agent goes on", SOON, || lasting.0.try_wait().unwrap());
    assert_eq!([stage.uses(held.serial), stage.uses(long.serial)], [1, 1], "each once");
}

/// The broker answers the second use of a window with the entry of the first, signed over other words.
#[test]
fn a_second_log_in_under_a_credential_does_not_hold_up_what_is_reported_after_it() {
    let stage = Stage::new();
    let _agent = stage.told.run();
    let host = stage.host();
    let (held, other) = (stage.grant(3600, "one"), stage.grant(3600, "other"));
    let _first = kept(host.ssh_with(&held.key, &[], &["sleep 600"]));
    until("the first is reported", SOON, || (stage.uses(held.serial) == 1).then_some(()));
    let _second = kept(host.ssh_with(&held.key, &[], &["sleep 600"]));
    let queued = format!("\"serial\":{}", held.serial);
    let queue = stage.told.path("state/reports.json");
    until("the second is seen", SOON, || {
        std::fs::read_to_string(&queue).unwrap_or_default().contains(&queued).then_some(())
    });
    let _other = kept(host.ssh_with(&other.key, &[], &["sleep 600"]));
    until("the other is reported", SOON, || (stage.uses(other.serial) == 1).then_some(()));
    assert_eq!(stage.uses(held.serial), 1, "once in a window");
}

/// What a liar shows to agents: the list and its signature.
pub(super) type Shown = Arc<Mutex<(Vec<u8>, String)>>;

/// What an agent is told that believes `house` and looks at `address`.
pub(super) fn pins_at(house: &House, address: SocketAddr) -> Pins {
    let public = house.desk().public().clone();
    Pins {
        rpc: address,
        web: address,
        log: public.origin.to_string(),
        log_key: public.log.to_string(),
        tls_ca: house.dir.path().join("keys/tls-ca.crt"),
        ssh_ca: public.ssh_ca.to_openssh(),
        lists_key: public.lists.to_openssh(),
    }
}

/// A web server that shows whatever it is told to.
pub(super) fn liar() -> (SocketAddr, Shown) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let shown = Shown::default();
    let shows = Arc::clone(&shown);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = [0; 4096];
            let length = stream.read(&mut asked).unwrap_or(0);
            let asked = String::from_utf8_lossy(&asked[..length]).into_owned();
            let (list, signature) = shows.lock().unwrap().clone();
            let body = if asked.contains("krl.sig") { signature.into_bytes() } else { list };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            // The agent may have been ended meanwhile.
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    (address, shown)
}

/// R37, R40: whatever a liar on the way shows, the last good list stays, and the agent says what is
/// wrong; the next good one mends it.
#[test]
fn truncated_empty_older_foreign_and_unsigned_lists_are_refused_and_the_last_good_one_stays() {
    let house = House::sample();
    let (mint, public) = (house.mint(), house.desk().public().clone());
    let (address, shown) = liar();
    let pins = pins_at(&house, address);
    let told = Told::new("db-1", &pins);
    let list = |serials: &[u64], version| mint.krl(serials, version, house.now()).unwrap();
    let show = |list: &[u8], signature: &str| {
        *shown.lock().unwrap() = (list.to_vec(), signature.to_owned());
    };
    let good = list(&[7], 10);
    show(&good.krl, &good.signature);
    let mut agent = told.run();
    let in_place = |what: &[u8]| (std::fs::read(told.list()).ok()? == what).then_some(());
    until("the good list is in place", SOON, || in_place(&good.krl));
    let older = list(&[3], 9);
    let same = list(&[7, 8], 10);
    let next = list(&[7, 8], 11);
    let forged = Person::named("forger").sign_in("krl.v1@breakglass", &next.krl);
    let mut foreign = next.krl.clone();
    let wire = public.ssh_ca.wire();
    let at = foreign.windows(wire.len()).position(|bytes| bytes == wire).unwrap();
    foreign[at + wire.len() - 1] ^= 1;
    let cut = &next.krl[..next.krl.len() - 3];
    let cases: [(&str, &[u8], &str); 8] = [
        ("empty", b"", &next.signature),
        ("cut off", cut, &next.signature),
        ("signature", &next.krl, &good.signature),
        ("signed", &next.krl, ""),
        ("older", &older.krl, &older.signature),
        ("two different", &same.krl, &same.signature),
        ("another key", &next.krl, forged.armored()),
        ("another authority", &foreign, &next.signature),
    ];
    for (word, krl, signature) in cases {
        show(krl, signature);
        until(word, SOON, || told.state().contains(word).then_some(()));
        assert_eq!(std::fs::read(told.list()).unwrap(), good.krl, "{word}");
    }
    // No room, or no right to write: the same to whoever wants to write there.
    std::fs::create_dir(told.path("lists/krl.tmp")).unwrap();
    show(&next.krl, &next.signature);
    until("it cannot write", SOON, || {
        told.state().contains("cannot be put in place").then_some(())
    });
    assert_eq!(std::fs::read(told.list()).unwrap(), good.krl);
    std::fs::remove_dir(told.path("lists/krl.tmp")).unwrap();
    until("the next list is in place", SOON, || in_place(&next.krl));
    // Also a list that somebody restored on the host is not taken for the newest.
    assert!(agent.is_running());
    drop(agent);
    std::fs::write(told.list(), &good.krl).unwrap();
    std::fs::write(told.path("lists/krl.sig"), &good.signature).unwrap();
    show(&good.krl, &good.signature);
    let _agent = told.run();
    until("the older one is refused", SOON, || told.state().contains("older").then_some(()));
    show(&next.krl, &next.signature);
    until("the newest is back", SOON, || in_place(&next.krl));
}

/// A directory that became read-only: the agent says so, the list that is there stays and refuses whom it
/// names, and the newer one is in place as soon as it can be.
#[test]
fn a_directory_that_cannot_be_written_keeps_the_last_good_list_and_heals() {
    let stage = Stage::new();
    let _agent = stage.told.run_through(&powerless());
    let host = stage.host();
    let (first, second) = (stage.grant(3600, "first"), stage.grant(3600, "second"));
    stage.take_back(&first);
    until("the first is refused", SOON, || {
        (!host.log_in(&first.key, "true").is_in()).then_some(())
    });
    let lists = stage.told.path("lists");
    std::fs::set_permissions(&lists, Permissions::from_mode(0o555)).unwrap();
    let before = std::fs::read(stage.told.list()).unwrap();
    stage.take_back(&second);
    let trouble = until("the agent says so", SOON, || {
        let state = stage.told.state();
        state.contains("cannot be put in place").then_some(state)
    });
    assert!(trouble.contains("krl") && trouble.contains("Permission denied"), "{trouble}");
    assert!(stage.told.log().contains("cannot be put in place"), "{}", stage.told.log());
    assert_eq!(std::fs::read(stage.told.list()).unwrap(), before, "the last good one");
    assert!(!host.log_in(&first.key, "true").is_in());
    std::fs::set_permissions(&lists, Permissions::from_mode(0o755)).unwrap();
    until("the second is refused as well", SOON, || {
        (!host.log_in(&second.key, "true").is_in()).then_some(())
    });
    until("and nothing is in the way any more", SOON, || {
        (!stage.told.state().contains("cannot be put in place")).then_some(())
    });
}

/// R08: roles come from the configuration alone; the list, and being alone for too long, close them.
#[test]
fn principals_are_answered_from_what_is_on_the_host() {
    let house = House::sample();
    let mint = house.mint();
    let (address, shown) = liar();
    let pins = pins_at(&house, address);
    let told = Told::new("db-1", &pins);
    let answer = |account: &str, id: &str, serial: &str| {
        let mut asked = verb(told.dir.path(), &["principals", "--config"]);
        run(asked.arg(told.config()).args([account, id, serial])).out
    };
    assert_eq!(answer("root", "bg:req-1:sam", "8"), "", "there is no list yet");
    let list = mint.krl(&[7], 10, house.now()).unwrap();
    *shown.lock().unwrap() = (list.krl, list.signature);
    let agent = told.run();
    until("the list is in place", SOON, || told.path("lists/reached").exists().then_some(()));
    drop(agent);
    assert_eq!(answer("root", "bg:req-1:sam", "8"), "bg-root\n");
    assert_eq!(answer("root", "bg:req-1:sam", "7"), "", "revoked");
    assert_eq!(answer("nobody", "bg:req-1:sam", "8"), "");
    assert_eq!(answer("root", "somebody", "8"), "", "not one of the broker's");
    for serial in ["0", "+8", "8 ", "", "99999999999999999999"] {
        assert_eq!(answer("root", "bg:req-1:sam", serial), "", "{serial:?}");
    }
    told.write(&pins, "refuse-after = 3600");
    assert_eq!(answer("root", "bg:req-1:sam", "8"), "bg-root\n");
    std::fs::write(told.path("lists/reached"), "1000\n").unwrap();
    assert_eq!(answer("root", "bg:req-1:sam", "8"), "", "alone for too long");
    std::fs::write(told.list(), "").unwrap();
    told.write(&pins, "");
    assert_eq!(answer("root", "bg:req-1:sam", "8"), "", "an emptied list opens nothing");
}

/// What `install` writes is what sshd and systemd take.
#[test]
fn what_install_writes_sshd_and_systemd_accept() {
    let house = House::sample();
    let (address, _) = liar();
    let pins = pins_at(&house, address);
    let told = Told::new("db-1", &pins);
    for more in [&[][..], &["--static-principals"]] {
        let root = tempfile::tempdir().unwrap();
        let mut install = verb(told.dir.path(), &["install", "--write", "--config"]);
        install.arg(told.config()).args(more).arg("--root").arg(root.path());
        let installed = run(&mut install);
        assert_eq!(installed.code, Some(0), "{installed:?}");
        let drop_in = root.path().join("etc/ssh/sshd_config.d/60-breakglass.conf");
        let text = std::fs::read_to_string(&drop_in).unwrap();
        for word in
            ["TrustedUserCAKeys", "RevokedKeys", "AuthorizedPrincipals", "ExposeAuthInfo yes"]
        {
            assert!(text.contains(word), "{word}: {text}");
        }
        let key = root.path().join("host_key");
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(&key)
            .status();
        assert!(made.unwrap().success());
        std::fs::write(&drop_in, format!("{text}HostKey {}\n", key.display())).unwrap();
        make_privilege_separation_directory();
        let checked = run(Command::new("/usr/sbin/sshd").arg("-tf").arg(&drop_in));
        assert_eq!(checked.code, Some(0), "{checked:?}");
        let unit = root.path().join("etc/systemd/system/breakglass-host.service");
        let verified = run(Command::new("systemd-analyze").arg("verify").arg(&unit));
        let said = format!("{}{}", verified.out, verified.err);
        assert!(!said.contains("breakglass-host.service"), "{said}");
    }
}
