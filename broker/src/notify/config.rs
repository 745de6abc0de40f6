//! `[notify]` of the daemon's configuration, strict.
//!
//! ```toml
//! [notify]
//! remind-after = 300                 # seconds; the wait doubles with each reminder; 0 for none
//!
//! [[notify.channel]]
//! name = "ntfy"                      # addresses in people.toml begin with it: ntfy:sam-oncall
//! kind = "ntfy"
//! url = "https://ntfy.example.com"
//! secret-file = "/etc/breakglass/ntfy.token"   # mode 0600
//! ```

use std::path::PathBuf;

use breakglass_ledger::principal::ChannelId;
use reqwest::Url;
use serde::Deserialize;

/// Most channels: several of each kind.
const CHANNELS_MAX: usize = 16;

/// Longest name of a channel: it stands in people's addresses.
const NAME_MAX: usize = 32;

/// Longest URL: longer ones are refused by many servers.
const URL_MAX: usize = 2000;

/// Longest wait before the first reminder, in seconds: the longest that a request waits at all.
const REMIND_MAX: u64 = 86_400;

/// Wait before the first reminder unless the file says otherwise, in seconds.
const REMIND_DEFAULT: u64 = 300;

/// PagerDuty's one address for events (Events API v2).
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

/// How people are told.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawConfig")]
pub struct Config {
    /// Seconds before the first reminder of an unanswered request; 0 for none.
    pub remind_after: u64,
    /// The channels, in the file's order.
    pub channels: Vec<ChannelConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self { remind_after: REMIND_DEFAULT, channels: Vec::new() }
    }
}

/// One channel.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawChannel")]
pub struct ChannelConfig {
    /// Its name, 1 to 32 of a-z: the scheme of the addresses it is meant by.
    pub name: ChannelId,
    /// Authorities (PEM) to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Where it leads.
    pub way: Way,
}

/// Where a channel leads. Paths name files of mode 0600 that hold one secret each.
#[derive(Clone, Debug)]
pub enum Way {
    /// HTTP with a signature in the Standard Webhooks manner.
    Webhook {
        /// Where to.
        url: Url,
        /// Holds `whsec_` and the key in base64.
        secret: PathBuf,
    },
    /// A Slack incoming webhook.
    Slack {
        /// Holds its URL, which is all it takes to post.
        secret: PathBuf,
    },
    /// A Teams workflow that takes Adaptive Cards.
    Teams {
        /// Holds its URL, likewise.
        secret: PathBuf,
    },
    /// PagerDuty's Events API v2.
    PagerDuty {
        /// Where to.
        url: Url,
        /// Holds the routing key.
        secret: PathBuf,
    },
    /// An ntfy server.
    Ntfy {
        /// Its root.
        url: Url,
        /// Holds the access token, if it wants one.
        secret: Option<PathBuf>,
    },
    /// Mail through one's own relay, with STARTTLS.
    Mail {
        /// The relay's name.
        host: String,
        /// Its port.
        port: u16,
        /// The sender.
        from: lettre::message::Mailbox,
        /// The user name and the file that holds the password, if it wants them.
        login: Option<(String, PathBuf)>,
    },
}

impl Way {
    /// The kind, as the file and people's addresses say it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Webhook { .. } => "webhook",
            Self::Slack { .. } => "slack",
            Self::Teams { .. } => "teams",
            Self::PagerDuty { .. } => "pagerduty",
            Self::Ntfy { .. } => "ntfy",
            Self::Mail { .. } => "mailto",
        }
    }
}

impl TryFrom<RawConfig> for Config {
    type Error = String;

    fn try_from(raw: RawConfig) -> Result<Self, String> {
        let RawConfig { remind_after, channel } = raw;
        if remind_after > REMIND_MAX {
            return Err(format!("remind-after is at most {REMIND_MAX} seconds"));
        }
        if channel.len() > CHANNELS_MAX {
            return Err(format!("there are at most {CHANNELS_MAX} channels"));
        }
        for (at, one) in channel.iter().enumerate() {
            if channel.iter().take(at).any(|other| other.name == one.name) {
                return Err(format!("two channels have the name {:?}", one.name.as_str()));
            }
        }
        Ok(Self { remind_after, channels: channel })
    }
}

impl TryFrom<RawChannel> for ChannelConfig {
    type Error = String;

    fn try_from(mut raw: RawChannel) -> Result<Self, String> {
        let fits = (1..=NAME_MAX).contains(&raw.name.len());
        if !fits || !raw.name.bytes().all(|b| b.is_ascii_lowercase()) {
            return Err(format!("the name of a channel is 1 to {NAME_MAX} of a-z"));
        }
        let name = raw.name.parse().map_err(|_| "the name of a channel is no name".to_owned())?;
        let ca_file = raw.ca_file.take();
        let way = match raw.kind.as_str() {
            "webhook" => Way::Webhook { url: raw.url(None)?, secret: raw.secret()? },
            "slack" => Way::Slack { secret: raw.secret()? },
            "teams" => Way::Teams { secret: raw.secret()? },
            "pagerduty" => Way::PagerDuty { url: raw.url(Some(PAGERDUTY))?, secret: raw.secret()? },
            "ntfy" => Way::Ntfy { url: raw.url(None)?, secret: raw.secret_file.take() },
            "mail" => raw.mail()?,
            _ => return Err("kind is webhook, slack, teams, pagerduty, ntfy or mail".to_owned()),
        };
        raw.end()?;
        Ok(Self { name, ca_file, way })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawConfig {
    #[serde(default = "remind_default")]
    remind_after: u64,
    #[serde(default)]
    channel: Vec<ChannelConfig>,
}

const fn remind_default() -> u64 {
    REMIND_DEFAULT
}

/// What may stand in one; which of it must or must not depends on the kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct RawChannel {
    name: String,
    kind: String,
    url: Option<String>,
    secret_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    relay: Option<String>,
    from: Option<String>,
    user: Option<String>,
}

impl RawChannel {
    fn url(&mut self, default: Option<&str>) -> Result<Url, String> {
        let text = self.url.take().or_else(|| default.map(str::to_owned));
        url(&text.ok_or_else(|| self.lacks("url"))?)
    }

    fn secret(&mut self) -> Result<PathBuf, String> {
        self.secret_file.take().ok_or_else(|| self.lacks("secret-file"))
    }

    fn mail(&mut self) -> Result<Way, String> {
        let relay = self.relay.take().ok_or_else(|| self.lacks("relay"))?;
        let (host, port) = relay.rsplit_once(':').ok_or("relay is host:port")?;
        let port = port.parse().map_err(|_| "relay is host:port".to_owned())?;
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        if host.is_empty() || !host.chars().all(is_host) {
            return Err("relay is host:port".to_owned());
        }
        let from = self.from.take().ok_or_else(|| self.lacks("from"))?;
        let from = from.parse().map_err(|_| "from is a mail address".to_owned())?;
        let login = match (self.user.take(), self.secret_file.take()) {
            (Some(user), Some(secret)) => Some((user, secret)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err("user and secret-file come together, or neither".to_owned());
            }
        };
        Ok(Way::Mail { host: host.to_owned(), port, from, login })
    }

    /// Refuses what this kind has no use for: nothing is accepted that nobody acts on.
    fn end(&self) -> Result<(), String> {
        let left = [
            ("url", self.url.is_some()),
            ("secret-file", self.secret_file.is_some()),
            ("relay", self.relay.is_some()),
            ("from", self.from.is_some()),
            ("user", self.user.is_some()),
        ];
        match left.into_iter().find(|(_, is_there)| *is_there) {
            Some((key, _)) => Err(format!("a channel of kind {:?} has no {key}", self.kind)),
            None => Ok(()),
        }
    }

    fn lacks(&self, key: &str) -> String {
        format!("a channel of kind {:?} needs {key}", self.kind)
    }
}

/// A URL that may be posted to: over TLS, or to this machine itself.
///
/// # Errors
///
/// The rule that is broken.
pub(super) fn url(text: &str) -> Result<Url, String> {
    let rule = "the URL is https://…, or http://… on this machine (127.0.0.1, ::1), without user";
    let fault = || rule.to_owned();
    let url = Url::parse(text).map_err(|_| fault())?;
    let is_here = || {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
    };
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_here());
    let is_plain = url.username().is_empty() && url.password().is_none();
    if text.len() <= URL_MAX && is_safe && is_plain && url.has_host() {
        Ok(url)
    } else {
        Err(fault())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    const NTFY: &str =
        "[[channel]]\nname = \"ntfy\"\nkind = \"ntfy\"\nurl = \"https://n.example\"\n";

    #[test]
    fn each_kind_has_what_it_needs_and_nothing_else() {
        let all = format!(
            "{NTFY}[[channel]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"https://h.example/x\"\n\
             secret-file = \"/s\"\n[[channel]]\nname = \"slack\"\nkind = \"slack\"\n\
             secret-file = \"/s\"\n[[channel]]\nname = \"teams\"\nkind = \"teams\"\n\
             secret-file = \"/s\"\n[[channel]]\nname = \"pager\"\nkind = \"pagerduty\"\n\
             secret-file = \"/s\"\n[[channel]]\nname = \"post\"\nkind = \"mail\"\n\
             relay = \"mail.example:587\"\nfrom = \"Breakglass <bg@example.com>\"\n"
        );
        let config = read(&all).expect("fine");
        let kinds: Vec<_> = config.channels.iter().map(|one| one.way.kind()).collect();
        assert_eq!(kinds, ["ntfy", "webhook", "slack", "teams", "pagerduty", "mailto"]);
        assert_eq!(config.remind_after, 300);
        for (more, told) in [
            ("user = \"x\"\n", "a channel of kind \"ntfy\" has no user"),
            ("relay = \"x:1\"\n", "a channel of kind \"ntfy\" has no relay"),
            ("toekn = \"x\"\n", "unknown field `toekn`"),
        ] {
            let error = read(&format!("{NTFY}{more}")).expect_err(more);
            assert!(error.contains(told), "{error}");
        }
        for (text, told) in [
            (
                "name = \"a\"\nkind = \"webhook\"\nurl = \"https://h.example\"\n",
                "needs secret-file",
            ),
            (
                "name = \"a\"\nkind = \"slack\"\nurl = \"https://h.example\"\nsecret-file = \"/s\"\n",
                "has no url",
            ),
            (
                "name = \"a\"\nkind = \"mail\"\nrelay = \"h\"\nfrom = \"a@b.example\"\n",
                "relay is host:port",
            ),
            (
                "name = \"a\"\nkind = \"mail\"\nrelay = \"h:25\"\nfrom = \"a@b.example\"\nuser = \"u\"\n",
                "come together",
            ),
            ("name = \"A\"\nkind = \"slack\"\nsecret-file = \"/s\"\n", "1 to 32 of a-z"),
            ("name = \"a\"\nkind = \"pigeon\"\n", "kind is webhook"),
        ] {
            let error = read(&format!("[[channel]]\n{text}")).expect_err(text);
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn two_channels_of_one_name_and_endless_waits_are_refused() {
        assert!(read(&format!("{NTFY}{NTFY}")).expect_err("twice").contains("two channels"));
        assert!(read("remind-after = 86401").expect_err("long").contains("at most 86400"));
        assert!(read(&NTFY.repeat(17)).expect_err("many").contains("at most 16 channels"));
    }

    #[test]
    fn a_url_is_over_tls_or_on_this_machine() {
        for good in ["https://h.example/x?y", "http://127.0.0.1:9/x", "http://[::1]:9/"] {
            assert!(url(good).is_ok(), "{good}");
        }
        for bad in [
            "http://h.example/",
            "http://10.0.0.1/",
            "http://127.0.0.1.example/",
            "http://localhost.example/",
            "https://u:p@h.example/",
            "ftp://h.example/",
            "h.example",
            "",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
        assert!(url(&format!("https://h.example/{}", "x".repeat(2000))).is_err());
    }
}
