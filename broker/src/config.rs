//! The only reader of configuration: one TOML file, strict.
//!
//! ```toml
//! state = "/var/lib/breakglass"      # keys, ledger, guard, lists
//! listen = "0.0.0.0:7443"            # gRPC over TLS 1.3
//! web = "127.0.0.1:7480"             # read-only HTTP: KRL, CA key, checkpoint
//! names = ["breakglass.example.com"] # further names or addresses in the server's certificate
//!
//! [jwt]
//! issuer = "https://breakglass.example.com" # where verifiers find our keys; without it, no tokens
//!
//! [limits]                           # each has a default, see `rpc::Limits`
//! acts-per-principal = { per-second = 2, burst = 30 }
//!
//! [api]                              # the door of services that are shown tokens, see `api`
//! listen = "127.0.0.1:7444"          # HTTPS
//!
//! [[api.caller]]                     # one of them, from `breakglassd caller`
//! id = "gateway"
//! token-sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
//! may = ["introspect", "revoke"]     # and "review", for a cluster
//! audiences = ["payments-api"]       # the only ones it may ask about; without it, all
//!
//! [keys.ssh-ca]                      # a key in a PKCS#11 token, or a list of them, see `custody`
//! pkcs11 = { module = "/usr/lib/softhsm/libsofthsm2.so", token = "breakglass", key = "ssh-ca", pin = "pin" }
//!
//! [[watch]]                          # a dependency whose outage opens a lane, see `probe`
//! id = "okta"
//! issuer = "https://login.example.com"
//! controls = ["10.0.0.1:53"]         # what we reach as long as we reach anything
//! ```

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::api;
use crate::custody::Keys;
use crate::jwt::Issuer;
use crate::notify;
use crate::probe::{self, Watch};
use crate::rpc::Limits;

/// Largest configuration file: a page of settings is a few hundred bytes.
const CONFIG_MAX_BYTES: u64 = 65_536;

/// What the daemon is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// The state directory, made by `breakglassd init`.
    pub state: PathBuf,
    /// Where gRPC listens; port 0 lets the system choose.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// Where the read-only HTTP side listens; port 0 lets the system choose.
    #[serde(default = "default_web")]
    pub web: SocketAddr,
    /// DNS names and addresses for the server's certificate, beside `breakglassd`.
    #[serde(default)]
    pub names: Vec<String>,
    /// Watched dependencies; without any, outages are declared only.
    #[serde(default, deserialize_with = "probe::all")]
    pub watch: Vec<Watch>,
    /// Tokens; without it none is signed.
    #[serde(default)]
    pub jwt: Option<Jwt>,
    /// Limits at the door; each has a default.
    #[serde(default)]
    pub limits: Limits,
    /// Keys that are in PKCS#11 tokens; all others are files.
    #[serde(default)]
    pub keys: Keys,
    /// How people are told; nobody is unless there is a channel.
    #[serde(default)]
    pub notify: notify::Config,
    /// Services that ask about tokens; without it there is no such door.
    #[serde(default)]
    pub api: Option<api::Config>,
}

impl Config {
    /// The defaults for one state directory.
    #[must_use]
    pub fn for_state(state: PathBuf) -> Self {
        Self {
            state,
            listen: default_listen(),
            web: default_web(),
            names: Vec::new(),
            watch: Vec::new(),
            jwt: None,
            limits: Limits::default(),
            keys: Keys::default(),
            notify: notify::Config::default(),
            api: None,
        }
    }

    /// Reads `path`.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the file, and for bad content the line and the key.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.into(), source };
        let size = std::fs::metadata(path).map_err(unreadable)?.len();
        if size > CONFIG_MAX_BYTES {
            return Err(ConfigError::TooLarge { path: path.into(), size });
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        toml::from_str(&text)
            .map_err(|source| ConfigError::Content { path: path.into(), source: Box::new(source) })
    }
}

/// What tokens need besides a key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Jwt {
    /// The address that tokens name as their issuer, and below which verifiers fetch
    /// `/.well-known/openid-configuration` and `/.well-known/jwks.json`.
    pub issuer: Issuer,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is too large to be a configuration.
    #[error("the configuration {} has {size} bytes; at most {CONFIG_MAX_BYTES} are read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
    /// The file says something that is not understood.
    #[error("the configuration {} has a fault; correct it and start again", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Line, key and rule.
        #[source]
        source: Box<toml::de::Error>,
    },
}

/// Where things are below the state directory.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The state directory itself, mode 0700.
    pub state: PathBuf,
}

impl Layout {
    /// The layout below `state`.
    #[must_use]
    pub fn of(state: &Path) -> Self {
        Self { state: state.into() }
    }

    /// Private keys, one file each, 0600.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.state.join("keys")
    }

    /// The database, its guard and its lock.
    #[must_use]
    pub fn ledger(&self) -> PathBuf {
        self.state.join("ledger")
    }

    /// Signed lists for hosts on this machine.
    #[must_use]
    pub fn lists(&self) -> PathBuf {
        self.state.join("lists")
    }

    /// The reviewer's trust file, as of `init`.
    #[must_use]
    pub fn trust(&self) -> PathBuf {
        self.state.join("trust.toml")
    }

    /// The SSH user CA's public key for hosts, as of `init`.
    #[must_use]
    pub fn ssh_ca(&self) -> PathBuf {
        self.state.join("ssh-ca.pub")
    }

    /// The X.509 authority's certificate for TLS servers, as of `init`.
    #[must_use]
    pub fn x509_ca(&self) -> PathBuf {
        self.state.join("x509-ca.pem")
    }

    /// Who signs revocation lists, as `ssh-keygen -Y verify -f` wants it, as of `init`.
    #[must_use]
    pub fn lists_allowed(&self) -> PathBuf {
        self.state.join("lists.allowed")
    }

    /// The clients' configuration, as of `init`.
    #[must_use]
    pub fn client(&self) -> PathBuf {
        self.state.join("client.toml")
    }
}

/// 7443 on every interface: people reach the broker from wherever they are.
fn default_listen() -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], 7443))
}

/// 7480 on loopback: publish it further through whatever serves files already.
fn default_web() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 7480))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("breakglassd.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path).map_err(|error| crate::report::chain(&error))
    }

    #[test]
    fn a_state_directory_is_enough() {
        let config = read("state = \"/srv/x\"\n").unwrap();
        assert_eq!(config.state, PathBuf::from("/srv/x"));
        assert_eq!(config.listen.port(), 7443);
        assert!(config.web.ip().is_loopback());
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error = read("state = \"/srv/x\"\nlitsen = \"0.0.0.0:1\"\n").unwrap_err();
        assert!(error.contains("litsen"), "{error}");
        assert!(error.contains("line 2"), "{error}");
    }

    #[test]
    fn a_doubled_key_is_refused() {
        let error = read("state = \"/a\"\nstate = \"/b\"\n").unwrap_err();
        assert!(error.contains("duplicate key"), "{error}");
    }

    #[test]
    fn limits_are_written_like_every_other_key() {
        let text = "state = \"/a\"\n[limits]\nconnects = { per-second = 3, burst = 4 }\n";
        assert_eq!(read(text).unwrap().limits.connects, crate::crowd::Rate::new(3, 4));
        let error = read(&text.replace("per-second", "per_second")).unwrap_err();
        assert!(error.contains("unknown field `per_second`"), "{error}");
    }

    #[test]
    fn an_issuer_is_an_https_address_with_one_spelling() {
        let text = "state = \"/a\"\n[jwt]\nissuer = \"https://bg.example.com\"\n";
        let issuer = read(text).unwrap().jwt.unwrap().issuer;
        assert_eq!(issuer.as_str(), "https://bg.example.com");
        assert!(read("state = \"/a\"\n").unwrap().jwt.is_none());
        for bad in ["http://bg.example.com", "https://bg.example.com/", "https://bg?x=1", "bg"] {
            let error = read(&text.replace("https://bg.example.com", bad)).unwrap_err();
            assert!(error.contains("an issuer is an address like https://"), "{error}");
            assert!(error.contains("line 3"), "{error}");
        }
        let error = read(&text.replace("issuer", "isuer")).unwrap_err();
        assert!(error.contains("unknown field `isuer`"), "{error}");
        assert!(read("state = \"/a\"\n[jwt]\n").unwrap_err().contains("issuer"));
    }

    #[test]
    fn a_huge_file_is_not_read() {
        let error = read(&"#".repeat(70_000)).unwrap_err();
        assert!(error.contains("at most 65536"), "{error}");
    }
}
