//! The other side of the wire: connections, and calls kept in flight.

use std::collections::BTreeSet;
use std::time::Instant;

use breakglass_ledger::note::SignedCheckpoint;
use breakglass_ledger::statement::Seen;
use breakglass_proto::v1;
use breakglass_proto::v1::broker_client::BrokerClient;
use tokio::task::JoinSet;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

/// One open connection.
pub(crate) type Line = BrokerClient<Channel>;

/// The messages of one emergency, to be sent one after the other.
pub(crate) type Messages = Vec<v1::SubmitRequest>;

/// What came of a run.
pub(crate) struct Ran {
    /// From the first call to the last answer.
    pub(crate) seconds: f64,
    /// Calls answered.
    pub(crate) calls: usize,
    /// Wall time of each call.
    pub(crate) latencies: Vec<f64>,
    /// Different checkpoints among the answers: commits that the calls shared.
    pub(crate) commits: usize,
    /// Bytes of all entries answered.
    pub(crate) entry_bytes: usize,
}

impl Ran {
    /// Calls per second.
    pub(crate) fn rate(&self) -> f64 {
        self.calls as f64 / self.seconds
    }

    /// Calls per commit.
    pub(crate) fn batch(&self) -> usize {
        (self.calls as f64 / self.commits as f64).round().max(1.0) as usize
    }
}

/// Opens a connection as the client does: TLS 1.3, only this CA, HTTP/2.
pub(crate) async fn connect(port: u16, ca: &str) -> Line {
    let tls =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca)).domain_name("breakglassd");
    let endpoint = Endpoint::from_shared(format!("https://127.0.0.1:{port}"))
        .and_then(|endpoint| endpoint.tls_config(tls))
        .expect("an address");
    BrokerClient::new(endpoint.connect().await.expect("connected"))
}

/// The newest checkpoint, as a statement names it.
pub(crate) async fn seen(line: &mut Line) -> Seen {
    let question = v1::GetCheckpointRequest { old_size: 0 };
    let answer = line.get_checkpoint(question).await.expect("an answer").into_inner();
    let newest = SignedCheckpoint::parse(&answer.checkpoint).expect("a note").checkpoint;
    Seen { size: newest.size, root: Some(newest.root) }
}

/// Goes through `emergencies`, `in_flight` of them at a time, over as many connections as their
/// 64 calls each allow.
pub(crate) async fn run(port: u16, ca: &str, emergencies: Vec<Messages>, in_flight: usize) -> Ran {
    let mut lines = Vec::new();
    for _ in 0..in_flight.div_ceil(32) {
        lines.push(connect(port, ca).await);
    }
    // Emergency n goes to worker n mod `in_flight`: no responder is in two at once.
    let mut shares: Vec<Vec<Messages>> = (0..in_flight).map(|_| Vec::new()).collect();
    for (number, emergency) in emergencies.into_iter().enumerate() {
        shares[number % in_flight].push(emergency);
    }
    let mut workers = JoinSet::new();
    let begun = Instant::now();
    for (number, share) in shares.into_iter().enumerate() {
        let line = lines[number % lines.len()].clone();
        workers.spawn(work(line, share));
    }
    let (mut latencies, mut notes, mut entry_bytes) = (Vec::new(), BTreeSet::new(), 0);
    while let Some(done) = workers.join_next().await {
        let (taken, seen, bytes) = done.expect("no call fails");
        latencies.extend(taken);
        notes.extend(seen);
        entry_bytes += bytes;
    }
    let seconds = begun.elapsed().as_secs_f64();
    Ran { seconds, calls: latencies.len(), latencies, commits: notes.len(), entry_bytes }
}

async fn work(mut line: Line, share: Vec<Messages>) -> (Vec<f64>, Vec<String>, usize) {
    let (mut latencies, mut notes, mut bytes) = (Vec::new(), Vec::new(), 0);
    for message in share.into_iter().flatten() {
        let begun = Instant::now();
        let answer = line.submit(message).await.expect("an answer").into_inner();
        latencies.push(begun.elapsed().as_secs_f64());
        bytes += answer.entry.len();
        notes.push(answer.checkpoint);
    }
    (latencies, notes, bytes)
}
