//! One POST over TLS, with limits on everything.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use rustls::{ClientConfig, RootCertStore};
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Zeroizing<String>,
}

/// Sends `body` to `url` and waits for the answer.
///
/// # Errors
///
/// [`Failure`] if the address is not one that secrets may be sent to, or nothing came back.
pub(super) fn post(
    url: &str,
    headers: &[(&str, String)],
    body: Zeroizing<String>,
    within: Duration,
) -> Result<Answer, Failure> {
    let url = address(url)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| unreachable(&url, &error.to_string()))?;
    runtime.block_on(async {
        let mut request = client(within)?.post(url.clone()).body(body.as_bytes().to_vec());
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        // Without the address: its query could hold what is secret.
        let failed = |error: reqwest::Error| unreachable(&url, &chain(&error.without_url()));
        let mut answer = request.send().await.map_err(failed)?;
        let status = answer.status().as_u16();
        let mut bytes = Zeroizing::new(Vec::with_capacity(BODY_MAX));
        while let Some(part) = answer.chunk().await.map_err(failed)? {
            if bytes.len().saturating_add(part.len()) > BODY_MAX {
                return Err(unreachable(&url, "it says more than any answer that is true"));
            }
            bytes.extend_from_slice(&part);
        }
        let body = String::from_utf8(bytes.to_vec());
        let body = body.map_err(|_| unreachable(&url, "its answer is no text"))?;
        Ok(Answer { status, body: Zeroizing::new(body) })
    })
}

/// Credentials go over TLS; in the clear to this machine only.
fn address(text: &str) -> Result<Url, Failure> {
    let bad = |rule: &str| Failure::usage(format!("--endpoint: {rule}"), "give https://HOST");
    let url = Url::parse(text).map_err(|error| bad(&error.to_string()))?;
    let is_here = url.host_str().is_some_and(|host| matches!(host, "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_here => Ok(url),
        _ => Err(bad("only https is spoken; http to this machine alone")),
    }
}

fn client(within: Duration) -> Result<Client, Failure> {
    let broken = |what: String| Failure::new(Exit::Internal, what, "nothing was sent", "");
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let tls = tls.map_err(|error| broken(error.to_string()))?;
    let tls = tls.with_root_certificates(roots).with_no_client_auth();
    Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .timeout(within)
        .build()
        .map_err(|error| broken(chain(&error)))
}

fn unreachable(url: &Url, why: &str) -> Failure {
    let host = url.host_str().unwrap_or("AWS");
    let what = format!("no answer of {host}: {why}");
    Failure::new(Exit::Unreachable, what, "no session was given", "look at the way there")
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// A session token has a few KiB; with what is around it, some more.
const BODY_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_goes_in_the_clear_but_to_this_machine() {
        assert!(address("https://sts.eu-west-1.amazonaws.com").is_ok());
        assert!(address("http://127.0.0.1:1").is_ok());
        for bad in ["http://sts.amazonaws.com", "http://127.0.0.1.evil.example", "file:///x", "x"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
