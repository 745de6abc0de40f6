//! What size does to it: start, append, memory and disk with a thousand to ten million entries.

use std::path::Path;
use std::process::Command;

use breakglass_broker::mint::Mint;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::cast::{House, Ink, Scene};
use crate::child::{self, Role, Server};
use crate::filling::{self, Stage};
use crate::load::{self, Messages, Ran};
use crate::measure::{median, percentile, seconds};
use crate::parts::{ENTRY_BYTES, scratch};
use crate::report::{Aim, Figure, Report};
use crate::{Extent, rows};

const SECTION: &str = "growth";

/// Starts measured for each figure.
const STARTS: u64 = 7;

/// Entries whose size is looked at.
const SAMPLE: u64 = 997;

/// Crashes, each followed by a start.
const CRASHES: u64 = 3;

/// Seconds of the past that a million entries need at most.
const PAST_PER_MILLION: u64 = 6 * 3600;

/// What was found with one size of ledger.
struct Found {
    start: f64,
    after_crash: f64,
    append: f64,
    append_cpu: f64,
    memory_idle: f64,
    memory_used: f64,
}

pub(crate) fn measure(extent: Extent, report: &mut Report) {
    let sizes: &[u64] = match extent {
        Extent::Quick => &[1_000, 30_000],
        Extent::Usual => &[1_000, 100_000, 1_000_000],
        Extent::Full => &[1_000, 100_000, 1_000_000, 10_000_000],
    };
    let largest = *sizes.iter().max().expect("some");
    let mut stage = Stage::new(House::Team, PAST_PER_MILLION * largest.div_ceil(1_000_000));
    let (ca, floor) = (stage.ca(), floor(&stage, report));
    let mut first: Option<Found> = None;
    for size in sizes {
        let (taken, ()) = seconds(|| stage.fill(*size, Ink::Old));
        eprintln!("  filled to {size} in {taken:.1} s");
        stage.house.stop();
        // Measuring writes at the present, so it is done to a copy and the ledger that grows on
        // stays in the past.
        let copy = (*size < largest).then(|| copy(&stage.state()));
        let state = copy.as_ref().map_or_else(|| stage.state(), |copy| copy.path().to_owned());
        disk(*size, &state, report);
        let found = Look { state: &state, ca: &ca, stage: &mut stage }.all();
        tell(*size, &found, first.as_ref(), &floor, report);
        first = first.or(Some(found));
        if *size < largest {
            stage.house.start();
        }
    }
}

/// A server with nothing behind it, and a raw commit: start, and memory.
struct Floor {
    start: f64,
    memory: f64,
    commit: f64,
    commit_cpu: f64,
}

fn floor(stage: &Stage, report: &mut Report) -> Floor {
    let (state, ca) = (stage.state(), stage.ca());
    let runtime = Runtime::new().expect("a runtime");
    let message = vec![stage.cast.emergency(&stage.scene(), 0, 60, Ink::Fresh)[0].message()];
    let mut memory = 0.0;
    let mut starts: Vec<f64> = (0..STARTS)
        .map(|_| {
            let (start, server) = start(Role::Echo, &state, &ca, &runtime, message.clone());
            memory = server.memory();
            start
        })
        .collect();
    let commit = rows::cost(&scratch(), 1, ENTRY_BYTES, 0.5);
    let start = median(&mut starts) + commit.commit;
    report.part(
        SECTION,
        "start to first answer of an echo, and one raw commit",
        Figure::Time(start),
    );
    report.part(SECTION, "memory of that echo", Figure::Bytes(memory));
    Floor { start, memory, commit: commit.commit, commit_cpu: commit.cpu }
}

/// Starts a server and sends it `message`: seconds until the answer, and the server.
fn start(
    role: Role,
    state: &Path,
    ca: &str,
    runtime: &Runtime,
    message: Messages,
) -> (f64, Server) {
    seconds(|| {
        let server = Server::start(role, state);
        runtime.block_on(async {
            let mut line = load::connect(server.port, ca).await;
            for message in message {
                line.submit(message).await.expect("an answer");
            }
        });
        server
    })
}

/// One state directory, looked at.
struct Look<'a> {
    state: &'a Path,
    ca: &'a str,
    stage: &'a mut Stage,
}

impl Look<'_> {
    fn all(&mut self) -> Found {
        let runtime = Runtime::new().expect("a runtime");
        let (mut collects, scene) = self.approved(STARTS + CRASHES);
        let mut starts: Vec<f64> = (1..STARTS)
            .map(|_| start(Role::Broker, self.state, self.ca, &runtime, self.next(&mut collects)).0)
            .collect();
        let message = self.next(&mut collects);
        let (last, mut server) = start(Role::Broker, self.state, self.ca, &runtime, message);
        starts.push(last);
        let memory_idle = server.memory();
        let alone = self.run(&runtime, &server, &scene, 60, 1);
        let begun = server.cpu();
        let ran = self.run(&runtime, &server, &scene, 1500, 16);
        let append_cpu = (server.cpu() - begun) / ran.calls as f64;
        let memory_used = server.memory();
        let mut crashes = Vec::new();
        for _ in 0..CRASHES {
            self.run(&runtime, &server, &scene, 100, 16);
            server.kill();
            let message = self.next(&mut collects);
            let (taken, next) = start(Role::Broker, self.state, self.ca, &runtime, message);
            crashes.push(taken);
            server = next;
        }
        let mut latencies = alone.latencies;
        Found {
            start: median(&mut starts),
            after_crash: median(&mut crashes),
            append: percentile(&mut latencies, 50),
            append_cpu,
            memory_idle,
            memory_used,
        }
    }

    /// Requests that only wait to be collected, made at the present.
    fn approved(&mut self, count: u64) -> (Vec<Messages>, Scene) {
        let desk = child::open(self.state, Mint::open(self.state, "test").expect("keys"));
        let collects = filling::approve(&desk, &self.stage.cast, count);
        (collects, Scene::of(&desk))
    }

    fn next(&self, collects: &mut Vec<Messages>) -> Messages {
        collects.pop().expect("one for each start")
    }

    fn run(
        &mut self,
        runtime: &Runtime,
        server: &Server,
        scene: &Scene,
        count: u64,
        in_flight: usize,
    ) -> Ran {
        let seen = runtime
            .block_on(async { load::seen(&mut load::connect(server.port, self.ca).await).await });
        let messages = self.stage.messages(scene, seen, count);
        runtime.block_on(load::run(server.port, self.ca, messages, in_flight))
    }
}

fn tell(size: u64, found: &Found, first: Option<&Found>, floor: &Floor, report: &mut Report) {
    let name = format!("{size} entries");
    let figure = Figure::Time(found.start);
    let limit = ("echo and raw commit", Figure::Time(floor.start));
    let what = format!("{name}: start to first durable credential");
    report.held(SECTION, what.clone(), figure, limit, None);
    report.held(
        SECTION,
        what.clone(),
        figure,
        ("25 ms", Figure::Time(0.025)),
        Some(Aim::AtMost(1.0)),
    );
    let crash = Figure::Time(found.after_crash);
    let aim = Some(Aim::AtMost(1.3));
    report.held(SECTION, format!("{what}, after a crash"), crash, ("without", figure), aim);
    let append = Figure::Time(found.append);
    let limit = ("raw commit", Figure::Time(floor.commit));
    report.held(SECTION, format!("{name}: one act alone, p50"), append, limit, None);
    let cpu = Figure::Time(found.append_cpu);
    let limit = ("raw commit's CPU", Figure::Time(floor.commit_cpu));
    report.held(SECTION, format!("{name}: server CPU per act, 16 in flight"), cpu, limit, None);
    let idle = Figure::Bytes(found.memory_idle);
    let limit = ("echo's", Figure::Bytes(floor.memory));
    report.held(
        SECTION,
        format!("{name}: memory after the first act"),
        idle,
        limit,
        Some(Aim::AtMost(1.5)),
    );
    let used = Figure::Bytes(found.memory_used);
    report.held(
        SECTION,
        format!("{name}: memory after 6,000 more"),
        used,
        ("after the first", idle),
        None,
    );
    let Some(first) = first else { return };
    let smallest = "with the smallest ledger";
    let limit = (smallest, Figure::Time(first.start));
    report.held(SECTION, what, figure, limit, Some(Aim::AtMost(1.1)));
    let limit = (smallest, Figure::Time(first.append_cpu));
    let what = format!("{name}: server CPU per act, 16 in flight");
    report.held(SECTION, what, cpu, limit, Some(Aim::AtMost(1.1)));
    let limit = (smallest, Figure::Bytes(first.memory_idle));
    let what = format!("{name}: memory after the first act");
    report.held(SECTION, what, idle, limit, Some(Aim::AtMost(1.1)));
}

/// Bytes on disk beside the entries themselves and a hash for each.
fn disk(size: u64, state: &Path, report: &mut Report) {
    let length = |name| std::fs::metadata(state.join("ledger").join(name)).map_or(0, |of| of.len());
    let database = length("ledger.db") + length("ledger.db-wal");
    let desk = child::open(state, Mint::open(state, "test").expect("keys"));
    let reader = desk.reader().expect("a snapshot");
    // Spread over all of it: entries of one kind stand together.
    let sample = (0..SAMPLE).map(|place| reader.entry(place * (size / SAMPLE)).expect("reads"));
    let bytes: usize = sample.map(|entry| entry.expect("is there").bytes.len()).sum();
    let mean = bytes as f64 / SAMPLE as f64;
    let least = (mean + 32.0) * size as f64;
    let limit = ("entries and a hash each", Figure::Bytes(least));
    let what = format!("{size} entries: size of the database");
    report.held(SECTION, what, Figure::Bytes(database as f64), limit, Some(Aim::AtMost(1.1)));
}

pub(crate) fn copy(state: &Path) -> TempDir {
    let to = tempfile::tempdir_in(scratch()).expect("a directory");
    let done = Command::new("cp").arg("-a").arg(state.join(".")).arg(to.path()).status();
    assert!(done.expect("cp runs").success(), "copying {}", state.display());
    to
}
