//! What is watched, as the daemon's configuration says it: strict, and with an end to everything.
//!
//! ```toml
//! [[watch]]
//! id = "okta"                            # as `outage = "okta"` in scopes.toml
//! issuer = "https://login.example.com"   # OIDC: discovery, keys, and the token endpoint
//! tcp = ["ldap.example.com:636"]         # must accept a connection
//! http = ["https://sso.example.com/ok"]  # must answer 200 to 299
//! controls = ["10.0.0.1:53"]             # what we reach as long as we reach anything
//! ca-file = "/etc/breakglass/idp-ca.pem" # instead of the system's roots
//! every = 15                             # seconds between rounds
//! down-rounds = 5                        # bad rounds in a row …
//! down-seconds = 90                      # … over at least this long: then it is down
//! ```

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use breakglass_ledger::principal::DependencyId;
use reqwest::Url;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// Most dependencies watched: each is asked by a task of its own.
pub const WATCHES_MAX: usize = 16;

/// Most addresses of one kind for one dependency: with the three of an issuer and the controls that
/// is at most 15, and an entry holds evidence of 16.
const ADDRESSES_MAX: usize = 4;

/// All watched dependencies of a configuration, each named once.
///
/// # Errors
///
/// What serde says of a table, more than [`WATCHES_MAX`] of them, and a name that comes twice.
pub(crate) fn all<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Watch>, D::Error> {
    let watches = Vec::<Watch>::deserialize(from)?;
    if watches.len() > WATCHES_MAX {
        return Err(D::Error::custom(format_args!("more than {WATCHES_MAX} watches")));
    }
    let mut names = BTreeSet::new();
    match watches.iter().find(|watch| !names.insert(&watch.id)) {
        Some(twice) => Err(D::Error::custom(format_args!("{} is watched twice", twice.id))),
        None => Ok(watches),
    }
}

/// One watched dependency.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub struct Watch {
    /// Its name in the policy.
    pub id: DependencyId,
    /// An OpenID issuer, exactly as its discovery document must name it.
    pub issuer: Option<String>,
    /// `host:port` that must accept a connection.
    pub tcp: Vec<String>,
    /// Addresses that must answer 200 to 299.
    pub http: Vec<Url>,
    /// `host:port` that does not depend on it: if none accepts a connection, we are cut off.
    pub controls: Vec<String>,
    /// PEM file of the authorities to trust; `None` for the system's.
    pub ca_file: Option<PathBuf>,
    /// When enough is enough.
    pub numbers: Numbers,
    every_seconds: u32,
    timeout_seconds: u32,
}

impl Watch {
    /// Between the beginnings of two rounds.
    #[must_use]
    pub const fn every(&self) -> Duration {
        seconds(self.every_seconds)
    }

    /// For each probe: from the look-up of the name to the last byte.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        seconds(self.timeout_seconds)
    }
}

/// How many rounds, and how long, until something is called down, up or flapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Bad rounds in a row until it is down, 1 to 1000 …
    pub down_rounds: u32,
    /// … over at least so many seconds, at most a day.
    pub down_seconds: u32,
    /// Good rounds in a row until it is up again, 1 to 1000 …
    pub up_rounds: u32,
    /// … over at least so many seconds, at most a day.
    pub up_seconds: u32,
    /// More changes than this within the window are flapping; 1 to 1000.
    pub flap_changes: u32,
    /// The window in seconds, at most a day.
    pub flap_seconds: u32,
}

impl Default for Numbers {
    /// A minute and a half of failure, five minutes of health: long enough that a restart over there
    /// opens nothing, short enough to help in an emergency.
    fn default() -> Self {
        Self {
            down_rounds: 5,
            down_seconds: 90,
            up_rounds: 20,
            up_seconds: 300,
            flap_changes: 3,
            flap_seconds: 1800,
        }
    }
}

impl Numbers {
    pub(super) const fn down_time(&self) -> Duration {
        seconds(self.down_seconds)
    }

    pub(super) const fn up_time(&self) -> Duration {
        seconds(self.up_seconds)
    }

    pub(super) const fn flap_window(&self) -> Duration {
        seconds(self.flap_seconds)
    }
}

/// The table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    id: DependencyId,
    issuer: Option<String>,
    #[serde(default)]
    tcp: Vec<String>,
    #[serde(default)]
    http: Vec<String>,
    controls: Vec<String>,
    ca_file: Option<PathBuf>,
    every: Option<u32>,
    timeout: Option<u32>,
    down_rounds: Option<u32>,
    down_seconds: Option<u32>,
    up_rounds: Option<u32>,
    up_seconds: Option<u32>,
    flap_changes: Option<u32>,
    flap_seconds: Option<u32>,
}

/// What is wrong with a `[[watch]]` table.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum WatchFault {
    #[error("watch {0}: name an issuer, or addresses under tcp or http; nothing would be asked")]
    Nothing(DependencyId),
    #[error(
        "watch {0}: controls are missing; without an address that does not depend on it (the \
         gateway, a resolver), being cut off would look like an outage"
    )]
    NoControls(DependencyId),
    #[error("watch {id}: {key} has more than {ADDRESSES_MAX} addresses")]
    TooMany { id: DependencyId, key: &'static str },
    #[error("watch {id}: {address:?} is not host:port with a port from 1 to 65535")]
    Address { id: DependencyId, address: String },
    #[error(
        "watch {id}: {url:?} is not an https:// address without user, query or fragment; plain \
         http:// is for loopback only"
    )]
    Url { id: DependencyId, url: String },
    #[error("watch {id}: {key} is a number from {min} to {max}")]
    Number { id: DependencyId, key: &'static str, min: u32, max: u32 },
}

impl TryFrom<Written> for Watch {
    type Error = WatchFault;

    fn try_from(written: Written) -> Result<Self, WatchFault> {
        let id = written.id.clone();
        if written.issuer.is_none() && written.tcp.is_empty() && written.http.is_empty() {
            return Err(WatchFault::Nothing(id));
        }
        if written.controls.is_empty() {
            return Err(WatchFault::NoControls(id));
        }
        let lists =
            [("tcp", &written.tcp), ("http", &written.http), ("controls", &written.controls)];
        if let Some((key, _)) = lists.into_iter().find(|(_, list)| list.len() > ADDRESSES_MAX) {
            return Err(WatchFault::TooMany { id, key });
        }
        let mut addresses = written.tcp.iter().chain(&written.controls);
        if let Some(bad) = addresses.find(|address| !is_address(address)) {
            return Err(WatchFault::Address { id, address: bad.clone() });
        }
        let url = |text: &String| {
            url(text).ok_or_else(|| WatchFault::Url { id: id.clone(), url: text.clone() })
        };
        written.issuer.as_ref().map(url).transpose()?;
        let http = written.http.iter().map(url).collect::<Result<_, _>>()?;
        let number = |key, value: Option<u32>, default, min, max| match value.unwrap_or(default) {
            value if (min..=max).contains(&value) => Ok(value),
            _ => Err(WatchFault::Number { id: id.clone(), key, min, max }),
        };
        let usual = Numbers::default();
        let rounds = |key, value, default| number(key, value, default, 1, ROUNDS_MAX);
        let time = |key, value, default| number(key, value, default, 0, SECONDS_MAX);
        let numbers = Numbers {
            down_rounds: rounds("down-rounds", written.down_rounds, usual.down_rounds)?,
            down_seconds: time("down-seconds", written.down_seconds, usual.down_seconds)?,
            up_rounds: rounds("up-rounds", written.up_rounds, usual.up_rounds)?,
            up_seconds: time("up-seconds", written.up_seconds, usual.up_seconds)?,
            flap_changes: rounds("flap-changes", written.flap_changes, usual.flap_changes)?,
            flap_seconds: time("flap-seconds", written.flap_seconds, usual.flap_seconds)?,
        };
        Ok(Self {
            numbers,
            http,
            every_seconds: number("every", written.every, EVERY_SECONDS, 1, 300)?,
            timeout_seconds: number("timeout", written.timeout, TIMEOUT_SECONDS, 1, 30)?,
            id: written.id,
            issuer: written.issuer,
            tcp: written.tcp,
            controls: written.controls,
            ca_file: written.ca_file,
        })
    }
}

/// An address that may be asked: TLS, or this machine; nothing secret in it, for it is logged.
pub(super) fn url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let host = url.host_str()?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let here = bare.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    let safe = url.scheme() == "https" || url.scheme() == "http" && (here || host == "localhost");
    let plain = url.username().is_empty() && url.password().is_none();
    let whole = url.query().is_none() && url.fragment().is_none();
    (safe && plain && whole).then_some(url)
}

fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let good =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    let port = port.parse::<u16>().is_ok_and(|port| port > 0);
    port && (1..=255).contains(&host.len()) && host.chars().all(good)
}

const fn seconds(seconds: u32) -> Duration {
    // Lossless: `u64::from` is not const.
    Duration::new(1, 0).saturating_mul(seconds)
}

/// Between rounds, in seconds: five bad ones then take a little over a minute.
const EVERY_SECONDS: u32 = 15;
/// For one probe, in seconds.
const TIMEOUT_SECONDS: u32 = 5;
/// Beyond this nothing would ever be called down or up.
const ROUNDS_MAX: u32 = 1000;
/// A day, likewise.
const SECONDS_MAX: u32 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(table: &str) -> Result<Watch, String> {
        toml::from_str(table).map_err(|error| error.message().to_owned())
    }

    const PLAIN: &str =
        "id = 'okta'\nissuer = 'https://login.example.com/a'\ncontrols = ['10.0.0.1:53']\n";

    #[test]
    fn the_numbers_of_the_design_hold_where_nothing_is_said() {
        let watch = read(PLAIN).unwrap();
        assert_eq!(watch.numbers, Numbers::default());
        assert_eq!((watch.every(), watch.timeout()), (seconds(15), seconds(5)));
        assert_eq!(watch.issuer.as_deref(), Some("https://login.example.com/a"), "byte for byte");
    }

    #[test]
    fn what_cannot_be_watched_is_refused_with_its_name() {
        let refused = |table: String, what: &str| {
            let error = read(&table).unwrap_err();
            assert!(error.contains(what), "{error}");
        };
        refused("id = 'okta'\ncontrols = ['10.0.0.1:53']\n".to_owned(), "name an issuer");
        refused(PLAIN.replace("['10.0.0.1:53']", "[]"), "controls are missing");
        refused(PLAIN.replace("10.0.0.1:53", "10.0.0.1"), "is not host:port");
        refused(PLAIN.replace("10.0.0.1:53", "10.0.0.1:0"), "is not host:port");
        refused(PLAIN.replace("'10.0.0.1:53'", "'a:1','a:1','a:1','a:1','a:1'"), "more than 4");
        refused(PLAIN.replace("https://", "http://"), "plain http:// is for loopback");
        refused(PLAIN.replace("https://", "https://u:p@"), "without user");
        refused(PLAIN.replace("example.com/a", "example.com/?a=b"), "without user");
        refused(PLAIN.replace("https://", "file://"), "is not an https");
        refused(format!("{PLAIN}every = 0\n"), "every is a number from 1 to 300");
        refused(format!("{PLAIN}down-rounds = 0\n"), "down-rounds is a number from 1 to 1000");
        refused(format!("{PLAIN}up-seconds = 86401\n"), "up-seconds is a number");
        refused(format!("{PLAIN}evry = 1\n"), "unknown field `evry`");
    }

    #[test]
    fn each_is_watched_once_and_there_are_not_too_many() {
        #[derive(Debug, Deserialize)]
        struct File {
            #[serde(deserialize_with = "all")]
            watch: Vec<Watch>,
        }
        let file = |count: usize| {
            let of = |at| format!("[[watch]]\n{}", PLAIN.replace("okta", &format!("okta-{at}")));
            (0..count).map(of).collect::<String>()
        };
        let read = |text: &str| toml::from_str::<File>(text).map(|file| file.watch.len());
        assert_eq!(read(&file(WATCHES_MAX)), Ok(WATCHES_MAX));
        assert!(read(&file(WATCHES_MAX + 1)).is_err());
        assert!(read(&file(2).replace("okta-1", "okta-0")).is_err());
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        for good in ["http://127.0.0.1:81", "http://[::1]/", "http://localhost:1/x"] {
            assert!(url(good).is_some(), "{good}");
        }
        for bad in ["http://127.0.0.1.example.com", "http://10.0.0.1", "ftp://127.0.0.1"] {
            assert!(url(bad).is_none(), "{bad}");
        }
    }
}
