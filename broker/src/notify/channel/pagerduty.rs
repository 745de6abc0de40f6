//! PagerDuty: Events API v2. One alert for each request or outage, opened by what asks or warns and
//! resolved by what ends it.
//!
//! <https://developer.pagerduty.com/docs/events-api-v2-overview>

use std::path::Path;

use reqwest::Url;
use serde_json::{Value, json};

use super::http::Http;
use super::{NotifyError, Trouble};
use crate::notify::config::ChannelConfig;
use crate::notify::notice::{About, Notice, Topic};
use crate::notify::secret::Secret;
use crate::notify::words::Message;

/// Longest summary in characters (PagerDuty: 1,024).
const SUMMARY_MAX: usize = 1024;

pub(super) struct PagerDuty {
    http: Http,
    url: Url,
    routing_key: Secret,
}

impl PagerDuty {
    pub(super) fn open(
        config: &ChannelConfig,
        url: &Url,
        secret: &Path,
    ) -> Result<Self, NotifyError> {
        Ok(Self { http: Http::new(config)?, url: url.clone(), routing_key: Secret::read(secret)? })
    }

    pub(super) async fn deliver(&self, notice: &Notice) -> Result<(), Trouble> {
        let body = body(notice, self.routing_key.reveal()).to_string().into_bytes();
        self.http.post(&self.url, &[], body).await?.judged(|answer| answer.status == 202)
    }
}

fn body(notice: &Notice, routing_key: &str) -> Value {
    let message = Message::of(notice);
    let mut details = serde_json::Map::new();
    for (name, value) in &message.facts {
        details.insert((*name).to_owned(), json!(value));
    }
    details.insert("what to do".to_owned(), json!(message.advice));
    let subject = match notice.about.as_ref() {
        About::Request(asked) => asked.id.to_string(),
        About::Outage(dependency) => format!("outage:{dependency}"),
        // Each kind of alarm of a host is an incident of its own.
        About::Target(target, _) => format!("{}:{target}", notice.topic.name()),
        About::Nothing => format!("test:{}", notice.id),
    };
    let (action, severity) = action(&notice.topic);
    json!({
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": subject,
        "payload": {
            "summary": message.title.chars().take(SUMMARY_MAX).collect::<String>(),
            "source": "breakglassd",
            "severity": severity,
            "custom_details": details,
        },
    })
}

const fn action(topic: &Topic) -> (&'static str, &'static str) {
    match topic {
        Topic::Emergency | Topic::Escalated(_) | Topic::OutageBegan | Topic::Alarm(_) => {
            ("trigger", "critical")
        }
        Topic::Asked | Topic::Reminder(_) => ("trigger", "error"),
        Topic::Revoked(..) => ("trigger", "warning"),
        Topic::ReviewDue | Topic::Test => ("trigger", "info"),
        Topic::Approved
        | Topic::Denied
        | Topic::Lapsed
        | Topic::Disallowed(_)
        | Topic::Issued(_)
        | Topic::OutageEnded => ("resolve", "info"),
    }
}
