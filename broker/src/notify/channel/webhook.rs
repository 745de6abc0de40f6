//! The generic webhook, signed in the Standard Webhooks manner: HMAC-SHA256 over id, time and body, so
//! that a receiver knows who speaks, refuses what is older than five minutes, and knows a repetition
//! by `webhook-id`.
//!
//! <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>

use std::path::Path;

use breakglass_ledger::time::Timestamp;
use data_encoding::BASE64;
use reqwest::Url;
use ring::hmac;
use serde_json::{Value, json};

use super::http::Http;
use super::{NotifyError, Trouble};
use crate::notify::config::ChannelConfig;
use crate::notify::notice::{About, Notice};
use crate::notify::secret::Secret;
use crate::notify::words::{Message, clean};

/// What a key begins with in its text form.
const KEY_PREFIX: &str = "whsec_";

/// Lengths of a key in bytes, as the specification has them.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

pub(super) struct Webhook {
    http: Http,
    url: Url,
    key: hmac::Key,
}

impl Webhook {
    pub(super) fn open(
        config: &ChannelConfig,
        url: &Url,
        secret: &Path,
    ) -> Result<Self, NotifyError> {
        let rule = "it holds whsec_ and 24 to 64 random bytes in base64";
        let text = Secret::read(secret)?;
        let key = text.reveal().strip_prefix(KEY_PREFIX);
        let key = key.and_then(|key| BASE64.decode(key.as_bytes()).ok());
        let key = key.filter(|key| KEY_BYTES.contains(&key.len()));
        let key = key.ok_or_else(|| NotifyError::Content { path: secret.into(), rule })?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &zeroize::Zeroizing::new(key));
        Ok(Self { http: Http::new(config)?, url: url.clone(), key })
    }

    pub(super) async fn deliver(&self, notice: &Notice, now: Timestamp) -> Result<(), Trouble> {
        let body = body(notice).to_string();
        let (id, at) = (notice.id.to_string(), now.unix_seconds().to_string());
        let signed = hmac::sign(&self.key, format!("{id}.{at}.{body}").as_bytes());
        let headers = [
            ("webhook-id", id),
            ("webhook-timestamp", at),
            ("webhook-signature", format!("v1,{}", BASE64.encode(signed.as_ref()))),
        ];
        self.http.post(&self.url, &headers, body.into_bytes()).await?.judged(|_| true)
    }
}

/// `{"type", "timestamp", "data"}`; the facts by name, and the words.
fn body(notice: &Notice) -> Value {
    let message = Message::of(notice);
    let mut data = json!({
        "notice": notice.id.to_string(),
        "entry": notice.entry,
        "address": notice.address.rest(),
        "to": notice.to.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "title": message.title,
        "text": message.body(),
    });
    let facts = match notice.about.as_ref() {
        About::Request(asked) => json!({
            "request": asked.id.to_string(),
            "requester": asked.by.as_str(),
            "scope": asked.scope.as_str(),
            "scope_title": clean(&asked.title),
            "lane": asked.lane.name(),
            "ttl_seconds": asked.ttl.seconds(),
            "incident": asked.incident,
            "key": asked.fingerprint,
            "lapses_at": asked.lapses.to_string(),
        }),
        About::Outage(dependency) => json!({ "dependency": dependency.as_str() }),
        About::Target(target, None) => json!({ "target": target.as_str() }),
        About::Target(target, Some(request)) => {
            json!({ "target": target.as_str(), "request": request.to_string() })
        }
        About::Nothing => json!({}),
    };
    if let (Value::Object(data), Value::Object(facts)) = (&mut data, facts) {
        data.extend(facts);
    }
    json!({
        "type": format!("breakglass.{}", notice.topic.name()),
        "timestamp": notice.at.to_string(),
        "data": data,
    })
}
