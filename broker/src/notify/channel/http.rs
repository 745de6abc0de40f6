//! One POST under limits: no redirects, no proxy of the environment, a bound on time and on answers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::{NotifyError, Trouble};
use crate::notify::backoff::ASKED_MAX;
use crate::notify::config::ChannelConfig;
use crate::notify::secret::Secret;

/// Time to be connected.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Time for the whole exchange.
const EXCHANGE_MAX: Duration = Duration::from_secs(10);

/// Bytes of an answer that are read; no channel needs more to say yes.
const ANSWER_MAX: usize = 16 * 1024;

/// Largest file of certificate authorities: the system's own bundle has some 200 KiB.
const CA_MAX: u64 = 1024 * 1024;

/// An HTTP client for one channel.
pub(super) struct Http(Client);

/// An answer, as much of it as was read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

impl Http {
    /// A client that trusts the channel's authorities, or else the system's.
    pub(super) fn new(config: &ChannelConfig) -> Result<Self, NotifyError> {
        let setup = |what: String| NotifyError::Setup { channel: config.name.clone(), what };
        let mut roots = RootCertStore::empty();
        match &config.ca_file {
            Some(path) => {
                for certificate in authorities(path)? {
                    roots.add(certificate).map_err(|error| setup(error.to_string()))?;
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| setup(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_MAX)
            .timeout(EXCHANGE_MAX)
            .http1_only()
            .pool_max_idle_per_host(1)
            .user_agent(concat!("breakglassd/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| setup(error.without_url().to_string()))?;
        Ok(Self(client))
    }

    /// Posts JSON; an answer of whatever status, unless it says to come back later.
    pub(super) async fn post(
        &self,
        url: &Url,
        headers: &[(&'static str, String)],
        body: Vec<u8>,
    ) -> Result<Answer, Trouble> {
        let mut request = self.0.post(url.clone()).body(body);
        request = request.header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        // The URL of some channels is their secret.
        let failed =
            |error: reqwest::Error| Trouble::channel(crate::report::chain(&error.without_url()));
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        if matches!(status, 408 | 425 | 429 | 500..=599) {
            let what = format!("the other side answers {status}");
            return Err(Trouble::Channel { what, wait: retry_after(&response) });
        }
        let mut read = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            let room = ANSWER_MAX.saturating_sub(read.len());
            read.extend(chunk.iter().take(room));
            if chunk.len() >= room {
                break;
            }
        }
        Ok(Answer { status, body: read })
    }
}

impl Answer {
    /// # Errors
    ///
    /// [`Trouble`] unless it is as `takes` says. What came instead stays out of the log.
    pub(super) fn judged(&self, takes: impl FnOnce(&Self) -> bool) -> Result<(), Trouble> {
        let Self { status, .. } = self;
        match status {
            200..=299 if takes(self) => Ok(()),
            // Log-in pages and captive portals say 200 to everything.
            200..=299 => Err(Trouble::channel(format!(
                "the answer {status} is not the one of this kind of channel"
            ))),
            300..=399 => Err(Trouble::channel(format!("redirected ({status}); set the final URL"))),
            401 | 403 | 404 | 410 => {
                Err(Trouble::channel(format!("refused ({status}); are URL and secret right?")))
            }
            _ => Err(Trouble::notice(format!("the notice was refused ({status})"))),
        }
    }
}

/// How long the other side asks to be left alone, in whole seconds, bounded; a date is passed over.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get("retry-after")?.to_str().ok()?;
    let seconds: u64 = value.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(ASKED_MAX))
}

/// The certificates in `path`, PEM, at least one.
pub(super) fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, NotifyError> {
    let failed = |source| NotifyError::File { path: path.into(), source };
    let rule = "it holds certificates in PEM, at most 1 MiB";
    let content = || NotifyError::Content { path: path.into(), rule };
    if std::fs::metadata(path).map_err(failed)?.len() > CA_MAX {
        return Err(content());
    }
    let text = std::fs::read(path).map_err(failed)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    found.ok().filter(|all| !all.is_empty()).ok_or_else(content)
}

/// The URL that a secret file holds.
pub(super) fn secret_url(path: &Path) -> Result<Url, NotifyError> {
    let rule = "it holds the webhook's URL: https://…, or http://… on this machine";
    let secret = Secret::read(path)?;
    crate::notify::config::url(secret.reveal())
        .map_err(|_| NotifyError::Content { path: path.into(), rule })
}
