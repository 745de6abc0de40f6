//! `breakglassd serve`: the parts put together, the doors opened, and closed again in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinSet, spawn_blocking};

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Layout};
use crate::crl::Number;
use crate::desk::{Desk, DeskError, Revoking};
use crate::house::{self, HouseError};
use crate::init::write_trusted;
use crate::mint::{Custody, KeyTokens, MintError, SignedList};
use crate::notify::{Board, Channels, NotifyError};
use crate::probe::{self, CaError};
use crate::publish::{PublishError, Publisher};
use crate::store::{GuardPolicy, StoreError};
use crate::{notify, rpc, sweep, web};

/// What an operator may accept for one start.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Start although the guard file is missing or unreadable.
    pub accept_guard_loss: bool,
    /// Start although the clock is far ahead of the newest entry.
    pub accept_clock: bool,
}

/// The daemon could not start, or a door failed.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The state directory cannot be used.
    #[error("the state directory cannot be used")]
    House(#[from] HouseError),
    /// The desk could not start.
    #[error("the ledger cannot be continued")]
    Desk(#[from] DeskError),
    /// TLS could not be set up.
    #[error("TLS could not be set up")]
    Mint(#[from] MintError),
    /// A watched dependency cannot be asked.
    #[error("what is watched cannot be asked")]
    Probe(#[from] CaError),
    /// The first lists could not be published; a broker that cannot revoke must not grant.
    #[error("the revocation lists cannot be published")]
    Publish(#[from] PublishError),
    /// A channel for notices cannot be used as it is configured.
    #[error("a channel for notices cannot be opened")]
    Notify(#[from] NotifyError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}; is another daemon running there?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A door closed although nobody said so; the log says why.
    #[error("a door closed by itself")]
    Door,
    /// The runtime or its signals could not be set up.
    #[error("the runtime could not be set up")]
    Runtime(#[source] std::io::Error),
}

/// A daemon with its doors open.
pub struct Running {
    /// Where gRPC listens.
    pub rpc: SocketAddr,
    /// Where the read-only HTTP side listens.
    pub web: SocketAddr,
    /// Where services ask about tokens, if any may.
    pub api: Option<SocketAddr>,
    desk: Arc<Desk>,
    publisher: Publisher,
    stop: watch::Sender<bool>,
    doors: JoinSet<()>,
    signals: Signals,
}

/// Serves until SIGTERM or SIGINT, then finishes what is under way.
///
/// # Errors
///
/// [`ServeError`]; nothing was served then.
pub fn run(config: &Config, options: &Options, custody: &Custody) -> Result<(), ServeError> {
    runtime()?.block_on(async {
        let running = start(config, options, custody).await?;
        tracing::info!(rpc = %running.rpc, web = %running.web, "serving");
        if let Some(api) = running.api {
            tracing::info!(%api, "serving services that ask about tokens");
        }
        running.until_stopped().await
    })
}

/// The runtime that the doors run on.
///
/// # Errors
///
/// [`ServeError::Runtime`].
pub fn runtime() -> Result<tokio::runtime::Runtime, ServeError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Runtime)
}

/// Opens the ledger, publishes the lists, and opens the doors.
///
/// # Errors
///
/// [`ServeError`]; no door is open then.
pub async fn start(
    config: &Config,
    options: &Options,
    custody: &Custody,
) -> Result<Running, ServeError> {
    // Before anybody is told that the daemon is ready, for whoever was told may ask it to stop.
    let signals = Signals::heard()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let guard =
        if options.accept_guard_loss { GuardPolicy::Recreate } else { GuardPolicy::Require };
    let channels = Channels::open(&config.notify)?;
    let mut parts =
        house::open(&config.state, custody, Arc::clone(&clock), guard, options.accept_clock)?;
    // What interrupted `breakglassd rotate` may have left undone. The public pages say the same, so the
    // daemon that cannot write them is of more use than none.
    if let Err(error) = write_trusted(&Layout::of(&config.state), parts.mint.public()) {
        crate::report::fault("writing the files for hosts and clients", &error);
    }
    parts.mint.issue_as(config.jwt.as_ref().map(|jwt| jwt.issuer.clone()));
    let (names, addresses) = split_names(&config.names);
    let certificate_clock = Arc::clone(&clock);
    let tls = parts.mint.tls(&names, &addresses, move || certificate_clock.now().second())?;
    let probers = probe::open(&config.watch)?;
    let (rpc_listener, rpc_address) = listen(config.listen).await?;
    let (web_listener, web_address) = listen(config.web).await?;
    let asked = match &config.api {
        Some(api) => Some((listen(api.listen).await?, api.clone())),
        None => None,
    };
    let entropy = Arc::clone(&parts.entropy);
    let desk = Arc::new(Desk::start(parts)?);
    let tokens = desk.key_tokens();
    let public = desk.public();
    let (authority, signer) = (public.ssh_ca.clone(), public.lists.clone());
    let lists = Layout::of(&config.state).lists();
    let publisher = Publisher::open(&lists, authority, signer, public.x509_ca.as_deref())?
        .with_older(public.older_ssh_cas(), &public.older_x509_cas())?
        .with(public.documents());
    let first = desk.lists();
    publisher.publish(&first)?;
    desk.published(publisher.kept()?)?;

    let (stop, stopping) = watch::channel(false);
    let mut doors = JoinSet::new();
    let board = Arc::new(Board::default());
    doors.spawn(sweep::run(Arc::clone(&desk), Arc::clone(&clock), stopping.clone()));
    let (outside, dice) = (Arc::clone(&clock), Arc::clone(&entropy));
    doors.spawn(probe::run(probers, Arc::clone(&desk), outside, dice, stopping.clone()));
    if !channels.is_empty() {
        let (desk, board) = (Arc::clone(&desk), Arc::clone(&board));
        let remind_after = config.notify.remind_after;
        let parts = notify::Parts { desk, channels, remind_after, board, clock, entropy };
        doors.spawn(notify::run(parts, stopping.clone()));
    }
    doors.spawn(keep_published(
        Arc::clone(&desk),
        publisher.clone(),
        first.place(),
        stopping.clone(),
    ));
    let api = asked.as_ref().map(|((_, address), _)| *address);
    if let Some(((listener, _), asking)) = asked {
        let (tls, desk) = (Arc::clone(&tls), Arc::clone(&desk));
        doors.spawn(crate::api::serve(listener, tls, desk, asking, stopping.clone()));
    }
    let limits = config.limits;
    doors.spawn(rpc::serve(rpc_listener, tls, Arc::clone(&desk), board, limits, stopping.clone()));
    doors.spawn(web::serve(web_listener, Arc::clone(&desk), stopping.clone()));
    if !tokens.is_empty() {
        doors.spawn(keep_looked_at(Arc::clone(&desk), tokens, stopping.clone()));
    }
    doors.spawn(keep_compared(Arc::clone(&desk), stopping));
    Ok(Running { rpc: rpc_address, web: web_address, api, desk, publisher, stop, doors, signals })
}

impl Running {
    /// Serves until SIGTERM or SIGINT, then stops in order.
    ///
    /// # Errors
    ///
    /// [`ServeError::Door`] if a door closed by itself: better no daemon, which its supervisor
    /// starts again, than half of one.
    pub async fn until_stopped(mut self) -> Result<(), ServeError> {
        let outcome = tokio::select! {
            () = self.signals.come() => Ok(()),
            _ = self.doors.join_next() => Err(ServeError::Door),
        };
        self.stop().await;
        outcome
    }

    /// Closes the doors, lets calls in flight end, finishes the batch, stops the desk, and publishes
    /// what the last batch revoked: nobody else will before the next start.
    pub async fn stop(mut self) {
        // Nobody listens any more only if every door has ended by itself already.
        let _told = self.stop.send(true);
        while let Some(ended) = self.doors.join_next().await {
            if let Err(error) = ended {
                crate::report::fault("closing a door", &error);
            }
        }
        let (desk, publisher) = (self.desk, self.publisher);
        let last = spawn_blocking(move || {
            desk.stop();
            if let Err(error) = publisher.publish(&desk.lists()) {
                crate::report::fault("publishing the last lists", &error);
            }
        });
        if let Err(error) = last.await {
            crate::report::fault("stopping the desk", &error);
        }
    }
}

/// The signals that ask the daemon to stop.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From here on they are heard instead of ending the process at once.
    fn heard() -> Result<Self, ServeError> {
        let hear = |kind| signal(kind).map_err(ServeError::Runtime);
        Ok(Self {
            terminate: hear(SignalKind::terminate())?,
            interrupt: hear(SignalKind::interrupt())?,
        })
    }

    /// Returns at SIGTERM or SIGINT.
    async fn come(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Compares what is derived with the newest entries, while the doors are open already, and again and
/// again; after a contradiction minting is stopped, and only an operator can help.
async fn keep_compared(desk: Arc<Desk>, mut stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        let (compared, told) = (Arc::clone(&desk), stopping.clone());
        let next = spawn_blocking(move || recheck(&compared, &told)).await;
        let Ok(Some(next)) = next else {
            // An error: whoever could tell us is gone, and so are we.
            let _stopped = stopping.wait_for(|stopping| *stopping).await;
            return;
        };
        tokio::select! {
            () = tokio::time::sleep(next) => {}
            _ = stopping.changed() => {}
        }
    }
}

/// Says after which time to compare again; `None` after a contradiction.
fn recheck(desk: &Desk, stopping: &watch::Receiver<bool>) -> Option<Duration> {
    match desk.recheck(&|| *stopping.borrow()) {
        Ok(()) | Err(DeskError::Stopped) => Some(COMPARE_EVERY),
        Err(
            error
            @ (DeskError::Busy | DeskError::Store(StoreError::Busy | StoreError::Database(_))),
        ) => {
            crate::report::fault("comparing the database with the ledger", &error);
            Some(COMPARE_RETRY)
        }
        Err(error) => {
            crate::report::fault("comparing the database with the ledger", &error);
            tracing::error!(
                "somebody else has written the database, or it is damaged: nothing is minted; \
                 stop the daemon, run `breakglassd check`, and restore the newest good copy"
            );
            None
        }
    }
}

/// Looks at the tokens of keys every few seconds; one that is back signs what it has missed.
async fn keep_looked_at(desk: Arc<Desk>, tokens: KeyTokens, mut stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = stopping.changed() => return,
        }
        let (looked, before) = (tokens.clone(), tokens.away().len());
        if let Err(error) = spawn_blocking(move || looked.look()).await {
            crate::report::fault("looking at the tokens of keys", &error);
        }
        if tokens.away().len() < before {
            // The list that could not be signed is signed with the next batch, so there is one now.
            let _queued = desk.sweep(Box::new(|_| {}));
        }
    }
}

/// Publishes every list after the one at `published`; while that fails, minting is stopped.
async fn keep_published(
    desk: Arc<Desk>,
    publisher: Publisher,
    mut published: (u64, Option<Number>),
    mut stopping: watch::Receiver<bool>,
) {
    let publisher = Arc::new(publisher);
    let changed = Arc::new(Notify::new());
    let waker = Arc::clone(&changed);
    desk.on_commit(Box::new(move || waker.notify_one()));
    while !*stopping.borrow() {
        let newest = desk.lists();
        if newest.place() == published {
            tokio::select! {
                () = changed.notified() => {}
                _ = stopping.changed() => {}
            }
            continue;
        }
        let works = put(&publisher, &newest).await;
        desk.report(Revoking::Publishing, works);
        if works {
            published = newest.place();
        } else {
            tokio::time::sleep(PUBLISH_RETRY).await;
        }
    }
}

/// Publishes one list, on a thread that may block. Says whether it is in place.
async fn put(publisher: &Arc<Publisher>, list: &Arc<SignedList>) -> bool {
    let (publisher, list) = (Arc::clone(publisher), Arc::clone(list));
    let published = spawn_blocking(move || publisher.publish(&list)).await;
    match published {
        Ok(Ok(_)) => true,
        Ok(Err(error)) => {
            crate::report::fault("publishing the lists", &error);
            false
        }
        Err(error) => {
            crate::report::fault("publishing the lists", &error);
            false
        }
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Names and addresses for the server's certificate.
fn split_names(all: &[String]) -> (Vec<String>, Vec<std::net::IpAddr>) {
    let (mut names, mut addresses) = (Vec::new(), Vec::new());
    for one in all {
        match one.parse() {
            Ok(address) => addresses.push(address),
            Err(_) => names.push(one.clone()),
        }
    }
    (names, addresses)
}

/// Between two comparisons of the database with its ledger. Each reads a day and a half of entries, and
/// what somebody else writes there is believed until the next one, where it is not proved.
const COMPARE_EVERY: Duration = Duration::from_secs(3600);

/// Between two looks at the tokens of keys: how long it takes until their coming back is noticed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// After one that could not be done: nothing is minted until then.
const COMPARE_RETRY: Duration = Duration::from_secs(5);

/// Between failing attempts to publish: a full disk is not emptied faster by asking more often.
const PUBLISH_RETRY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls in flight may still revoke while the doors close, and whoever publishes had already
    /// gone home: the list stayed behind until the next start.
    #[tokio::test]
    async fn what_was_revoked_last_is_published_before_the_daemon_is_gone() {
        let dir = tempfile::tempdir().expect("a directory");
        crate::dev::set_up(dir.path()).expect("a deployment");
        let state = dir.path().join("state");
        let clock = Arc::new(SystemClock);
        let parts = house::open(&state, &Custody::default(), clock, GuardPolicy::Require, false)
            .expect("a house");
        let desk = Arc::new(Desk::start(parts).expect("a desk"));
        let public = desk.public();
        let (authority, signer) = (public.ssh_ca.clone(), public.lists.clone());
        let (lists, x509) = (Layout::of(&state).lists(), public.x509_ca.as_deref());
        let publisher = Publisher::open(&lists, authority, signer, x509).expect("a directory");
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let running = Running {
            rpc: nowhere,
            web: nowhere,
            api: None,
            desk: Arc::clone(&desk),
            publisher: publisher.clone(),
            stop: watch::channel(false).0,
            doors: JoinSet::new(),
            signals: Signals::heard().expect("signals"),
        };
        running.stop().await;
        let published = publisher.current().expect("readable").expect("there");
        assert_eq!(published.version, desk.lists().version);
    }
}
