//! Slack: an incoming webhook. Text is plain, so that nothing in it becomes a link or a mention; the
//! three characters that Slack gives a meaning are escaped.
//!
//! <https://docs.slack.dev/messaging/formatting-message-text>

use std::path::Path;

use reqwest::Url;
use serde_json::{Value, json};

use super::http::{Http, secret_url};
use super::{NotifyError, Trouble};
use crate::notify::config::ChannelConfig;
use crate::notify::notice::Notice;
use crate::notify::words::Message;

/// Longest text of one block in characters (Slack: 3,000).
const BLOCK_MAX: usize = 2900;

pub(super) struct Slack {
    http: Http,
    url: Url,
}

impl Slack {
    pub(super) fn open(config: &ChannelConfig, secret: &Path) -> Result<Self, NotifyError> {
        Ok(Self { http: Http::new(config)?, url: secret_url(secret)? })
    }

    pub(super) async fn deliver(&self, notice: &Notice) -> Result<(), Trouble> {
        let body = body(notice).to_string().into_bytes();
        self.http.post(&self.url, &[], body).await?.judged(|answer| answer.body == b"ok")
    }
}

fn body(notice: &Notice) -> Value {
    let message = Message::of(notice);
    let title = escaped(&message.title);
    // A member's id as address is a mention: it makes their phone ring.
    let mention = member(notice.address.rest()).map(|id| format!("<@{id}> ")).unwrap_or_default();
    let block = |text: &str| {
        let text: String = escaped(text).chars().take(BLOCK_MAX).collect();
        json!({
            "type": "section",
            "text": { "type": "plain_text", "text": text, "emoji": false },
        })
    };
    json!({
        "text": format!("{mention}{title}"),
        "blocks": [
            {
                "type": "section",
                "text": { "type": "mrkdwn", "text": format!("{mention}{title}"), "verbatim": true },
            },
            block(&message.body()),
        ],
    })
}

/// `text` as Slack shows it and does not read it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A member's id: `U` or `W`, then capital letters and digits.
fn member(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(['U', 'W'])?;
    let is_id = (6..=20).contains(&rest.len())
        && rest.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    is_id.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_members_id_becomes_a_mention() {
        assert_eq!(member("U012ABCDEF"), Some("U012ABCDEF"));
        for not in ["sam", "U1", "U012ABCDEF>", "channel", "!here", "u012abcdef"] {
            assert_eq!(member(not), None, "{not}");
        }
    }
}
