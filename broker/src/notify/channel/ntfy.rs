//! ntfy: JSON to the server's root, with the topic inside; self-hosted, it shares no fate with the
//! identity provider.
//!
//! <https://docs.ntfy.sh/publish/#publish-as-json>

use std::path::Path;

use reqwest::Url;
use serde_json::{Value, json};

use super::http::{Answer, Http};
use super::{NotifyError, Trouble};
use crate::notify::config::ChannelConfig;
use crate::notify::notice::{Notice, Urgency};
use crate::notify::secret::Secret;
use crate::notify::words::Message;

/// Longest message in bytes (ntfy: 4,096; what is longer becomes an attachment).
const MESSAGE_MAX: usize = 4000;

/// Longest topic (ntfy).
const TOPIC_MAX: usize = 64;

pub(super) struct Ntfy {
    http: Http,
    url: Url,
    token: Option<Secret>,
}

impl Ntfy {
    pub(super) fn open(
        config: &ChannelConfig,
        url: &Url,
        secret: Option<&Path>,
    ) -> Result<Self, NotifyError> {
        let token = secret.map(Secret::read).transpose()?;
        Ok(Self { http: Http::new(config)?, url: url.clone(), token })
    }

    pub(super) async fn deliver(&self, notice: &Notice) -> Result<(), Trouble> {
        let topic = notice.address.rest();
        let is_topic = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if topic.len() > TOPIC_MAX || !topic.bytes().all(is_topic) {
            return Err(Trouble::notice("its address is no topic of ntfy"));
        }
        let token = self.token.as_ref().map(|token| format!("Bearer {}", token.reveal()));
        let headers: Vec<_> = token.map(|token| ("authorization", token)).into_iter().collect();
        let body = body(notice).to_string().into_bytes();
        self.http.post(&self.url, &headers, body).await?.judged(took)
    }
}

/// The server says back what it published, with an id.
fn took(answer: &Answer) -> bool {
    let said = serde_json::from_slice::<Value>(&answer.body);
    said.is_ok_and(|said| said.get("id").is_some_and(Value::is_string))
}

fn body(notice: &Notice) -> Value {
    let message = Message::of(notice);
    let (priority, tag) = match notice.topic.urgency() {
        Urgency::Loud => (5, "rotating_light"),
        Urgency::Asks => (4, "key"),
        Urgency::Tells => (3, "information_source"),
    };
    let mut text = message.body();
    let end = (0..=MESSAGE_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    json!({
        "topic": notice.address.rest(),
        "title": message.title,
        "message": text,
        "priority": priority,
        "tags": [tag],
    })
}
