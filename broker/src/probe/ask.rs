//! Asking: real connections and requests, each with an end in time and in size.

use std::error::Error;
use std::io;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Url};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::oidc::Issuer;
use super::seen::{Answer, Finding, Role};
use super::settings::Watch;
use super::tls::{self, CaError};

/// Largest answer read: a discovery document has some 3 KiB, a key set with certificates some 20.
const ANSWER_MAX_BYTES: usize = 256 * 1024;

/// Asks one dependency in all its ways.
pub(super) struct Prober {
    client: Client,
    issuer: Option<Issuer>,
    http: Vec<Url>,
    tcp: Vec<String>,
    controls: Vec<String>,
    timeout: Duration,
}

/// A status and a body of at most [`ANSWER_MAX_BYTES`].
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Prober {
    pub(super) fn new(watch: &Watch) -> Result<Self, CaError> {
        let tls = tls::config(watch.ca_file.as_deref())?;
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            // What redirects is not what was configured; and redirects can go on for ever.
            .redirect(Policy::none())
            .no_proxy()
            .timeout(watch.timeout())
            // A connection kept would hide that no new one can be made.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("breakglassd/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| CaError::of_client(watch.ca_file.as_deref(), &error))?;
        Ok(Self {
            client,
            issuer: watch.issuer.as_deref().map(Issuer::new),
            http: watch.http.clone(),
            tcp: watch.tcp.clone(),
            controls: watch.controls.clone(),
            timeout: watch.timeout(),
        })
    }

    /// Asks everything once, one after the other: a round is short beside its interval, and nobody
    /// over there is asked for more than one thing at a time.
    pub(super) async fn round(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        let mut note = |probe: String, role, finding| {
            // All names are of our making, and fit.
            if let Ok(probe) = probe.parse() {
                answers.push(Answer { probe, role, finding });
            }
        };
        if let Some(issuer) = &mut self.issuer {
            for (probe, finding) in issuer.ask(&self.client).await {
                note(probe.to_owned(), Role::Target, finding);
            }
        }
        for (at, url) in (1..).zip(&self.http) {
            let finding = health(&self.client, url).await;
            note(format!("http-{at}"), Role::Target, finding);
        }
        for (at, address) in (1..).zip(&self.tcp) {
            note(format!("tcp-{at}"), Role::Target, knock(address, self.timeout).await);
        }
        for (at, address) in (1..).zip(&self.controls) {
            note(format!("control-{at}"), Role::Control, knock(address, self.timeout).await);
        }
        answers
    }
}

/// Whether something accepts a connection there.
async fn knock(address: &str, limit: Duration) -> Finding {
    let connect = async {
        let Ok(found) = tokio::net::lookup_host(address).await else { return Finding::Dns };
        let mut finding = Finding::Dns;
        for address in found {
            match TcpStream::connect(address).await {
                Ok(_) => return Finding::Up,
                Err(error) => finding = of_io(&error).unwrap_or(Finding::Connect),
            }
        }
        finding
    };
    timeout(limit, connect).await.unwrap_or(Finding::Slow)
}

async fn health(client: &Client, url: &Url) -> Finding {
    match exchange(client.get(url.clone())).await {
        Ok(reply) if (200..300).contains(&reply.status) => Finding::Up,
        Ok(reply) => of_status(reply.status),
        Err(finding) => finding,
    }
}

/// Sends one request and reads its answer, no further than [`ANSWER_MAX_BYTES`].
pub(super) async fn exchange(request: RequestBuilder) -> Result<Reply, Finding> {
    let mut response = request.send().await.map_err(|error| of_error(&error))?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| of_error(&error))? {
        if body.len().saturating_add(chunk.len()) > ANSWER_MAX_BYTES {
            return Err(Finding::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { status, body })
}

/// What a status that is not the expected one means. 429 comes from something alive.
pub(super) const fn of_status(status: u16) -> Finding {
    match status {
        429 => Finding::Up,
        300..=399 => Finding::Redirect,
        500..=599 => Finding::Http5xx,
        _ => Finding::Http4xx,
    }
}

/// What went wrong, by the causes of the error: what is ours first, then from the outside in.
fn of_error(error: &reqwest::Error) -> Finding {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut dns = false;
    while let Some(one) = cause {
        if let Some(io) = one.downcast_ref::<io::Error>()
            && let Some(finding) = of_io(io)
        {
            return finding;
        }
        if one.downcast_ref::<rustls::Error>().is_some() {
            return Finding::Tls;
        }
        // hyper-util's connector has no other mark for it.
        dns |= one.to_string().starts_with("dns error");
        cause = one.source();
    }
    if dns {
        Finding::Dns
    } else if error.is_timeout() {
        Finding::Slow
    } else if error.is_connect() {
        Finding::Connect
    } else {
        Finding::Body
    }
}

/// An I/O error that says more than that the connection failed.
fn of_io(error: &io::Error) -> Option<Finding> {
    let inner = error.get_ref();
    if inner.is_some_and(|inner| inner.downcast_ref::<rustls::Error>().is_some()) {
        return Some(Finding::Tls);
    }
    // TLS over a connection wraps one I/O error in another, and `source` skips what is wrapped.
    if let Some(inner) = inner.and_then(|inner| inner.downcast_ref::<io::Error>()) {
        return of_io(inner);
    }
    match error.raw_os_error() {
        Some(code) if OURS.contains(&code) => Some(Finding::Prober),
        _ if error.kind() == io::ErrorKind::TimedOut => Some(Finding::Slow),
        _ => None,
    }
}

/// Errors of this machine and not of the other (Linux, errno(3)): ENOMEM, ENFILE, EMFILE,
/// EADDRNOTAVAIL, ENOBUFS, EACCES and EPERM by a local firewall.
const OURS: [i32; 7] = [12, 23, 24, 99, 105, 13, 1];

#[cfg(test)]
mod tests;
