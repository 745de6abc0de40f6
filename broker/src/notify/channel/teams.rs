//! Teams: a workflow's webhook, which takes Adaptive Cards only. Text goes into text runs, which know
//! no markdown, so that nothing in it becomes a link; there is no action on the card.
//!
//! <https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>

use std::path::Path;

use reqwest::Url;
use serde_json::{Value, json};

use super::http::{Http, secret_url};
use super::{NotifyError, Trouble};
use crate::notify::config::ChannelConfig;
use crate::notify::notice::{Notice, Urgency};
use crate::notify::words::Message;

pub(super) struct Teams {
    http: Http,
    url: Url,
}

impl Teams {
    pub(super) fn open(config: &ChannelConfig, secret: &Path) -> Result<Self, NotifyError> {
        Ok(Self { http: Http::new(config)?, url: secret_url(secret)? })
    }

    pub(super) async fn deliver(&self, notice: &Notice) -> Result<(), Trouble> {
        let body = body(notice).to_string().into_bytes();
        // Workflows answer 202 with nothing. A page of HTML is somebody else's answer.
        let takes = |answer: &super::http::Answer| !answer.body.starts_with(b"<");
        self.http.post(&self.url, &[], body).await?.judged(takes)
    }
}

fn body(notice: &Notice) -> Value {
    let message = Message::of(notice);
    let color = match notice.topic.urgency() {
        Urgency::Loud => "Attention",
        Urgency::Asks => "Warning",
        Urgency::Tells => "Default",
    };
    let line = |runs: Value| json!({ "type": "RichTextBlock", "inlines": runs });
    let run = |text: &str| json!({ "type": "TextRun", "text": text });
    let bold = |text: &str| json!({ "type": "TextRun", "text": text, "weight": "Bolder" });
    let mut lines = vec![line(json!([{
        "type": "TextRun",
        "text": message.title,
        "weight": "Bolder",
        "size": "Large",
        "color": color,
    }]))];
    let facts = message.facts.iter();
    lines.extend(facts.map(|(name, value)| line(json!([bold(&format!("{name}: ")), run(value)]))));
    lines.push(line(json!([run(&message.advice)])));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": lines,
            },
        }],
    })
}
