//! The door of the outside: is what the house depends on up?
//!
//! Each watched dependency is asked in rounds, in every way its configuration names, and what comes of
//! it is told to the desk, which writes it down with its evidence. Being down is evidence, never
//! authority: it opens the right to ask, and grants nothing. A prober that fails says nothing at
//! all; one that is cut off says so; and what is down on record stays so until it is measured up.

mod ask;
mod machine;
mod oidc;
mod seen;
mod settings;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use breakglass_ledger::entry::{Evidence, WatchState, Watched};
use breakglass_ledger::principal::DependencyId;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::ask::Prober;
use self::machine::{Machine, News};
use self::seen::Round;
pub(crate) use self::settings::all;
pub use self::settings::{Numbers, WATCHES_MAX, Watch};
pub use self::tls::CaError;
use crate::clock::Clock;
use crate::desk::{Desk, DeskError, Probed};
use crate::entropy::Entropy;

/// Between tries to tell the desk what was found: long enough not to spin, short enough that an
/// outage opens its lane promptly.
const RETRY: Duration = Duration::from_millis(500);

/// Rounds begin up to this part of their interval early, so that many brokers do not ask in step.
const JITTER_PART: u32 = 8;

/// Whatever can be made of `watches` before anything is asked.
///
/// # Errors
///
/// [`CaError`] if a dependency's CA file holds no certificate.
pub fn open(watches: &[Watch]) -> Result<Probers, CaError> {
    let each = watches.iter().map(|watch| Ok((watch.clone(), Prober::new(watch)?)));
    each.collect::<Result<Vec<_>, _>>().map(Probers)
}

/// Probers of every watched dependency, ready to ask.
pub struct Probers(Vec<(Watch, Prober)>);

/// Asks until `stopping` says true. Ends early only if the desk does.
pub async fn run(
    probers: Probers,
    desk: Arc<Desk>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    stopping: watch::Receiver<bool>,
) {
    let watched: Vec<_> = probers.0.iter().map(|(watch, _)| watch.id.clone()).collect();
    let forgotten = forget(&desk, clock.as_ref(), &watched);
    let mut tasks = JoinSet::new();
    let mut told = stopping.clone();
    for (watch, prober) in probers.0 {
        let (desk, clock, entropy) = (Arc::clone(&desk), Arc::clone(&clock), Arc::clone(&entropy));
        let stopping = stopping.clone();
        tasks.spawn(async move {
            let watcher = Watcher::new(watch, prober, &desk);
            watcher.run(&desk, clock.as_ref(), entropy.as_ref(), stopping).await;
        });
    }
    forgotten.await;
    // Nothing to watch is no reason to close the door.
    while !*told.borrow() {
        tokio::select! {
            _ = told.changed() => {}
            Some(ended) = tasks.join_next() => {
                if let Err(error) = ended {
                    // Unknown is not down: what is on record stays, and people can still declare.
                    crate::report::fault("a prober ended", &error);
                }
            }
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// What was measured down and is no longer watched would be down for ever: nobody measures it up.
async fn forget(desk: &Desk, clock: &dyn Clock, watched: &[DependencyId]) {
    let world = desk.world();
    let left = world.outages.iter().filter(|(id, outage)| {
        outage.measured.is_some() && !watched.iter().any(|watched| watched == *id)
    });
    for (dependency, _) in left {
        tracing::warn!(%dependency, "measured down and no longer watched: its outage ends");
        let since = clock.now().second();
        let Some(evidence) = seen::unwatched(since) else { return };
        let (dependency, evidence) = (dependency.clone(), vec![evidence]);
        tell(desk, Probed::Measured { dependency, down: false, evidence }).await;
    }
}

/// One dependency under watch.
struct Watcher {
    watch: Watch,
    prober: Prober,
    machine: Machine,
    begun: Instant,
}

impl Watcher {
    /// Goes on from what is on record: a start in an outage does not end it.
    fn new(watch: Watch, prober: Prober, desk: &Desk) -> Self {
        let world = desk.world();
        let down = world.outages.get(&watch.id).is_some_and(|outage| outage.measured.is_some());
        let machine = Machine::new(watch.numbers, down);
        Self { watch, prober, machine, begun: Instant::now() }
    }

    async fn run(
        mut self,
        desk: &Desk,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
        mut stopping: watch::Receiver<bool>,
    ) {
        let mut seen = seen::Record::default();
        while !*stopping.borrow() {
            let began = Instant::now();
            let answers = tokio::select! {
                answers = self.prober.round() => answers,
                _ = stopping.changed() => return,
            };
            let round = seen.take(&answers, clock.now().second());
            self.settle(round, &seen, desk).await;
            let rest = self.rest(entropy).saturating_sub(began.elapsed());
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                _ = stopping.changed() => return,
            }
        }
    }

    async fn settle(&mut self, round: Round, seen: &seen::Record, desk: &Desk) {
        for news in self.machine.take(self.begun.elapsed(), round) {
            let (dependency, evidence) = (self.watch.id.clone(), seen.evidence());
            tracing::warn!(%dependency, ?news, evidence = %seen, "a watched dependency changed");
            let probed = match news {
                News::Down => Probed::Measured { dependency, down: true, evidence },
                News::Up => Probed::Measured { dependency, down: false, evidence },
                News::Blind => watched(dependency, evidence, WatchState::Blind),
                News::Flapping => watched(dependency, evidence, WatchState::Flapping),
                News::Seen => watched(dependency, evidence, WatchState::Seen),
            };
            tell(desk, probed).await;
        }
    }

    /// The interval, less a random part of it.
    fn rest(&self, entropy: &dyn Entropy) -> Duration {
        let mut dice = [0_u8];
        if entropy.fill(&mut dice).is_err() {
            return self.watch.every();
        }
        let most = self.watch.every().checked_div(JITTER_PART).unwrap_or_default();
        let early = most.saturating_mul(u32::from(dice[0])).checked_div(256).unwrap_or_default();
        self.watch.every().saturating_sub(early)
    }
}

fn watched(dependency: DependencyId, evidence: Vec<Evidence>, state: WatchState) -> Probed {
    Probed::Watched(Watched { dependency, evidence, state })
}

/// Leaves the desk told, however often that takes: news that is lost would never come again.
async fn tell(desk: &Desk, probed: Probed) {
    loop {
        let (reply, answer) = oneshot::channel();
        // The receiver lives until the answer has come.
        let queued = desk.probed(probed.clone(), Box::new(move |told| drop(reply.send(told))));
        let told = match queued {
            Ok(()) => answer.await.unwrap_or(Err(DeskError::Stopped)),
            Err(error) => Err(error),
        };
        match told {
            Ok(()) | Err(DeskError::Stopped) => return,
            Err(error) => crate::report::fault("writing down what the probes found", &error),
        }
        tokio::time::sleep(RETRY).await;
    }
}
