//! From the statement that ends a grant to its being refused: by `sshd`, PostgreSQL and nginx, and by
//! the lists in place on 1, 10 and 100 hosts, each with an agent of its own.
//!
//! Daemon, client, agents and servers are the real programs (`cargo build --release --bins` makes
//! them). The clock starts before the client does, and stops when the first attempt that is refused
//! has ended, so both are in the figures.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use breakglass_integration_tests::agent::{HostAgent, Pins, Told};
use breakglass_integration_tests::dev::Dev;
use breakglass_integration_tests::hosts::enrolled;
use breakglass_integration_tests::nginx::Nginx;
use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::postgres::Postgres;
use breakglass_integration_tests::record::rows;
use breakglass_integration_tests::sshd::{Lets, Sshd};
use breakglass_integration_tests::tls_site::Shown;
use breakglass_integration_tests::wait::{SOON, until};
use breakglass_ledger::entry::{Body, Entry};
use rusqlite::{Connection, OpenFlags};

use crate::Extent;
use crate::measure::{median, percentile, seconds};
use crate::parts::{ENTRY_BYTES, scratch};
use crate::report::{Aim, Figure, Report};
use crate::rows::cost;

const SECTION: &str = "landing";

/// What the design asks for at the 99th of a hundred.
const AIM_SECONDS: f64 = 0.25;

/// Between two looks at the lists of all hosts.
const LOOK: Duration = Duration::from_millis(1);

/// The servers, each asked in its own rounds, so that none is in another's way.
const SERVERS: [&str; 3] = ["sshd", "PostgreSQL", "nginx"];

/// Not the hybrid with NTRU Prime, on which an attempt of `ssh` spends most of its time.
const KEY_EXCHANGE: &str = "KexAlgorithms=curve25519-sha256";

/// With so many hosts it is measured.
const HOSTS: [usize; 3] = [1, 10, 100];

/// Besides the list for `sshd` on each host: PostgreSQL and nginx on the first.
const MORE_TARGETS: usize = 2;

/// The broker, the servers of one host, and its agent.
struct Stage {
    dev: Dev,
    ledger: Connection,
    pins: Pins,
    sshd: Sshd,
    postgres: Postgres,
    nginx: Nginx,
    hosts: Vec<Host>,
}

/// A host that follows the list.
struct Host {
    told: Told,
    _agent: HostAgent,
}

/// Seconds from the start of the client that drops a grant.
struct Taken {
    /// Until the server has refused it.
    refused: f64,
    /// Until each host had the list.
    placed: Vec<f64>,
    /// Until the report of every target was in the ledger.
    reported: f64,
}

/// What one grant gave.
struct Held {
    id: String,
    ssh_key: PathBuf,
    shown: Shown,
}

pub(crate) fn measure(extent: Extent, report: &mut Report) {
    let rounds = if extent == Extent::Quick { 2 } else { 34 };
    let floor = floor();
    report.part(SECTION, "one raw commit, one fsync and rename", Figure::Time(floor));
    let (mut stage, mut number) = (Stage::open(), 0);
    for hosts in HOSTS {
        stage.fill(hosts);
        let mut refused: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let (mut placed, mut reported) = (Vec::new(), Vec::new());
        for round in 0..rounds * SERVERS.len() {
            let server = SERVERS[round % SERVERS.len()];
            number += 1;
            let taken = stage.round(server, number);
            refused.entry(server).or_default().push(taken.refused);
            placed.extend(taken.placed);
            reported.push(taken.reported);
        }
        tell(report, &format!("{hosts} agents: list in place"), &mut placed, floor);
        for (server, mut taken) in refused {
            tell(report, &format!("{hosts} agents: refused by {server}"), &mut taken, floor);
        }
        for (name, percent) in [("p50", 50), ("max", 100)] {
            let name = format!("{hosts} agents: all reports in, {name}");
            report.part(SECTION, name, Figure::Time(percentile(&mut reported, percent)));
        }
    }
}

fn tell(report: &mut Report, what: &str, taken: &mut [f64], floor: f64) {
    let limit = ("commit, fsync, rename", Figure::Time(floor));
    report.held(SECTION, format!("{what}, p50"), Figure::Time(percentile(taken, 50)), limit, None);
    report.part(SECTION, format!("{what}, p90"), Figure::Time(percentile(taken, 90)));
    let (p99, aim) = (Figure::Time(percentile(taken, 99)), Some(Aim::AtMost(1.0)));
    report.held(SECTION, format!("{what}, p99"), p99, ("250 ms", Figure::Time(AIM_SECONDS)), aim);
    report.part(SECTION, format!("{what}, max"), Figure::Time(percentile(taken, 100)));
}

/// One commit of a row in a bare database, and one file replaced as the agent does it.
fn floor() -> f64 {
    let dir = tempfile::tempdir_in(scratch()).expect("a directory");
    let replace = || {
        let (beside, path) = (dir.path().join("list.tmp"), dir.path().join("list"));
        fs::write(&beside, [7; 512]).expect("written");
        fs::File::open(&beside).and_then(|file| file.sync_all()).expect("durable");
        fs::rename(&beside, &path).expect("replaced");
    };
    let mut taken: Vec<f64> = (0..200).map(|_| seconds(replace).0).collect();
    cost(&scratch(), 1, ENTRY_BYTES, 0.5).commit + median(&mut taken)
}

impl Stage {
    fn open() -> Self {
        let dev = Dev::start();
        enrol(&dev);
        let text = |path: &str| String::from_utf8(dev.page(path)).expect("text");
        let (ca, list) = (text("/v1/x509/ca.pem"), text("/v1/x509/crl.pem"));
        let (postgres, nginx) = (Postgres::start(&ca, &list), Nginx::start(&ca, &list));
        let pins = pins(&dev);
        let told = Told::new("host-0", &pins);
        told.write(&pins, &targets(&dev, &postgres, &nginx));
        let first = Host { _agent: told.run(), told };
        until("the first list is in place", SOON, || first.told.list().exists().then_some(()));
        let sshd = Sshd::start(&Lets {
            authorities: vec![text("/v1/ssh/ca.pub").trim().to_owned()],
            revoked: Some(first.told.list()),
            principals: vec!["bg-orders".to_owned()],
        });
        let (ledger, flags) = ("broker/state/ledger/ledger.db", OpenFlags::SQLITE_OPEN_READ_ONLY);
        let ledger = Connection::open_with_flags(dev.path(ledger), flags).expect("a database");
        Self { dev, ledger, pins, sshd, postgres, nginx, hosts: vec![first] }
    }

    /// More hosts, until there are so many, each with a list in place.
    fn fill(&mut self, count: usize) {
        for number in self.hosts.len()..count {
            let told = Told::new(&format!("host-{number}"), &self.pins);
            self.hosts.push(Host { _agent: told.run(), told });
        }
        for host in &self.hosts {
            until("a list is in place", SOON, || host.told.list().exists().then_some(()));
        }
        self.reported(0);
    }

    /// A grant is taken back: how long until `server` refuses it, each host has the list, and says so.
    fn round(&self, server: &str, number: usize) -> Taken {
        let held = self.grant(number);
        until("it opens the server", SOON, || (!self.refuses(server, &held)).then_some(()));
        let before: Vec<u64> = self.hosts.iter().map(Host::inode).collect();
        let size = self.size();
        let mut drop = self.dev.client("sam", &["drop", &held.id]);
        let begun = Instant::now();
        let mut dropping = drop.stdout(std::process::Stdio::null()).spawn().expect("starts");
        let hosts = &self.hosts;
        let (refused, placed) = std::thread::scope(|scope| {
            let placed = scope.spawn(|| placed(hosts, &before, begun));
            while !self.refuses(server, &held) {
                assert!(begun.elapsed() < SOON, "{server} goes on letting in");
            }
            (begun.elapsed().as_secs_f64(), placed.join().expect("looked"))
        });
        assert!(dropping.wait().expect("ended").success(), "the grant was given back");
        self.reported(size);
        Taken { refused, placed, reported: begun.elapsed().as_secs_f64() }
    }

    /// How many entries there are.
    fn size(&self) -> i64 {
        self.ledger.query_row("SELECT max(seq) + 1 FROM entry", (), |row| row.get(0)).expect("seq")
    }

    /// Waits until every target has reported a list that was made when there were more entries.
    fn reported(&self, size: i64) {
        let count =
            "SELECT count(DISTINCT list || target) FROM landing WHERE seq >= ?1 AND version > ?1";
        let all = self.hosts.len() + MORE_TARGETS;
        until("all have reported", SOON, || {
            let known = self.ledger.query_row(count, [size], |row| row.get::<_, usize>(0));
            (known.expect("a number") >= all).then_some(())
        });
    }

    fn grant(&self, number: usize) -> Held {
        let (dev, name) = (&self.dev, format!("grant {number}"));
        let words = ["--incident", "INC-1", "--reason", "locks", "--ttl", "15m"];
        let asked = [&["request", "orders-db", "--kind", "ssh,x509"][..], &words].concat();
        let id = dev.done("sam", &asked);
        dev.done("ada", &["approve", &id, "--yes"]);
        dev.done("sam", &["collect", &id, "--out", &name]);
        // The client removes what it collected when the grant is dropped.
        let kept = dev.path(&format!("copy of {name}"));
        copy(&dev.path(&name), &kept);
        Held { id, ssh_key: kept.join("id"), shown: Shown::collected(&kept) }
    }

    fn refuses(&self, server: &str, held: &Held) -> bool {
        match server {
            "sshd" => !self.sshd.log_in_with(&held.ssh_key, &[KEY_EXCHANGE], "true").is_in(),
            "nginx" => self.nginx.ask(&held.shown).contains("400 Bad Request"),
            _ => self.postgres.said(&held.shown, "select 1").contains("certificate revoked"),
        }
    }
}

impl Host {
    fn inode(&self) -> u64 {
        fs::metadata(self.told.list()).map_or(0, |file| file.ino())
    }
}

/// Seconds until each host had another list than `before`.
fn placed(hosts: &[Host], before: &[u64], begun: Instant) -> Vec<f64> {
    let mut open: Vec<_> = hosts.iter().zip(before).collect();
    let mut placed = Vec::new();
    while !open.is_empty() {
        assert!(begun.elapsed() < SOON, "{} hosts have no new list", open.len());
        open.retain(|(host, before)| host.inode() == **before);
        placed.resize(hosts.len() - open.len(), begun.elapsed().as_secs_f64());
        std::thread::park_timeout(LOOK);
    }
    placed
}

/// The policy names each host that will be there.
fn enrol(dev: &Dev) {
    let file = dev.path("broker/policy/people.toml");
    let mut people = fs::read_to_string(&file).expect("a policy");
    let most = HOSTS.into_iter().max().unwrap_or_default();
    let hosts = (0..most).map(|number| format!("host-{number}"));
    people.extend(hosts.map(|host| enrolled(&host, &Person::named(&host).key().to_openssh())));
    fs::write(&file, people).expect("written");
    dev.done("pia", &["policy", "sign", "broker/policy", "--yes"]);
    dev.done("pia", &["policy", "push", "broker/policy", "--yes"]);
}

fn pins(dev: &Dev) -> Pins {
    let daemon = dev.daemon.as_ref().expect("runs");
    let state = dev.path("broker/state");
    let first = rows(&state.join("ledger")).into_iter().next().expect("an entry");
    let Body::Genesis(genesis) = Entry::parse(&first).expect("an entry").body else {
        unreachable!("a ledger begins with its genesis")
    };
    let checkpoint = String::from_utf8(dev.page("/v1/checkpoint")).expect("text");
    Pins {
        rpc: daemon.rpc,
        web: daemon.web,
        log: checkpoint.lines().next().expect("an origin").to_owned(),
        log_key: genesis.log_key,
        tls_ca: state.join("keys").join("tls-ca.crt"),
        ssh_ca: genesis.ssh_ca,
        lists_key: genesis.lists_key,
    }
}

/// The servers of the first host, as its agent is told.
fn targets(dev: &Dev, postgres: &Postgres, nginx: &Nginx) -> String {
    let at = nginx.site.path("").display().to_string();
    let at = at.trim_end_matches('/');
    format!(
        "x509-ca = \"{}\"\n[[target]]\nkind = \"sshd\"\n\
         [[target]]\nkind = \"postgresql\"\nssl-crl-dir = \"{}\"\n\
         [[target]]\nkind = \"nginx\"\ncrl = \"{at}/crl.pem\"\npid-file = \"{at}/nginx.pid\"\n\
         test = [\"/usr/sbin/nginx\", \"-t\", \"-p\", \"{at}/\", \"-c\", \"nginx.conf\", \"-e\", \"error.log\"]\n",
        dev.path("broker/state/x509-ca.pem").display(),
        postgres.site.path("crls").display(),
    )
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a directory");
    for file in fs::read_dir(from).expect("a directory").flatten() {
        // With its mode, which `ssh` looks at.
        fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
}
