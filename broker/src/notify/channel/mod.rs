//! The ways out: each puts a notice into its own form, escaped in its own way, and judges the answer.

mod http;
mod mail;
mod ntfy;
mod pagerduty;
mod slack;
mod teams;
mod webhook;

use std::path::PathBuf;
use std::time::Duration;

use breakglass_ledger::principal::ChannelId;
use breakglass_ledger::time::Timestamp;
use tokio::time::timeout;

use self::mail::Mail;
use self::ntfy::Ntfy;
use self::pagerduty::PagerDuty;
use self::slack::Slack;
use self::teams::Teams;
use self::webhook::Webhook;
use super::config::{ChannelConfig, Config, Way};
use super::notice::{Address, Notice};

/// The longest delivery, whatever the other side does: the channel's next notice waits behind it.
const DELIVERY_MAX: Duration = Duration::from_secs(15);

/// A channel cannot be used as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file with a secret can be read by others, or is no plain file.
    #[error("{} has mode {mode:04o}; a secret is a plain file of mode 0600: chmod 0600 it", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file does not hold what it should.
    #[error("{} is not as it should be: {rule}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The rule.
        rule: &'static str,
    },
    /// TLS or HTTP could not be set up.
    #[error("the channel {channel} cannot be set up: {what}")]
    Setup {
        /// Which channel.
        channel: ChannelId,
        /// What is wrong.
        what: String,
    },
}

/// A delivery failed. The words go to the log; they hold no secret and no text of the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The other side is not reached, or takes nothing now: the next notice would fare no better.
    Channel {
        /// What is wrong.
        what: String,
        /// How long it asks to be left alone.
        wait: Option<Duration>,
    },
    /// The other side refuses this notice.
    Notice {
        /// What is wrong.
        what: String,
    },
}

impl Trouble {
    pub(super) fn channel(what: impl Into<String>) -> Self {
        Self::Channel { what: what.into(), wait: None }
    }

    pub(super) fn notice(what: impl Into<String>) -> Self {
        Self::Notice { what: what.into() }
    }

    /// What is wrong, in one clause.
    pub(super) fn what(&self) -> &str {
        match self {
            Self::Channel { what, .. } | Self::Notice { what } => what,
        }
    }
}

/// The channels of the configuration, ready for use.
pub struct Channels(Vec<Channel>);

struct Channel {
    name: ChannelId,
    kind: &'static str,
    sender: Sender,
}

enum Sender {
    Webhook(Webhook),
    Slack(Slack),
    Teams(Teams),
    PagerDuty(PagerDuty),
    Ntfy(Ntfy),
    Mail(Box<Mail>),
}

impl Channels {
    /// Reads the secrets and sets TLS up; connects nowhere.
    ///
    /// # Errors
    ///
    /// [`NotifyError`], naming the file or the channel.
    pub fn open(config: &Config) -> Result<Self, NotifyError> {
        config.channels.iter().map(Channel::open).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names, in the configuration's order.
    pub(super) fn names(&self) -> impl Iterator<Item = ChannelId> {
        self.0.iter().map(|channel| channel.name.clone())
    }

    /// The channel that `address` means: the one of its scheme's name, or else the first of its kind.
    pub(super) fn meant_by(&self, address: &Address) -> Option<&ChannelId> {
        let scheme = address.scheme();
        let by_name = self.0.iter().find(|channel| channel.name.as_str() == scheme);
        let by_kind = || self.0.iter().find(|channel| channel.kind == scheme);
        by_name.or_else(by_kind).map(|channel| &channel.name)
    }

    /// Delivers `notice` by the channel `name`, now.
    ///
    /// # Errors
    ///
    /// [`Trouble`]; it may have been delivered all the same.
    pub(super) async fn deliver(
        &self,
        name: &ChannelId,
        notice: &Notice,
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let channel = self.0.iter().find(|channel| channel.name == *name);
        let channel = channel.ok_or_else(|| Trouble::notice("there is no such channel"))?;
        let delivery = async {
            match &channel.sender {
                Sender::Webhook(webhook) => webhook.deliver(notice, now).await,
                Sender::Slack(slack) => slack.deliver(notice).await,
                Sender::Teams(teams) => teams.deliver(notice).await,
                Sender::PagerDuty(pagerduty) => pagerduty.deliver(notice).await,
                Sender::Ntfy(ntfy) => ntfy.deliver(notice).await,
                Sender::Mail(mail) => mail.deliver(notice, now).await,
            }
        };
        let late = || Trouble::channel("no answer in 15 s");
        timeout(DELIVERY_MAX, delivery).await.unwrap_or_else(|_| Err(late()))
    }
}

impl Channel {
    fn open(config: &ChannelConfig) -> Result<Self, NotifyError> {
        let (name, way) = (config.name.clone(), &config.way);
        let sender = match way {
            Way::Webhook { url, secret } => Sender::Webhook(Webhook::open(config, url, secret)?),
            Way::Slack { secret } => Sender::Slack(Slack::open(config, secret)?),
            Way::Teams { secret } => Sender::Teams(Teams::open(config, secret)?),
            Way::PagerDuty { url, secret } => {
                Sender::PagerDuty(PagerDuty::open(config, url, secret)?)
            }
            Way::Ntfy { url, secret } => Sender::Ntfy(Ntfy::open(config, url, secret.as_deref())?),
            Way::Mail { host, port, from, login } => {
                Sender::Mail(Box::new(Mail::open(config, host, *port, from, login.as_ref())?))
            }
        };
        Ok(Self { name, kind: way.kind(), sender })
    }
}

#[cfg(test)]
mod tests;
