//! The daemon is killed at any moment and started again: nothing that was acknowledged is lost,
//! nothing was handed out that is not written down, and what came due meanwhile is met.

#![expect(clippy::arithmetic_side_effects, reason = "the sums of a test are small")]

mod chronicle;
mod dice;
mod known;
mod load;

use std::sync::Arc;
use std::time::{Duration, Instant};

use breakglass_broker::krl;
use breakglass_ledger::policy::{Files, sample};
use breakglass_ledger::tree::verify_consistency;

use breakglass_integration_tests::daemon::{Daemon, breakglassd};
use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::record::{Exported, rows};
use breakglass_integration_tests::site::{NAME, ROOMY, Site};
use breakglass_integration_tests::wait::{SOON, until};
use breakglass_integration_tests::wire::{Wire, now};

use self::chronicle::Chronicle;
use self::dice::Dice;
use self::known::Known;
use self::load::{Life, Pusher, Worker};

/// Kills of a daemon at work.
const KILLS: usize = 200;

/// Kills between two verifications of everything.
const EVERY: usize = 20;

/// One in so many kills comes while the daemon is still starting.
const EARLY: u64 = 8;

/// What must have come about, each more than [`FEW`] times, or little was put to the test.
const REACHED: [&str; 7] =
    ["issued", "revoked", "lapsed", "denied", "refused", "withdrawn", "policy"];
const FEW: usize = 5;

/// A busy machine gets less done in each life: then there are more of them, at most this many times
/// as many.
const PATIENCE: usize = 4;

/// Longest wait for anything.
const LONGEST: Duration = Duration::from_secs(120);

/// Those who ask, each worker for itself.
const WORKERS: usize = 6;
const REQUESTERS: usize = 8;

/// Kill -9 in a loop under load. The seed of a failing run is in its output; set `BREAKGLASS_SEED`
/// to repeat its choices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_killed_at_any_moment_loses_nothing_it_acknowledged() {
    let mut dice = Dice::seeded();
    let mut trial = Trial::new();
    let mut workers: Vec<Worker> =
        (0..WORKERS).map(|number| Worker::new(number, REQUESTERS, dice.fork())).collect();
    let mut pusher = Pusher::new(trial.site.files.clone(), dice.fork());
    let mut kill = 0;
    while kill < KILLS || (!trial.has_reached_all() && kill < PATIENCE * KILLS) {
        kill += 1;
        if dice.under(EARLY) == 0 {
            within("a daemon killed while it starts", trial.kill_early(&mut dice)).await;
        }
        let life = within("a daemon that starts again", trial.begin(kill)).await;
        let all = workers.drain(..).map(|worker| tokio::spawn(worker.live(Arc::clone(&life))));
        let all: Vec<_> = all.collect();
        let policies = tokio::spawn(pusher.live(Arc::clone(&life)));
        tokio::time::sleep(Duration::from_millis(5 + dice.under(116))).await;
        within("an answer of the daemon", life.heard(dice.under(4))).await;
        trial.end(&life);
        for worker in all {
            workers.push(within("a worker after the kill", worker).await.expect("a worker"));
        }
        pusher = within("the pusher after the kill", policies).await.expect("the pusher");
        if kill % EVERY == 0 {
            Exported::at_rest(&trial.site).assert_sound(&trial.trust());
        }
    }
    within("the last daemon", trial.begin(kill)).await;
    within("the ledger over the wire", trial.verify_over_the_wire()).await;
    let daemon = trial.daemon.take().expect("started");
    assert_eq!(daemon.stop().code, Some(0));
    let check = trial.site.check();
    assert_eq!(check.code, Some(0), "{check:?}");
    trial.tell(kill);
}

/// What comes of `doing`, which takes seconds at most on a machine that is busy otherwise.
async fn within<T>(what: &str, doing: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(LONGEST, doing).await;
    done.unwrap_or_else(|_| panic!("waited {LONGEST:?} for {what}"))
}

/// One deployment, what was learned about its ledger from outside, and what its database says.
struct Trial {
    site: Site,
    known: Arc<std::sync::Mutex<Known>>,
    chronicle: Chronicle,
    daemon: Option<Daemon>,
    begun: Instant,
}

impl Trial {
    fn new() -> Self {
        let requesters: Vec<String> = (0..WORKERS)
            .flat_map(|worker| (0..REQUESTERS).map(move |number| load::name(worker, number)))
            .collect();
        let mut people = vec!["pia", "sam", "ada", "bob", "eve"];
        people.extend(requesters.iter().map(String::as_str));
        let people: Vec<Person> = people.into_iter().map(Person::named).collect();
        let listed: Vec<_> = people.iter().map(|one| (one.name.as_str(), one.key())).collect();
        let site = Site::under(impatient(sample(&listed)));
        let known = Known::new(site.trust());
        let chronicle = Chronicle::of(&site.ledger());
        let known = Arc::new(std::sync::Mutex::new(known));
        Self { site, known, chronicle, daemon: None, begun: Instant::now() }
    }

    /// Starts the daemon, and checks everything that must hold after a kill.
    async fn begin(&mut self, kill: usize) -> Arc<Life> {
        let before = now();
        let daemon = self.site.serve_with(ROOMY, &[]).unwrap_or_else(|ended| {
            panic!("life {kill} does not start: {ended:?}");
        });
        let wire = Wire::to(&self.site, &daemon).await;
        self.daemon = Some(daemon);
        self.chronicle.read();
        self.known.lock().unwrap().assert_kept(&self.chronicle);
        self.extends(&wire).await;
        // It is swept before anything else; the rest is this machine's slowness.
        until("everything overdue is ended", SOON, || {
            self.chronicle.read();
            self.chronicle.overdue(before).is_empty().then_some(())
        });
        self.lists_are_out();
        let (known, said) = (Arc::clone(&self.known), self.chronicle.said.clone());
        Arc::new(Life::new(wire, known, said, self.chronicle.policy))
    }

    /// The checkpoint that the daemon gives out extends the newest that anybody has seen.
    async fn extends(&self, wire: &Wire) {
        let (size, root) = self.known.lock().unwrap().newest();
        let answer = wire.checkpoint(size).await.expect("a checkpoint");
        let newest = self.known.lock().unwrap().noted(&answer.checkpoint);
        let proof: Vec<_> =
            answer.proof.iter().map(|hash| load::digest(hash).expect("a hash")).collect();
        let extends = size == 0 || verify_consistency(size, newest.0, &root, &newest.1, &proof);
        assert!(extends, "size {} does not extend {size}, which was seen", newest.0);
    }

    /// The list that hosts read comes to revoke every credential that the ledger says is revoked.
    fn lists_are_out(&self) {
        let lists = self.site.state().join("lists").join("current").join("krl");
        until("the published list revokes what is revoked", SOON, || {
            let list = std::fs::read(&lists).expect("a list is in place at any moment");
            let list = krl::read(&list, self.chronicle.ssh_ca.wire()).expect("whole at any moment");
            self.chronicle.revoked.iter().all(|serial| list.revokes(*serial)).then_some(())
        });
    }

    /// `SIGKILL`, while the workers are at it.
    fn end(&mut self, life: &Life) {
        life.is_over();
        drop(self.daemon.take().expect("started").kill());
    }

    /// A start that is killed before, or just when, it is done.
    async fn kill_early(&mut self, dice: &mut Dice) {
        let config = self.site.config(ROOMY);
        let mut command = breakglassd();
        command.arg("serve").arg("--config").arg(config);
        let mut child = tokio::process::Command::from(command)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("a daemon");
        tokio::time::sleep(Duration::from_millis(dice.under(80))).await;
        child.kill().await.expect("killed");
    }

    async fn verify_over_the_wire(&mut self) {
        let daemon = self.daemon.as_ref().expect("started");
        let wire = Wire::to(&self.site, daemon).await;
        let export = Exported::over(&wire, &Person::named("sam")).await;
        export.assert_sound(&self.trust());
        let stored = rows(&self.site.ledger());
        assert_eq!(export.entries, stored[..export.entries.len()]);
    }

    /// What a reviewer trusts who has seen every checkpoint that anybody has seen lately.
    fn trust(&self) -> breakglass_ledger::audit::TrustFile {
        self.known.lock().unwrap().trust()
    }

    fn tell(&self, kills: usize) {
        let known = self.known.lock().unwrap();
        let all = self.chronicle.types();
        eprintln!("{kills} kills in {:?}, {known:?}: {all:?}", self.begun.elapsed());
        assert!(self.has_reached_all(), "too few of {REACHED:?}: {all:?}");
    }

    fn has_reached_all(&self) -> bool {
        let all = self.chronicle.types();
        REACHED.iter().all(|reached| all.get(reached).is_some_and(|many| *many > FEW))
    }
}

/// Requests lapse within seconds, and many may be alive.
fn impatient(mut files: Files) -> Files {
    let scopes = String::from_utf8(files.scopes).expect("text");
    let scopes = scopes.replace("pending-max = \"15m\"", "pending-max = \"4s\"");
    let scopes = scopes.replace("pending-max = \"10m\"", "pending-max = \"3s\"");
    files.scopes = scopes.replace("live-max = 10\n", "live-max = 1000\n").into_bytes();
    files
}

/// `init` is killed at any moment, in both of its runs; after it, `init` ends with a good ledger
/// under one identity.
#[tokio::test]
async fn init_killed_at_any_moment_is_finished_by_init() {
    let mut dice = Dice::seeded();
    for number in 0..30 {
        let site = Site::planned(&["pia", "sam", "ada", "bob", "eve"]);
        let mut keys = None;
        for _ in 0..dice.under(3) {
            kill_init(&site, &mut dice).await;
            same_keys(&site, &mut keys);
        }
        let first = site.init();
        assert_eq!(first.code, Some(3), "{number}: {first:?}");
        same_keys(&site, &mut keys);
        site.sign();
        for _ in 0..1 + dice.under(3) {
            kill_init(&site, &mut dice).await;
            same_keys(&site, &mut keys);
        }
        let last = site.init();
        let is_there = "there is a ledger in";
        let founded = last.code == Some(1) && last.err.contains(is_there);
        assert!(founded || last.code == Some(0), "{number}: {last:?}");
        same_keys(&site, &mut keys);
        assert!(site.state().join("client.toml").is_file(), "{number}: {last:?}");
        assert_eq!(site.origin().deployment(), NAME);
        let export = Exported::at_rest(&site);
        export.assert_sound(&site.trust());
        assert_eq!(export.entries.len(), 2, "{number}");
        assert!(!site.state().join("ledger.new").exists() || founded, "{number}");
        assert_eq!(site.serve().stop().code, Some(0));
    }
}

async fn kill_init(site: &Site, dice: &mut Dice) {
    let mut child = tokio::process::Command::from(site.initialising())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("init");
    tokio::time::sleep(Duration::from_millis(dice.under(60))).await;
    child.kill().await.expect("killed");
}

/// Keys that are in place once are in place for ever.
fn same_keys(site: &Site, keys: &mut Option<Vec<Vec<u8>>>) {
    let read = |name: &str| std::fs::read(site.state().join("keys").join(name)).ok();
    let now: Option<Vec<_>> = ["log", "ssh-ca", "lists", "tls-ca"].into_iter().map(read).collect();
    if let Some(before) = keys.as_ref() {
        assert_eq!(Some(before), now.as_ref(), "a second identity");
    } else {
        let is_there = site.state().join("keys").exists();
        assert_eq!(is_there, now.is_some(), "half an identity");
        *keys = now;
    }
}

/// Killed after the ledger was put in place and before the papers were written: they are still to
/// be had, and are those of this ledger.
#[test]
fn init_writes_the_papers_that_a_crash_left_unwritten() {
    let site = Site::sample();
    let paper = |name: &str| site.state().join(name);
    let before = ["trust.toml", "client.toml"].map(|name| std::fs::read(paper(name)).unwrap());
    for missing in ["trust.toml", "client.toml"] {
        std::fs::remove_file(paper(missing)).unwrap();
        let again = site.init();
        assert_eq!(again.code, Some(0), "{again:?}");
        let after = ["trust.toml", "client.toml"].map(|name| std::fs::read(paper(name)).unwrap());
        assert_eq!(after, before);
    }
    let whole = site.init();
    assert_eq!(whole.code, Some(1));
    assert!(whole.err.contains("there is a ledger in"), "{whole:?}");
}
