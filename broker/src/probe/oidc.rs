//! An OpenID issuer, asked like a relying party would, as far as that goes without an account there.
//!
//! OpenID Connect Discovery 1.0, section 4; RFC 7517 (key sets); RFC 6749, section 5.2 (`invalid_client`).
//! Discovery and keys alone prove little: both are often files behind a cache. That the token endpoint
//! knows that it does not know a client proves that the process behind it lives.

use std::collections::BTreeSet;

use reqwest::{Client, Url};
use serde::Deserialize;

use super::ask::{Reply, exchange, of_status};
use super::seen::Finding;
use super::settings;

/// A client that no issuer can know.
const UNKNOWN_CLIENT: &str = "breakglass-probe-unknown-client";

/// One issuer, and what it said of itself last.
pub(super) struct Issuer {
    issuer: String,
    endpoints: Option<Endpoints>,
    keys: BTreeSet<String>,
}

#[derive(Clone)]
struct Endpoints {
    keys: Url,
    token: Url,
}

/// The part of a discovery document that is needed here.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
    token_endpoint: String,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Key {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
}

#[derive(Deserialize)]
struct OauthError {
    error: String,
}

impl Issuer {
    pub(super) fn new(issuer: &str) -> Self {
        Self { issuer: issuer.to_owned(), endpoints: None, keys: BTreeSet::new() }
    }

    /// Asks for discovery, keys and a token. While discovery fails, the addresses of last time are
    /// asked; if there were none, only discovery speaks.
    pub(super) async fn ask(&mut self, client: &Client) -> Vec<(&'static str, Finding)> {
        let discovery = match self.discover(client).await {
            Ok(endpoints) => {
                self.endpoints = Some(endpoints);
                Finding::Up
            }
            Err(finding) => finding,
        };
        let mut findings = vec![("discovery", discovery)];
        if let Some(Endpoints { keys, token }) = self.endpoints.clone() {
            findings.push(("keys", self.fetch_keys(client, keys).await));
            findings.push(("token", ask_token(client, token).await));
        } else if discovery == Finding::Up {
            // Too busy to say where its endpoints are (429): alive, but no proof of a recovery.
            findings.push(("token", Finding::Prober));
        }
        findings
    }

    async fn discover(&self, client: &Client) -> Result<Endpoints, Finding> {
        let base = self.issuer.strip_suffix('/').unwrap_or(&self.issuer);
        let url = format!("{base}/.well-known/openid-configuration");
        let reply = exchange(client.get(url)).await?;
        let found: Discovery = document(&reply)?;
        // Section 4.3: identical, or somebody else is speaking.
        if found.issuer != self.issuer {
            return Err(Finding::WrongIssuer);
        }
        let endpoint = |text: &str| settings::url(text).ok_or(Finding::Body);
        Ok(Endpoints { keys: endpoint(&found.jwks_uri)?, token: endpoint(&found.token_endpoint)? })
    }

    async fn fetch_keys(&mut self, client: &Client, url: Url) -> Finding {
        let reply = match exchange(client.get(url)).await {
            Ok(reply) if reply.status == 429 => return Finding::Up,
            Ok(reply) => reply,
            Err(finding) => return finding,
        };
        let set: KeySet = match document(&reply) {
            Ok(set) => set,
            Err(finding) => return finding,
        };
        let usable = |key: &&Key| {
            let known = matches!(key.kty.as_str(), "RSA" | "EC" | "OKP");
            known && key.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
        };
        let usable: Vec<&Key> = set.keys.iter().filter(usable).collect();
        if usable.is_empty() {
            return Finding::NoKeys;
        }
        self.compare(usable.into_iter().filter_map(|key| key.kid.clone()).collect());
        Finding::Up
    }

    /// Other keys are no outage, but rotated or tampered with: somebody should know.
    fn compare(&mut self, now: BTreeSet<String>) {
        if !self.keys.is_empty() && self.keys != now {
            let (before, issuer) = (&self.keys, &self.issuer);
            tracing::warn!(%issuer, ?before, ?now, "the issuer's keys changed: rotation or tampering");
        }
        self.keys = now;
    }
}

async fn ask_token(client: &Client, url: Url) -> Finding {
    let body = format!(
        "grant_type=client_credentials&client_id={UNKNOWN_CLIENT}&client_secret={UNKNOWN_CLIENT}"
    );
    let form = ("content-type", "application/x-www-form-urlencoded");
    let reply = match exchange(client.post(url).header(form.0, form.1).body(body)).await {
        Ok(reply) => reply,
        Err(finding) => return finding,
    };
    if !matches!(reply.status, 400 | 401) {
        let finding = of_status(reply.status);
        // A token for a client that does not exist is no good answer either.
        return if reply.status < 300 { Finding::Body } else { finding };
    }
    match serde_json::from_slice::<OauthError>(&reply.body) {
        Ok(said) if KNOWING.contains(&said.error.as_str()) => Finding::Up,
        Ok(_) | Err(_) => Finding::Body,
    }
}

/// What an issuer says that looked for the client; some say that it may not do this.
const KNOWING: [&str; 2] = ["invalid_client", "unauthorized_client"];

/// The JSON in a reply of status 200.
fn document<T: for<'a> Deserialize<'a>>(reply: &Reply) -> Result<T, Finding> {
    if reply.status != 200 {
        return Err(of_status(reply.status));
    }
    serde_json::from_slice(&reply.body).map_err(|_| Finding::Body)
}
