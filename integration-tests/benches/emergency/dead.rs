//! Dependencies that are watched and dead, each in its own way, and the proof that they were asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use breakglass_broker::mint::Mint;
use breakglass_ledger::entry::{Body, ConfigChange, Evidence, WatchState};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::child;

/// The far side of every probe: it lives in this process, so that what it costs is not the broker's.
pub(crate) struct Dead {
    /// Accepts and never answers: what costs a prober most.
    hangs: Target,
    /// Answers 503.
    fails: Target,
    /// Accepts, as something that does not depend on the others.
    alive: Target,
    /// Nobody listens there.
    refuses: u16,
}

/// Who connected so far, by what they found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    hangs: usize,
    fails: usize,
    alive: usize,
}

/// What each watched dependency must have been measured as: the probe, and what it saw.
const SEEN: [(&str, &str, &str); 3] =
    [("issuer", "discovery", "slow"), ("page", "http-1", "http-5xx"), ("port", "tcp-1", "connect")];

/// Watched with nothing left that does not depend on it.
const CUT_OFF: &str = "cut-off";

impl Dead {
    /// Opens what listens, on `runtime`.
    pub(crate) fn new(runtime: &Runtime) -> Self {
        let refuses = runtime.block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
            listener.local_addr().expect("bound").port()
        });
        let target = |answer| runtime.block_on(Target::new(answer));
        let fails = target(Some("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"));
        Self { hangs: target(None), fails, alive: target(None), refuses }
    }

    /// The daemon's `[[watch]]` tables: each kind of probe, as often as the configuration allows.
    pub(crate) fn watches(&self) -> String {
        let here = |port: u16| format!("127.0.0.1:{port}");
        let (hangs, fails) = (here(self.hangs.port), here(self.fails.port));
        let (refuses, alive) = (here(self.refuses), here(self.alive.port));
        let often = "every = 1\ntimeout = 1\ndown-rounds = 1\ndown-seconds = 0\n";
        let watch = |id: &str, what: String, control: &str| {
            format!("[[watch]]\nid = '{id}'\n{what}\ncontrols = ['{control}']\n{often}")
        };
        [
            watch("issuer", format!("issuer = 'http://{hangs}'"), &alive),
            watch("page", format!("http = ['http://{fails}/', 'http://{hangs}/']"), &alive),
            watch("port", format!("tcp = ['{refuses}']"), &alive),
            watch(CUT_OFF, format!("http = ['http://{hangs}/']"), &refuses),
        ]
        .concat()
    }

    /// Who connected so far.
    pub(crate) fn asked(&self) -> Asked {
        let [hangs, fails, alive] = [&self.hangs, &self.fails, &self.alive].map(Target::count);
        Asked { hangs, fails, alive }
    }

    /// That every target that can count was asked at least `times` times since `before`.
    pub(crate) fn assert_asked_since(&self, before: Asked, times: usize) {
        let now = self.asked();
        let (hangs, fails) = (now.hangs - before.hangs, now.fails - before.fails);
        let fewest = hangs.min(fails).min(now.alive - before.alive);
        assert!(fewest >= times, "not probed during the measurement: {before:?}, then {now:?}");
    }
}

/// That the stopped daemon of `state` has measured every dependency bad in its own way, and was blind
/// where nothing answered.
pub(crate) fn assert_measured(state: &Path) {
    let desk = child::open(state, Mint::open(state, "test").expect("keys"));
    let (mut began, mut blind, mut next) = (BTreeMap::new(), false, 0);
    loop {
        let page = desk.reader().expect("a snapshot").entries(next, usize::MAX).expect("a page");
        let Some(last) = page.last() else { break };
        next = last.seq + 1;
        for entry in page.iter().map(|record| record.parse().expect("an entry")) {
            if let Body::OutageBegan(outage) = entry.body {
                let evidence = outage.evidence.unwrap_or_default();
                began.insert(outage.dependency.to_string(), evidence);
            } else if let Body::Config(config) = entry.body
                && let ConfigChange::Watched(watched) = config.what
                && watched.dependency.as_str() == CUT_OFF
            {
                blind |= watched.state == WatchState::Blind;
            }
        }
    }
    for (dependency, probe, saw) in SEEN {
        let evidence = began.get(dependency).map_or(&[][..], Vec::as_slice);
        let is_it = |one: &Evidence| one.probe.as_str() == probe && one.saw.as_str() == saw;
        assert!(evidence.iter().any(is_it), "{dependency}: {probe} is not {saw}: {evidence:?}");
    }
    assert!(blind && !began.contains_key(CUT_OFF), "cut off from everything is blind, not down");
}

/// A listener on loopback that counts who connects.
struct Target {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Target {
    async fn new(answer: Option<&'static str>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((peer, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(attend(peer, answer));
            }
        });
        Self { port, connections }
    }

    fn count(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// Answers once if there is an answer, and holds on until the prober lets go.
async fn attend(mut peer: TcpStream, answer: Option<&'static str>) {
    let mut heard = [0; 1024];
    while peer.read(&mut heard).await.is_ok_and(|length| length > 0) {
        if let Some(answer) = answer {
            drop(peer.write_all(answer.as_bytes()).await);
        }
    }
}
