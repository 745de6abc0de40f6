//! Finding a broker: every address at once, the first good one wins.

use std::error::Error;
use std::time::Duration;

use breakglass_ledger::bytes::Digest;
use breakglass_proto::v1;
use breakglass_proto::v1::broker_client::BrokerClient;
use tokio::task::JoinSet;
use tonic::Response;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use super::{BrokerError, Offered};
use crate::failure::Failure;

pub(super) type Client = BrokerClient<Channel>;

/// Judges what a broker offers: whether its checkpoint can be believed.
pub type Checker<'a> = dyn Fn(&Offered) -> Result<(), Failure> + 'a;

/// Where the brokers are, and the only CA that may vouch for them.
#[derive(Clone, Debug)]
pub struct Pinned {
    /// Addresses, `host:port`.
    pub addresses: Vec<String>,
    /// The brokers' own CA, PEM. No other root is trusted.
    pub ca: String,
    /// Size of the checkpoint kept here; 0 for none.
    pub kept_size: u64,
    /// Longest wait for an answer.
    pub answer_within: Duration,
}

/// One broker, connected.
pub(super) struct Connected {
    pub(super) address: String,
    pub(super) client: Client,
}

/// The first broker that answers and is believed.
///
/// One that shows a checkpoint that cannot be believed ends the search, even if others remain: a
/// fork is not to be stepped around.
pub(super) async fn connect(
    pinned: &Pinned,
    check: &Checker<'_>,
) -> Result<Connected, BrokerError> {
    let (connected, offered) = find(pinned).await?;
    check(&offered).map_err(BrokerError::Disbelieved)?;
    Ok(connected)
}

/// The first broker that answers, and what it shows of its ledger, not yet believed.
pub(super) async fn find(pinned: &Pinned) -> Result<(Connected, Offered), BrokerError> {
    let mut trying = JoinSet::new();
    for address in &pinned.addresses {
        let (address, pinned) = (address.clone(), pinned.clone());
        trying.spawn(async move {
            let answer = tokio::time::timeout(pinned.answer_within, one(&address, &pinned)).await;
            (
                address.clone(),
                answer.unwrap_or_else(|_| Err(silent(&address, pinned.answer_within))),
            )
        });
    }
    let mut failures = Vec::new();
    while let Some(tried) = trying.join_next().await {
        match tried {
            Ok((address, Ok((client, answer)))) => {
                return Ok((Connected { address, client }, offered(answer)?));
            }
            Ok((_, Err(error))) => failures.push(error),
            Err(error) => failures.push(BrokerError::Fault(error.to_string())),
        }
    }
    Err(BrokerError::worst(failures))
}

async fn one(
    address: &str,
    pinned: &Pinned,
) -> Result<(Client, v1::GetCheckpointAnswer), BrokerError> {
    let mut client = client(address, pinned).await?;
    let answer = question(&mut client, address, pinned).await?;
    Ok((client, answer.into_inner()))
}

/// What the broker at `address` answers about its newest checkpoint, headers and all.
pub(super) async fn ask(
    address: &str,
    pinned: &Pinned,
) -> Result<Response<v1::GetCheckpointAnswer>, BrokerError> {
    question(&mut client(address, pinned).await?, address, pinned).await
}

async fn question(
    client: &mut Client,
    address: &str,
    pinned: &Pinned,
) -> Result<Response<v1::GetCheckpointAnswer>, BrokerError> {
    let question = v1::GetCheckpointRequest { old_size: pinned.kept_size };
    let answer = client.get_checkpoint(question).await;
    answer.map_err(|status| BrokerError::of(&status, address))
}

async fn client(address: &str, pinned: &Pinned) -> Result<Client, BrokerError> {
    let channel = channel(address, pinned).await?;
    Ok(BrokerClient::new(channel).max_decoding_message_size(ANSWER_MAX_BYTES))
}

async fn channel(address: &str, pinned: &Pinned) -> Result<Channel, BrokerError> {
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&pinned.ca))
        .domain_name(SERVER_NAME);
    let endpoint = Endpoint::from_shared(format!("https://{address}"))
        .and_then(|endpoint| endpoint.tls_config(tls))
        .map_err(|error| unreachable(address, &error))?;
    let endpoint = endpoint
        .connect_timeout(pinned.answer_within)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_while_idle(true);
    endpoint.connect().await.map_err(|error| unreachable(address, &error))
}

/// `answer` with its proof in the ledger's own types.
pub(super) fn offered(answer: v1::GetCheckpointAnswer) -> Result<Offered, BrokerError> {
    let hash = |bytes: Vec<u8>| bytes.try_into().map(Digest::from_bytes);
    let proof: Result<Vec<Digest>, _> =
        answer.proof.into_iter().take(PROOF_MAX).map(hash).collect();
    let proof = proof.map_err(|_| BrokerError::Malformed("a hash of a proof has not 32 bytes"))?;
    Ok(Offered { note: answer.checkpoint, proof, policy: answer.policy_digest })
}

/// A broker that did not answer in time.
pub(super) fn silent(address: &str, within: Duration) -> BrokerError {
    let why = format!("no answer within {} s", within.as_secs());
    BrokerError::Unreachable { tried: vec![(address.to_owned(), why)] }
}

/// A connection that did not come about, with every cause; and whether it was the wrong broker.
fn unreachable(address: &str, error: &dyn Error) -> BrokerError {
    let (mut why, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        why = format!("{why}: {error}");
        cause = error.source();
    }
    // How rustls (0.23) words every fault of the peer's certificate.
    if why.contains("invalid peer certificate") {
        return BrokerError::NotPinned { address: address.to_owned(), why };
    }
    BrokerError::Unreachable { tried: vec![(address.to_owned(), why)] }
}

/// The name in every broker's certificate, wherever it stands: DNS may be down, addresses change.
const SERVER_NAME: &str = "breakglassd";

/// The wire promises parts of 1 MiB; a view with many entries may be larger.
const ANSWER_MAX_BYTES: usize = 8 * 1024 * 1024;

/// Hashes in a consistency proof: at most one per level and one more.
const PROOF_MAX: usize = 66;

/// Notices a broker that is gone while a person reads.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
