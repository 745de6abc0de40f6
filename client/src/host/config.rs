//! What the agent is told: `host.toml`, read strictly.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use breakglass_ledger::principal::{PrincipalId, TargetId};
use serde::Deserialize;

use super::targets::{self, Targets, TlsTarget};
use super::tls::{self, Authority};
use super::trusted::Trusted;
use crate::config::{Config, ConfigError, ConfigFile, read_toml};
use crate::state::read_bounded;

/// The pause between questions to a broker that is away or does not keep them, unless the file says
/// otherwise. One that keeps them answers at the revocation.
const EVERY_MILLISECONDS: u64 = 1000;

/// Neither so often that looking is all that is done, nor so seldom that a revocation waits.
const EVERY: std::ops::RangeInclusive<u64> = 20..=60_000;

/// Largest file of authorities.
const AUTHORITIES_MAX: u64 = 64 * 1024;

/// Most addresses of the broker's public side.
const WEB_MAX: usize = 16;

/// The agent's configuration.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Broker, ledger, name and key: as of any client.
    pub client: Config,
    /// Addresses of the broker's public side, `host:port`.
    pub web: Vec<String>,
    /// Who reports.
    pub by: PrincipalId,
    /// What is reported of.
    pub target: TargetId,
    /// The SSH CA whose certificates the list is about.
    pub ssh_ca: Trusted,
    /// The key that signs lists.
    pub lists_key: Trusted,
    /// Where `sshd` finds the list.
    pub dir: PathBuf,
    /// What the agent remembers.
    pub state_dir: PathBuf,
    /// The pause between questions that the broker does not keep until there is news.
    pub every: Duration,
    /// If the broker was not reached for this long, `principals` answers nobody; `None`: it goes on
    /// answering by the list that is there.
    pub refuse_after: Option<Duration>,
    /// For each account on this host the roles that open it.
    pub principals: BTreeMap<String, Vec<String>>,
    /// Whether `sshd` is looked after.
    pub has_sshd: bool,
    /// Where it listens, `host:port`.
    pub sshd_address: Option<String>,
    /// Servers that go by the X.509 list.
    pub tls: Vec<TlsTarget>,
    /// The authorities whose list that is.
    pub x509: Vec<Authority>,
}

/// The file's keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct HostFile {
    brokers: Vec<String>,
    web: Vec<String>,
    tls_ca: String,
    x509_ca: Option<String>,
    log: String,
    log_key: String,
    by: String,
    key: String,
    ssh_ca: String,
    lists_key: String,
    dir: PathBuf,
    state_dir: PathBuf,
    every: Option<u64>,
    refuse_after: Option<u64>,
    #[serde(default)]
    principals: BTreeMap<String, Vec<String>>,
    target: Option<toml::Value>,
}

impl HostConfig {
    /// Reads the file at `path`; relative paths in it count from its directory.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the file, and the key that is wrong.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file: HostFile = read_toml(path)?;
        let base = path.parent().unwrap_or(Path::new(""));
        let key = |key, text: &str| Trusted::read(text).map_err(|rule| value(key, &rule));
        let by: PrincipalId = file.by.parse().map_err(|_| value("by", "not a name"))?;
        let (name, tables) = targets::split(file.target)?;
        let name = name.as_deref().unwrap_or(&file.by).parse();
        let name: TargetId = name.map_err(|_| value("target", "not a name"))?;
        let Targets { sshd, sshd_address, tls } = targets::read(tables, &by, &name, base)?;
        if file.web.is_empty() || file.web.len() > WEB_MAX {
            return Err(value("web", "1 to 16 addresses, each host:port"));
        }
        let every = file.every.unwrap_or(EVERY_MILLISECONDS);
        if !EVERY.contains(&every) {
            return Err(value("every", "20 to 60000 milliseconds"));
        }
        check_roles(&file.principals)?;
        let x509 = authorities(file.x509_ca.as_deref(), base, tls.is_empty())?;
        let state_dir = base.join(&file.state_dir);
        let client = ConfigFile {
            brokers: Some(file.brokers),
            tls_ca: Some(file.tls_ca),
            x509_ca: file.x509_ca,
            log: Some(file.log),
            log_key: Some(file.log_key),
            by: Some(file.by),
            key: Some(file.key),
            state_dir: Some(state_dir.clone()),
        };
        Ok(Self {
            client: Config::of(client.below(base)),
            web: file.web,
            by,
            has_sshd: sshd.is_some(),
            sshd_address,
            target: sshd.unwrap_or(name),
            tls,
            x509,
            ssh_ca: key("ssh-ca", &file.ssh_ca)?,
            lists_key: key("lists-key", &file.lists_key)?,
            dir: base.join(&file.dir),
            state_dir,
            every: Duration::from_millis(every),
            refuse_after: file.refuse_after.map(Duration::from_secs),
            principals: file.principals,
        })
    }
}

/// The authorities in a PEM file, or in the text itself.
fn authorities(
    given: Option<&str>,
    base: &Path,
    is_unused: bool,
) -> Result<Vec<Authority>, ConfigError> {
    let rule = |rule: String| value("x509-ca", &rule);
    let given = match given {
        Some(given) => given,
        None if is_unused => return Ok(Vec::new()),
        None => {
            return Err(rule(
                "needed by postgresql, nginx and etcd: their authority, PEM".to_owned(),
            ));
        }
    };
    if given.contains("-----BEGIN") {
        return tls::authorities(given).map_err(rule);
    }
    let path = base.join(given);
    let text = read_bounded(&path, AUTHORITIES_MAX).map_err(|error| rule(error.to_string()))?;
    let text = text.ok_or_else(|| rule(format!("there is no {}", path.display())))?;
    tls::authorities(&String::from_utf8_lossy(&text)).map_err(rule)
}

/// A role is one line of `AuthorizedPrincipalsFile`: with a blank in it, what stands before would be
/// options of `sshd`; an empty one or `#` would be passed over.
fn check_roles(principals: &BTreeMap<String, Vec<String>>) -> Result<(), ConfigError> {
    let is_role = |role: &String| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        !role.is_empty() && role.len() <= 64 && role.bytes().all(allowed)
    };
    for (account, roles) in principals {
        if roles.is_empty() || !roles.iter().all(is_role) {
            let rule = format!("`{account}`: 1 or more roles, each 1 to 64 of A-Z a-z 0-9 . _ -");
            return Err(value("principals", &rule));
        }
    }
    Ok(())
}

fn value(key: &'static str, rule: &str) -> ConfigError {
    ConfigError::Value { key, rule: rule.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lesson R08: what would be two lines, or options of sshd, is no role.
    #[test]
    fn a_role_is_one_atom() {
        let with =
            |role: &str| check_roles(&BTreeMap::from([("root".to_owned(), vec![role.to_owned()])]));
        assert!(with("bg-root").is_ok());
        for bad in ["", "a b", "a\nb", "a,b", "#a", "*", "command=\"sh\" bg-root", "\u{e4}"] {
            assert!(with(bad).is_err(), "{bad:?}");
        }
        assert!(check_roles(&BTreeMap::from([("root".to_owned(), Vec::new())])).is_err());
    }
}
