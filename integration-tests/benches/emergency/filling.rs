//! State directories with a policy and as many entries as wanted, made in this process.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, channel, sync_channel};

use breakglass_broker::clock::{Clock as _, SystemClock};
use breakglass_broker::desk::Desk;
use breakglass_integration_tests::desk::House;
use breakglass_integration_tests::dice::Dice;
use breakglass_ledger::statement::Seen;
use breakglass_ledger::time::Moment;

use crate::cast::{self, Cast, Emergency, Ink, LIVE_MAX, Said, Scene, WAITING};
use crate::load::Messages;
use crate::parts::scratch;

/// Life of a credential that is to end soon, in seconds.
const SHORT_TTL: u32 = 60;

/// From issuing to the end of a short grant: its life, and the time until it closes.
const SHORT_LIFE_SECONDS: u64 = 60 + 300;

/// Emergencies between two jumps of the clock.
const ROUND: u64 = 4 * LIVE_MAX;

/// Entries of an emergency that ended: requested, approved twice, issued, revoked, closed.
pub(crate) const ENTRIES_EACH: u64 = 6;

/// Commands given to the desk and not yet answered: less than its queue takes.
const OUTSTANDING: usize = 2048;

/// A house with its cast.
pub(crate) struct Stage {
    pub(crate) house: House,
    pub(crate) cast: Arc<Cast>,
    /// Number of the next emergency.
    next: u64,
}

impl Stage {
    /// A fresh house on the build's disk, begun `ago` seconds before now.
    pub(crate) fn new(size: cast::House, ago: u64) -> Self {
        let cast = Arc::new(Cast::new(size));
        let dir = tempfile::tempdir_in(scratch()).expect("a directory");
        let begin = SystemClock.now().unix_millis() - 1000 * ago;
        let house = House::at(dir, cast.files(), Moment::from_unix_millis(begin), Dice::default());
        Self { house, cast, next: 0 }
    }

    /// The state directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.house.dir.path().to_owned()
    }

    /// The pinned CA, PEM.
    pub(crate) fn ca(&self) -> String {
        self.house.desk().public().tls_ca_pem()
    }

    /// Here and now, by the house's clock.
    pub(crate) fn scene(&self) -> Scene {
        Scene::of(self.house.desk())
    }

    /// Numbers of `count` further emergencies.
    pub(crate) fn take(&mut self, count: u64) -> Range<u64> {
        let numbers = self.next..self.next + count;
        self.next = numbers.end;
        numbers
    }

    /// Goes through whole emergencies until the ledger has `size` entries, all of them over.
    pub(crate) fn fill(&mut self, size: u64, ink: Ink) {
        while self.house.seen().size + ENTRIES_EACH <= size {
            let missing = (size - self.house.seen().size) / ENTRIES_EACH;
            self.issue(missing.min(ROUND), SHORT_TTL, ink);
            self.house.pass(u64::from(SHORT_TTL));
            self.house.pass(SHORT_LIFE_SECONDS - u64::from(SHORT_TTL));
        }
    }

    /// Goes through `count` emergencies up to the credential, for `ttl` seconds.
    pub(crate) fn issue(&mut self, count: u64, ttl: u32, ink: Ink) {
        let numbers = self.take(count);
        play(self.house.desk(), &self.cast, numbers, (ttl, ink), 4);
    }

    /// Messages of `count` emergencies, to be said to a server whose newest checkpoint is `seen`.
    pub(crate) fn messages(&mut self, scene: &Scene, seen: Seen, count: u64) -> Vec<Messages> {
        let scene = Scene { seen, now: SystemClock.now().second(), ..scene.clone() };
        let numbers = self.take(count);
        let all = numbers.map(|number| self.cast.emergency(&scene, number, 3600, Ink::Fresh));
        all.map(|emergency| emergency.iter().map(Said::message).collect()).collect()
    }
}

/// Goes through `count` emergencies up to the last approval; answers the messages that collect. Each
/// needs a responder of their own.
pub(crate) fn approve(desk: &Desk, cast: &Arc<Cast>, count: u64) -> Vec<Messages> {
    let numbers = WAITING..WAITING + count;
    let played = play(desk, cast, numbers, (600, Ink::Fresh), 3);
    played.into_iter().map(|[_, _, _, collect]| vec![collect.message()]).collect()
}

/// The first `acts` acts of the emergencies `numbers`, given to the desk as fast as it takes them.
/// Answers the emergencies if they end early.
fn play(
    desk: &Desk,
    cast: &Arc<Cast>,
    numbers: Range<u64>,
    (ttl, ink): (u32, Ink),
    acts: usize,
) -> Vec<Emergency> {
    let (ready, prepared) = sync_channel(256);
    let (cast, scene) = (Arc::clone(cast), Scene::of(desk));
    let writer = std::thread::spawn(move || write(&cast, &scene, numbers, ttl, ink, &ready));
    let (answer, told) = channel();
    let (mut outstanding, mut kept) = (0_usize, Vec::new());
    for emergency in &prepared {
        for said in emergency.iter().take(acts) {
            let answer = answer.clone();
            let reply = Box::new(move |said: Result<_, _>| drop(answer.send(said.map(drop))));
            desk.submit(said.incoming(), reply).expect("room in the queue");
            outstanding += 1;
        }
        while outstanding > OUTSTANDING {
            told.recv().expect("an answer").expect("written");
            outstanding -= 1;
        }
        if acts < 4 {
            kept.push(emergency);
        }
    }
    for _ in 0..outstanding {
        told.recv().expect("an answer").expect("written");
    }
    writer.join().expect("prepared");
    kept
}

fn write(
    cast: &Cast,
    scene: &Scene,
    numbers: Range<u64>,
    ttl: u32,
    ink: Ink,
    ready: &SyncSender<Emergency>,
) {
    for number in numbers {
        ready.send(cast.emergency(scene, number, ttl, ink)).expect("taken");
    }
}
