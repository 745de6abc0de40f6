//! The door of services that are shown tokens: does this one count, take it back, whom does it stand for.
//!
//! HTTPS only, and only for callers that the configuration names; off unless it names any. A revocation
//! is a command at the desk like every other, and is answered once it is durable. Whether a token counts
//! is answered from what the desk knows to be durable, never from the database; while revoking fails,
//! nothing is vouched for.

#![expect(clippy::result_large_err, reason = "what goes wrong is an answer too, made once a call")]

mod answer;
mod callers;
mod config;
mod form;
mod kubernetes;
mod oauth;
mod routes;
mod secret;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tokens;

use std::sync::Arc;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::principal::CallerId;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::crowd::Rate;
use crate::desk::Desk;
use crate::entropy::{Entropy, EntropyError};
use crate::http::{self, Crowd};

pub use config::{Caller, Config, Errand};

/// A gateway asks for each request of its own that it has not seen lately, and each question is a
/// connection and its handshake, about a millisecond of CPU.
const CROWD: Crowd =
    Crowd { connections: 512, connections_per_address: 256, connects: Rate::new(200, 800) };

/// Answers `config`'s callers at `listener`, over TLS with the certificate of `tls`, until `stop` turns
/// true. A revocation on its way is answered as long as the desk works.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    desk: Arc<Desk>,
    config: Config,
    stop: watch::Receiver<bool>,
) {
    let router = routes::router(Box::new(desk), config.callers);
    http::serve(listener, Some(tls.as_ref()), router, CROWD, stop).await;
}

/// A new secret for the caller `id`, and the lines that make it one in the configuration.
///
/// # Errors
///
/// [`EntropyError`] if there is no randomness.
pub fn invite(
    id: &CallerId,
    entropy: &dyn Entropy,
) -> Result<(Zeroizing<String>, String), EntropyError> {
    let secret = secret::fresh(entropy)?;
    let digest = Digest::of(secret.as_bytes());
    let lines = format!(
        "[[api.caller]]\nid = \"{id}\"\ntoken-sha256 = \"{digest}\"\nmay = [\"introspect\"]\n"
    );
    Ok((secret, lines))
}
