//! Many credentials that come due in one second, at a real daemon that goes on minting meanwhile.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use breakglass_broker::clock::{Clock as _, SystemClock};
use breakglass_broker::config::Layout;
use breakglass_broker::house;
use breakglass_broker::krl;
use breakglass_broker::mint::{Custody, Mint};
use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::time::Timestamp;
use tokio::runtime::Runtime;

use crate::Extent;
use crate::cast::{House, Ink};
use crate::child::{self, Role, Server};
use crate::filling::Stage;
use crate::load::{self, Messages};
use crate::measure::{percentile, seconds};
use crate::report::{Aim, Figure, Report};

const SECTION: &str = "due";

/// How long ago the ledger began, in seconds: what comes due lives that long, and the time until then.
const AGO: u64 = 1800;

/// Life of what does not come due, in seconds: it outlives the measurement.
const LONG: u32 = 3600;

/// Seconds of minting before anything comes due.
const IDLE: u64 = 15;

/// Seconds of minting after that.
const AFTER: u64 = 10;

/// Who mints, one act after the other, with a rest after each: some hundred credentials a second.
const MINTING: usize = 4;
const REST: Duration = Duration::from_millis(5);

/// Credentials that they mint in a second at most: each is four acts with four rests.
const MINTED_MOST: u64 = 1000 * MINTING as u64 / (4 * 5);

/// How late the last one may be revoked, in seconds.
const LATE: f64 = 2.0;

/// When something happened, and how long it took, in seconds; times are of the machine's clock.
type Minted = (f64, f64);

pub(crate) fn measure(extent: Extent, report: &mut Report) {
    let (live, due) =
        if extent == Extent::Quick { (10_000_u64, 1_000_u64) } else { (100_000, 10_000) };
    let mut stage = Stage::new(House::Company, AGO);
    let (filling, ()) = seconds(|| stage.issue(live - due, LONG, Ink::Old));
    // The same again for as many as come due, with as much time to spare, and for what is to be said.
    let share = filling * due as f64 / live as f64;
    let come = SystemClock.now().second().plus((3.0 * share) as u64 + 10 + IDLE);
    let life = come.since(stage.house.now());
    assert!(life + AFTER < u64::from(LONG), "filling took too long for this measurement");
    stage.issue(due, u32::try_from(life).expect("less than an hour"), Ink::Old);
    let before = stage.house.seen().size;
    let (state, ca, scene) = (stage.state(), stage.ca(), stage.scene());
    stage.house.stop();
    drop(house::keys(&state, "test", &Custody::default()).expect("a state directory"));
    let server = Server::start(Role::Daemon, &state);
    let left = come.since(SystemClock.now().second()) + AFTER;
    let messages = stage.messages(&scene, scene.seen, left * MINTED_MOST);
    let lists = Watched::start(&state);
    let runtime = Runtime::new().expect("a runtime");
    let minted = runtime.block_on(mint(server.port, &ca, messages, come.plus(AFTER)));
    drop(server);
    let end = come.plus(AFTER).unix_seconds() as f64;
    assert!(minted.iter().any(|(begun, _)| *begun > end - 1.0), "there was too little to mint");
    let seen = lists.end();
    let revoked = revoked(&state, before);
    let on_time = revoked.iter().filter(|(_, at)| at.floor() >= come.unix_seconds() as f64);
    assert_eq!(on_time.count() as u64, due, "all that came due was revoked, and not before");
    tell(&Found { live, due, come, minted, seen, revoked }, report);
}

/// What happened.
struct Found {
    live: u64,
    due: u64,
    come: Timestamp,
    minted: Vec<Minted>,
    /// When which version of the list was first seen in place.
    seen: Vec<(f64, u64)>,
    /// Where and when something was revoked.
    revoked: Vec<(u64, f64)>,
}

fn tell(found: &Found, report: &mut Report) {
    let Found { live, due, .. } = found;
    let come = found.come.unix_seconds() as f64;
    let (last, at) = *found.revoked.last().expect("some");
    let limit = ("what is allowed", Figure::Time(LATE));
    let what = format!("{live} live, {due} come due in one second: the last revoked, later");
    report.held(SECTION, what, Figure::Time(at - come), limit, Some(Aim::AtMost(1.0)));
    let listed = found.seen.iter().find(|(_, version)| *version > last);
    let listed = listed.expect("a list with all of them").0;
    let what = "the list with all of them in place, later";
    report.held(SECTION, what, Figure::Time(listed - come), limit, None);
    let collects = |from: f64, to: f64| -> Vec<f64> {
        let among = |(begun, taken): &&Minted| begun + taken >= from && *begun < to;
        found.minted.iter().filter(among).map(|(_, taken)| *taken).collect()
    };
    let (mut idle, mut meanwhile) = (collects(0.0, come - 1.0), collects(come, listed));
    report.part(SECTION, "credentials minted before", Figure::Count(idle.len() as f64));
    report.part(SECTION, "credentials minted meanwhile", Figure::Count(meanwhile.len() as f64));
    assert!(!idle.is_empty() && !meanwhile.is_empty(), "minting went on");
    for percent in [50, 99] {
        let limit = ("before", Figure::Time(percentile(&mut idle, percent)));
        let figure = Figure::Time(percentile(&mut meanwhile, percent));
        let aim = (percent == 99).then_some(Aim::AtMost(3.0));
        report.held(SECTION, format!("minting meanwhile, p{percent}"), figure, limit, aim);
    }
}

/// Mints until `end`; every credential, when it was asked for and how long that took.
async fn mint(port: u16, ca: &str, emergencies: Vec<Messages>, end: Timestamp) -> Vec<Minted> {
    let line = load::connect(port, ca).await;
    let mut shares: Vec<Vec<Messages>> = (0..MINTING).map(|_| Vec::new()).collect();
    for (number, emergency) in emergencies.into_iter().enumerate() {
        shares[number % MINTING].push(emergency);
    }
    let workers = shares.into_iter().map(|share| {
        let mut line = line.clone();
        tokio::spawn(async move {
            let mut minted = Vec::new();
            for emergency in share {
                let acts = emergency.len();
                for (step, message) in emergency.into_iter().enumerate() {
                    let (begun, watch) = (now(), Instant::now());
                    line.submit(message).await.expect("an answer");
                    if step + 1 == acts {
                        minted.push((begun, watch.elapsed().as_secs_f64()));
                    }
                    tokio::time::sleep(REST).await;
                }
                if now() >= end.unix_seconds() as f64 {
                    return minted;
                }
            }
            minted
        })
    });
    let mut all = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        all.extend(worker.await.expect("minted"));
    }
    all
}

/// The published list, looked at every few milliseconds.
struct Watched {
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Vec<(f64, u64)>>,
}

impl Watched {
    fn start(state: &Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let path = Layout::of(state).lists().join("current/krl");
        let mint = Mint::open(state, "test").expect("keys");
        let authority = mint.public().ssh_ca.clone();
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut seen, mut newest) = (Vec::new(), 0);
            while !stopped.load(Ordering::Relaxed) {
                let list = std::fs::read(&path).ok();
                let list = list.and_then(|list| krl::read(&list, authority.wire()).ok());
                if let Some(list) = list.filter(|list| list.version > newest) {
                    newest = list.version;
                    seen.push((now(), newest));
                }
                std::thread::sleep(REST);
            }
            seen
        });
        Self { stop, thread }
    }

    fn end(self) -> Vec<(f64, u64)> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("looked")
    }
}

/// What was revoked since the ledger had `before` entries.
fn revoked(state: &Path, before: u64) -> Vec<(u64, f64)> {
    let desk = child::open(state, Mint::open(state, "test").expect("keys"));
    let reader = desk.reader().expect("a snapshot");
    let (mut revoked, mut from) = (Vec::new(), before);
    loop {
        let page = reader.entries(from, 1000).expect("entries");
        let Some(last) = page.last() else { return revoked };
        from = last.seq + 1;
        for record in page {
            let entry = Entry::parse(&record.bytes).expect("an entry");
            if matches!(entry.body, Body::Revoked(_)) {
                revoked.push((entry.seq, entry.time.unix_millis() as f64 / 1e3));
            }
        }
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemClock.now().unix_millis() as f64 / 1e3
}
