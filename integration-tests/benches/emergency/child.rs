//! Servers in processes of their own, so that their CPU and memory are theirs alone: this program
//! started again, told by the environment what to be.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use breakglass_broker::clock::{Clock as _, SystemClock};
use breakglass_broker::config::Config;
use breakglass_broker::desk::{Desk, Parts};
use breakglass_broker::entropy::SystemEntropy;
use breakglass_broker::mint::{Custody, Mint};
use breakglass_broker::notify::{self, Board};
use breakglass_broker::probe::{self, Watch};
use breakglass_broker::rpc::{Limits, serve};
use breakglass_broker::serve::{Options, start};
use breakglass_broker::store::{GuardPolicy, Store};
use breakglass_broker::sweep;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::{echo, measure};

/// What a child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The broker, over a state directory: desk, clock's door, network's door.
    Broker,
    /// The same, with people to be told by two channels that are down: one refuses, one hangs; and
    /// with dependencies to watch.
    Laden,
    /// The whole daemon, as `breakglassd serve` starts it, with the limits of [`Limits::roomy`].
    Daemon,
    /// The same wire, TLS and messages, with nothing behind them.
    Echo,
}

/// A broker without calls stops at once; this is for one that does not.
const STOPPING: Duration = Duration::from_secs(2);

const ROLE: &str = "BREAKGLASS_BENCH_ROLE";
const STATE: &str = "BREAKGLASS_BENCH_STATE";
const WATCHES: &str = "BREAKGLASS_BENCH_WATCHES";

/// A server that runs until this is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) port: u16,
}

impl Server {
    /// Starts one over `state` and waits until it listens.
    pub(crate) fn start(role: Role, state: &Path) -> Self {
        Self::watching(role, state, "")
    }

    /// The same, which as [`Role::Laden`] watches what `watches` says, in the daemon's own words.
    pub(crate) fn watching(role: Role, state: &Path, watches: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("this program"))
            .env(ROLE, format!("{role:?}"))
            .env(STATE, state)
            .env(WATCHES, watches)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let port = line.trim().parse().expect("the port it listens at");
        Self { process, port }
    }

    /// CPU seconds so far.
    pub(crate) fn cpu(&self) -> f64 {
        measure::cpu_of(self.process.id())
    }

    /// Resident bytes now.
    pub(crate) fn memory(&self) -> f64 {
        measure::memory_of(self.process.id())
    }

    /// Kills it where it stands.
    pub(crate) fn kill(mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("ended");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its input ends, so it stops; a killed one has stopped already.
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}

/// What this process was started to be, if it is a child.
pub(crate) fn asked() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Is a server until its input ends.
pub(crate) fn play(role: &str) {
    let state = PathBuf::from(std::env::var_os(STATE).expect("a state directory"));
    let runtime = Runtime::new().expect("a runtime");
    if role == "Daemon" {
        return runtime.block_on(daemon(state));
    }
    let (stop, stopping) = watch::channel(false);
    runtime.block_on(async move {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let mint = Mint::open(&state, "test").expect("keys");
        let names = [String::from("localhost")];
        let tls = mint.tls(&names, &[], || SystemClock.now().second()).expect("a certificate");
        let work = if role == "Echo" {
            println!("{port}");
            tokio::spawn(echo::serve(listener, tls))
        } else {
            let desk = Arc::new(open(&state, mint));
            let board = Arc::new(Board::default());
            if role == "Laden" {
                tell(Arc::clone(&desk), Arc::clone(&board), stopping.clone()).await;
                probe(Arc::clone(&desk), stopping.clone());
            }
            println!("{port}");
            tokio::spawn(sweep::run(Arc::clone(&desk), Arc::new(SystemClock), stopping.clone()));
            tokio::spawn(serve(listener, tls, desk, board, Limits::roomy(), stopping))
        };
        let ended = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0]).ok());
        drop(ended.await);
        stop.send_replace(true);
        if role != "Echo" {
            drop(tokio::time::timeout(STOPPING, work).await);
        }
    });
}

/// Is the daemon until its input ends.
async fn daemon(state: PathBuf) {
    let mut config = Config::for_state(state);
    config.listen = ([127, 0, 0, 1], 0).into();
    config.web = ([127, 0, 0, 1], 0).into();
    config.limits = Limits::roomy();
    let started = start(&config, &Options::default(), &Custody::default()).await;
    let running = started.expect("the daemon starts");
    println!("{}", running.rpc.port());
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0]).ok());
    drop(ended.await);
    running.stop().await;
}

/// Tells people by channels that are down: nobody listens at the one, the other never answers.
async fn tell(desk: Arc<Desk>, board: Arc<Board>, stopping: watch::Receiver<bool>) {
    let refuses = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let hangs = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let channel = |name: &str, listener: &TcpListener| {
        let port = listener.local_addr().expect("bound").port();
        format!(
            "[[channel]]\nname = \"{name}\"\nkind = \"ntfy\"\nurl = \"http://127.0.0.1:{port}\"\n"
        )
    };
    let text = channel("one", &refuses) + &channel("two", &hangs);
    let config: notify::Config = toml::from_str(&text).expect("a configuration");
    let channels = notify::Channels::open(&config).expect("channels");
    drop(refuses);
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::new()));
    let remind_after = config.remind_after;
    let parts = notify::Parts { desk, channels, remind_after, board, clock, entropy };
    tokio::spawn(async move {
        notify::run(parts, stopping).await;
        drop(hangs);
    });
}

/// Asks what the environment says is to be watched, as the daemon does.
fn probe(desk: Arc<Desk>, stopping: watch::Receiver<bool>) {
    let text = std::env::var(WATCHES).expect("what to watch");
    let mut tables: BTreeMap<String, Vec<Watch>> = toml::from_str(&text).expect("watches");
    let watches = tables.remove("watch").expect("at least one");
    let probers = probe::open(&watches).expect("probers");
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::new()));
    tokio::spawn(probe::run(probers, desk, clock, entropy, stopping));
}

/// The desk over `state`, by the machine's clock.
pub(crate) fn open(state: &Path, mint: Mint) -> Desk {
    let log = &mint.public().log;
    let store = Store::open(&state.join("ledger"), log, GuardPolicy::Require).expect("a ledger");
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy::new()));
    Desk::start(Parts { store, mint, clock, entropy }).expect("a desk")
}
