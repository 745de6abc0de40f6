//! What the client knows before it is told anything: where the brokers are, whom to trust, who you
//! are and what you sign with.
//!
//! Three sources, the nearer one wins: flags, `BREAKGLASS_…` variables (both arrive here as
//! [`Given`]), and the configuration file. Nothing is required until it is needed, so
//! `audit verify` and `policy check` run on a machine without any of it.

mod file;
mod key;

use std::path::{Path, PathBuf};

use breakglass_ledger::principal::{Origin, PrincipalId};

pub use file::{ConfigError, ConfigFile, read_toml};
pub use key::KeyChoice;

/// What flags and variables say; each field beats the same one of the file.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Configuration (each also in the file, see `breakglass --help`)")]
pub struct Given {
    /// Configuration file instead of ~/.config/breakglass/config.toml
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "FILE",
        env = "BREAKGLASS_CONFIG"
    )]
    pub config: Option<PathBuf>,
    /// Broker address, host:port or IP:port; several are tried at once, the first good one wins
    #[arg(
        long = "broker",
        global = true,
        hide_short_help = true,
        value_name = "ADDRESS",
        env = "BREAKGLASS_BROKERS",
        value_delimiter = ','
    )]
    pub brokers: Vec<String>,
    /// The brokers' own CA: a PEM file, or the PEM text itself
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "PEM",
        env = "BREAKGLASS_TLS_CA"
    )]
    pub tls_ca: Option<String>,
    /// The authority over X.509 certificates: a PEM file, or the PEM text itself; without it who
    /// signed a certificate is not checked here
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "PEM",
        env = "BREAKGLASS_X509_CA"
    )]
    pub x509_ca: Option<String>,
    /// Origin of the ledger, as the daemon's `init` printed it
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "ORIGIN",
        env = "BREAKGLASS_LOG"
    )]
    pub log: Option<String>,
    /// The ledger's verifier key (signed-note form)
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "VKEY",
        env = "BREAKGLASS_LOG_KEY"
    )]
    pub log_key: Option<String>,
    /// Who you are: your principal id in people.toml
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "PRINCIPAL",
        env = "BREAKGLASS_BY"
    )]
    pub by: Option<String>,
    /// What you sign with: SHA256:… (a key in ssh-agent), a private key file, or
    /// ssh-keygen:PATH
    #[arg(long, global = true, hide_short_help = true, value_name = "KEY", env = "BREAKGLASS_KEY")]
    pub key: Option<String>,
    /// Where to keep checkpoints, sessions and subject keys instead of
    /// ~/.local/state/breakglass
    #[arg(
        long,
        global = true,
        hide_short_help = true,
        value_name = "DIR",
        env = "BREAKGLASS_STATE_DIR"
    )]
    pub state_dir: Option<PathBuf>,
}

/// The configuration in force for one command.
#[derive(Clone, Debug)]
pub struct Config {
    merged: ConfigFile,
    source: Option<PathBuf>,
    state_dir: Option<PathBuf>,
}

impl Config {
    /// Merges `given` over the configuration file, if there is one.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the file was named and is missing, or cannot be read strictly.
    pub fn load(given: &Given) -> Result<Self, ConfigError> {
        let (mut merged, source) = match (&given.config, default_path()) {
            (Some(path), _) => (ConfigFile::read(path)?, Some(path.clone())),
            (None, Some(path)) if path.exists() => (ConfigFile::read(&path)?, Some(path)),
            (None, _) => (ConfigFile::default(), None),
        };
        if !given.brokers.is_empty() {
            merged.brokers = Some(given.brokers.clone());
        }
        merged.tls_ca = given.tls_ca.clone().or(merged.tls_ca);
        merged.x509_ca = given.x509_ca.clone().or(merged.x509_ca);
        merged.log = given.log.clone().or(merged.log);
        merged.log_key = given.log_key.clone().or(merged.log_key);
        merged.by = given.by.clone().or(merged.by);
        merged.key = given.key.clone().or(merged.key);
        Ok(Self { merged, source, state_dir: given.state_dir.clone() })
    }

    /// What `merged` says and nothing else: no flag, no variable, no file.
    #[must_use]
    pub const fn of(merged: ConfigFile) -> Self {
        Self { merged, source: None, state_dir: None }
    }

    /// The file it came from, if there was one.
    #[must_use]
    pub fn source(&self) -> Option<&Path> {
        self.source.as_deref()
    }

    /// The brokers' addresses, `host:port`, at least one and at most 16.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Missing`], or [`ConfigError::Value`] naming the bad address.
    pub fn brokers(&self) -> Result<Vec<String>, ConfigError> {
        let brokers = self.merged.brokers.clone().unwrap_or_default();
        if brokers.is_empty() {
            return Err(missing("brokers", "--broker", "BREAKGLASS_BROKERS"));
        }
        if brokers.len() > BROKERS_MAX {
            return Err(value("brokers", "more than 16 addresses"));
        }
        match brokers.iter().find(|address| !is_address(address)) {
            Some(bad) => Err(value("brokers", &format!("`{bad}` is not host:port"))),
            None => Ok(brokers),
        }
    }

    /// The brokers' CA, as PEM text.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it is missing, unreadable, or holds no certificate.
    pub fn tls_ca(&self) -> Result<String, ConfigError> {
        let given = self.merged.tls_ca.as_ref();
        let given = given.ok_or(missing("tls-ca", "--tls-ca", "BREAKGLASS_TLS_CA"))?;
        certificate("tls-ca", given)
    }

    /// The authority that the broker's X.509 certificates must be signed by, as PEM text, if it is
    /// configured.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it is unreadable, or holds no certificate.
    pub fn x509_ca(&self) -> Result<Option<String>, ConfigError> {
        self.merged.x509_ca.as_deref().map(|given| certificate("x509-ca", given)).transpose()
    }

    /// Origin of the ledger.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it is missing or not an origin.
    pub fn log(&self) -> Result<Origin, ConfigError> {
        let text = self.merged.log.as_deref();
        let text = text.ok_or(missing("log", "--log", "BREAKGLASS_LOG"))?;
        text.parse().map_err(|error| value("log", &format!("`{text}` is {error}")))
    }

    /// The ledger's verifier key, in signed-note form, not yet parsed.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Missing`].
    pub fn log_key(&self) -> Result<&str, ConfigError> {
        let key = self.merged.log_key.as_deref();
        key.ok_or(missing("log-key", "--log-key", "BREAKGLASS_LOG_KEY"))
    }

    /// Who the user is.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if it is missing or not a name.
    pub fn by(&self) -> Result<PrincipalId, ConfigError> {
        let text = self.merged.by.as_deref().ok_or(missing("by", "--by", "BREAKGLASS_BY"))?;
        text.parse().map_err(|error| value("by", &format!("`{text}` is {error}")))
    }

    /// What the user signs with; without a word about it, the only key in ssh-agent.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Value`] if the text names no kind of key.
    pub fn key(&self) -> Result<KeyChoice, ConfigError> {
        self.merged.key.as_deref().map_or(Ok(KeyChoice::OnlyOneInAgent), KeyChoice::parse)
    }

    /// Where state is kept: `--state-dir`, else `$XDG_STATE_HOME/breakglass`, else
    /// `~/.local/state/breakglass`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NoHome`] if none of them is set.
    pub fn state_dir(&self) -> Result<PathBuf, ConfigError> {
        let given = self.state_dir.clone().or_else(|| self.merged.state_dir.clone());
        given.or_else(|| xdg("XDG_STATE_HOME", ".local/state")).ok_or(ConfigError::NoHome)
    }
}

/// `~/.config/breakglass/config.toml`, or below `XDG_CONFIG_HOME`.
#[must_use]
pub fn default_path() -> Option<PathBuf> {
    xdg("XDG_CONFIG_HOME", ".config").map(|dir| dir.join("config.toml"))
}

/// XDG base directories 0.8: a relative value is to be ignored.
fn xdg(variable: &str, below_home: &str) -> Option<PathBuf> {
    let absolute =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    let base = absolute(variable).or_else(|| absolute("HOME").map(|home| home.join(below_home)));
    base.map(|base| base.join("breakglass"))
}

/// PEM text that is given itself, or in a file.
fn certificate(key: &'static str, given: &str) -> Result<String, ConfigError> {
    let pem = if given.contains("-----BEGIN") {
        given.to_owned()
    } else {
        file::read_bounded(Path::new(given), CA_MAX)?
    };
    if pem.contains("-----BEGIN CERTIFICATE-----") {
        Ok(pem)
    } else {
        Err(value(key, "no `BEGIN CERTIFICATE` in it"))
    }
}

/// `host:port`, an IPv6 host in brackets.
fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let host_ok = if is_bracketed {
        host.trim_matches(['[', ']']).parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        !host.is_empty() && host.bytes().all(plain)
    };
    host_ok && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn missing(key: &'static str, flag: &'static str, variable: &'static str) -> ConfigError {
    ConfigError::Missing { key, flag, variable }
}

fn value(key: &'static str, rule: &str) -> ConfigError {
    ConfigError::Value { key, rule: rule.to_owned() }
}

/// More brokers than any deployment has; each is one connection at once.
const BROKERS_MAX: usize = 16;

/// A CA certificate or a few of them.
const CA_MAX: u64 = 64 * 1024;

#[cfg(test)]
mod tests;
