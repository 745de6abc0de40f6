//! `[[target]]` of `host.toml`: the servers of this host that let people in.

use std::path::{Path, PathBuf};

use breakglass_ledger::principal::{PrincipalId, TargetId};
use serde::Deserialize;

use super::address::is_address;
use crate::config::ConfigError;

/// Most servers of one host: each has a thread that looks after it.
const TARGETS_MAX: usize = 8;

/// Two days: a week-end in which nobody looks.
const ALARM_HOURS: u64 = 48;

/// A server that goes by the X.509 list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsTarget {
    /// What is reported of.
    pub name: TargetId,
    /// How it is told.
    pub server: Server,
    /// Hours before a list runs out from which on that is an alarm.
    pub alarm_hours: u64,
}

/// What it is, and how it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// Reads its directory with each connection.
    PostgreSql(PostgreSql),
    /// Reads its file when it is reloaded.
    Nginx(Nginx),
    /// Reads its file with each connection.
    Etcd(Etcd),
}

/// A server of PostgreSQL, 14 or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgreSql {
    /// Its `ssl_crl_dir`.
    pub crl_dir: PathBuf,
    /// What `psql` is told to connect to (libpq); without it nobody's session is seen or ended.
    pub connection: Option<String>,
    /// The program `psql`.
    pub psql: PathBuf,
    /// Where it listens for TLS, `host:port`; without it nobody tries whether it refuses.
    pub address: Option<String>,
}

/// A server of nginx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nginx {
    /// Its `ssl_crl`.
    pub crl: PathBuf,
    /// Its `pid`.
    pub pid_file: PathBuf,
    /// What judges its configuration before it is reloaded; a program and its arguments.
    pub test: Vec<String>,
    /// What reloads it; empty: the signal HUP.
    pub reload: Vec<String>,
    /// Its log in the form that `host install` prints; without it nobody's use is reported.
    pub access_log: Option<PathBuf>,
    /// Where it listens for TLS, `host:port`; without it nobody tries whether it refuses.
    pub address: Option<String>,
}

/// A server of etcd, 3.4 or later. What is open there goes on until it breaks off: etcd has no way to end
/// somebody's watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Etcd {
    /// Its `client-crl-file`.
    pub crl: PathBuf,
}

/// The targets of a file, by how each is looked after.
#[derive(Debug, Default)]
pub(super) struct Targets {
    /// The name of `sshd`, if it is one.
    pub(super) sshd: Option<TargetId>,
    /// Where it listens, `host:port`; without it nobody asks it whether it refuses.
    pub(super) sshd_address: Option<String>,
    /// Whoever goes by the X.509 list.
    pub(super) tls: Vec<TlsTarget>,
}

/// One table of the file.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum TargetTable {
    Sshd {
        name: Option<String>,
        address: Option<String>,
    },
    #[serde(rename_all = "kebab-case")]
    PostgreSql {
        name: Option<String>,
        ssl_crl_dir: PathBuf,
        connection: Option<String>,
        psql: Option<PathBuf>,
        address: Option<String>,
        alarm_hours: Option<u64>,
    },
    #[serde(rename_all = "kebab-case")]
    Nginx {
        name: Option<String>,
        crl: PathBuf,
        pid_file: Option<PathBuf>,
        test: Option<Vec<String>>,
        reload: Option<Vec<String>>,
        access_log: Option<PathBuf>,
        address: Option<String>,
        alarm_hours: Option<u64>,
    },
    #[serde(rename_all = "kebab-case")]
    Etcd {
        name: Option<String>,
        crl: PathBuf,
        alarm_hours: Option<u64>,
    },
}

/// `target = "…"` names the whole host, `[[target]]` its servers.
///
/// # Errors
///
/// [`ConfigError::Value`] naming the key.
pub(super) fn split(
    target: Option<toml::Value>,
) -> Result<(Option<String>, Vec<TargetTable>), ConfigError> {
    match target {
        None => Ok((None, Vec::new())),
        Some(toml::Value::String(name)) => Ok((Some(name), Vec::new())),
        Some(tables) => {
            let tables = tables
                .try_into()
                .map_err(|error: toml::de::Error| value("target", error.message()))?;
            Ok((None, tables))
        }
    }
}

/// What `tables` say, for the agent `by`; relative paths count from `base`. No table at all: `sshd`,
/// under the name `whole`.
///
/// # Errors
///
/// [`ConfigError::Value`] naming the key.
pub(super) fn read(
    tables: Vec<TargetTable>,
    by: &PrincipalId,
    whole: &TargetId,
    base: &Path,
) -> Result<Targets, ConfigError> {
    if tables.is_empty() {
        return Ok(Targets { sshd: Some(whole.clone()), ..Targets::default() });
    }
    if tables.len() > TARGETS_MAX {
        return Err(value("target", "at most 8 servers"));
    }
    let mut targets = Targets::default();
    let mut names = Vec::new();
    for table in tables {
        let name = match table {
            TargetTable::Sshd { name, address } => {
                targets.sshd_address = checked(address)?;
                let name = named(name, || whole.to_string())?;
                if targets.sshd.replace(name.clone()).is_some() {
                    return Err(value("target.kind", "one sshd: both would read one list"));
                }
                name
            }
            TargetTable::PostgreSql { .. }
            | TargetTable::Nginx { .. }
            | TargetTable::Etcd { .. } => {
                let target = tls(table, by, base)?;
                let name = target.name.clone();
                targets.tls.push(target);
                name
            }
        };
        if names.contains(&name) {
            return Err(value("target.name", &format!("`{name}` is there twice")));
        }
        names.push(name);
    }
    Ok(targets)
}

fn tls(table: TargetTable, by: &PrincipalId, base: &Path) -> Result<TlsTarget, ConfigError> {
    let (name, server, hours) = match table {
        TargetTable::PostgreSql { name, ssl_crl_dir, connection, psql, address, alarm_hours } => {
            let server = PostgreSql {
                crl_dir: base.join(ssl_crl_dir),
                connection,
                psql: psql.unwrap_or_else(|| "psql".into()),
                address: checked(address)?,
            };
            let name = named(name, || format!("{by}.postgresql"))?;
            (name, Server::PostgreSql(server), alarm_hours)
        }
        TargetTable::Nginx {
            name,
            crl,
            pid_file,
            test,
            reload,
            access_log,
            address,
            alarm_hours,
        } => {
            let server = Nginx {
                crl: base.join(crl),
                pid_file: base.join(pid_file.unwrap_or_else(|| "/run/nginx.pid".into())),
                test: test.unwrap_or_else(|| vec!["nginx".to_owned(), "-t".to_owned()]),
                reload: reload.unwrap_or_default(),
                access_log: access_log.map(|log| base.join(log)),
                address: checked(address)?,
            };
            if server.address.is_some() && server.access_log.is_none() {
                let rule = "only with `access-log`, in which it says what it made of the attempt";
                return Err(value("target.address", rule));
            }
            if server.test.is_empty() {
                return Err(value("target.test", "a program and its arguments"));
            }
            (named(name, || format!("{by}.nginx"))?, Server::Nginx(server), alarm_hours)
        }
        TargetTable::Etcd { name, crl, alarm_hours } => {
            let server = Server::Etcd(Etcd { crl: base.join(crl) });
            (named(name, || format!("{by}.etcd"))?, server, alarm_hours)
        }
        TargetTable::Sshd { .. } => return Err(value("target.kind", "not a server of TLS")),
    };
    let alarm_hours = hours.unwrap_or(ALARM_HOURS);
    if !(1..=ALARM_HOURS_MAX).contains(&alarm_hours) {
        return Err(value("target.alarm-hours", "1 to 160: a list counts for 168 hours"));
    }
    Ok(TlsTarget { name, server, alarm_hours })
}

/// Where a server is tried, if it has the form of an address.
fn checked(address: Option<String>) -> Result<Option<String>, ConfigError> {
    let is_good = address.as_deref().is_none_or(is_address);
    let rule = "host:port of this host, as `127.0.0.1:443`";
    if is_good { Ok(address) } else { Err(value("target.address", rule)) }
}

fn named(name: Option<String>, usual: impl FnOnce() -> String) -> Result<TargetId, ConfigError> {
    name.unwrap_or_else(usual).parse().map_err(|_| value("target.name", "not a name"))
}

fn value(key: &'static str, rule: &str) -> ConfigError {
    ConfigError::Value { key, rule: rule.to_owned() }
}

/// A fresh list counts for a week.
const ALARM_HOURS_MAX: u64 = 160;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Tables {
        target: Option<toml::Value>,
    }

    fn of(text: &str) -> Result<Targets, String> {
        let tables: Tables = toml::from_str(text).map_err(|error| error.to_string())?;
        let (name, tables) = split(tables.target).map_err(|error| error.to_string())?;
        let whole = name.unwrap_or("db-1".to_owned()).parse().unwrap();
        let by = "db-1".parse().unwrap();
        read(tables, &by, &whole, Path::new("/etc/breakglass")).map_err(|e| e.to_string())
    }

    #[test]
    fn a_file_of_before_is_about_sshd() {
        let targets = of("").unwrap();
        assert_eq!(targets.sshd, Some("db-1".parse().unwrap()));
        assert!(targets.tls.is_empty());
        assert_eq!(of("target = \"db-1.x\"").unwrap().sshd, Some("db-1.x".parse().unwrap()));
        assert!(of("target = 3").is_err());
    }

    #[test]
    fn each_server_has_a_name_of_its_own_and_what_is_usual_need_not_be_said() {
        let text = "[[target]]\nkind = \"postgresql\"\nssl-crl-dir = \"crls\"\n\
                    [[target]]\nkind = \"nginx\"\ncrl = \"/etc/nginx/crl.pem\"\n\
                    [[target]]\nkind = \"etcd\"\ncrl = \"crl.pem\"\n";
        let targets = of(text).unwrap();
        assert_eq!(targets.sshd, None);
        let names: Vec<_> = targets.tls.iter().map(|one| one.name.to_string()).collect();
        assert_eq!(names, ["db-1.postgresql", "db-1.nginx", "db-1.etcd"]);
        let Server::PostgreSql(server) = &targets.tls[0].server else { panic!() };
        assert_eq!(server.crl_dir, Path::new("/etc/breakglass/crls"));
        let Server::Nginx(server) = &targets.tls[1].server else { panic!() };
        assert_eq!((server.test.join(" ").as_str(), server.reload.len()), ("nginx -t", 0));
        assert_eq!(targets.tls[1].alarm_hours, 48);
        let etcd = Server::Etcd(Etcd { crl: "/etc/breakglass/crl.pem".into() });
        assert_eq!(targets.tls[2].server, etcd);
    }

    #[test]
    fn what_is_wrong_with_a_table_is_said() {
        let nginx = "[[target]]\nkind = \"nginx\"\ncrl = \"crl.pem\"\n";
        assert!(of(&format!("{nginx}{nginx}")).unwrap_err().contains("twice"));
        for more in [
            "test = []",
            "address = \"127.0.0.1:443\"",
            "address = \"127.0.0.1\"\naccess-log = \"log\"",
            "alarm-hours = 0",
            "alarm-hours = 161",
            "name = \"a b\"",
            "poke = \"x\"",
        ] {
            assert!(of(&format!("{nginx}{more}\n")).is_err(), "{more}");
        }
        let sshd = "[[target]]\nkind = \"sshd\"\n";
        assert!(of(&format!("{sshd}{sshd}")).is_err());
        assert!(of(&format!("{sshd}address = \"127.0.0.1\"\n")).is_err());
        assert!(of(&format!("{sshd}address = \"127.0.0.1:22\"\n")).is_ok());
        assert!(of("[[target]]\nkind = \"telnet\"\n").is_err());
        assert!(of("[[target]]\nkind = \"postgresql\"\n").is_err());
        let postgresql = "[[target]]\nkind = \"postgresql\"\nssl-crl-dir = \"crls\"\n";
        assert!(of(&format!("{postgresql}address = \"localhost\"\n")).is_err());
        assert!(of(&format!("{postgresql}address = \"localhost:5432\"\n")).is_ok());
        assert!(of("[[target]]\nkind = \"etcd\"\n").is_err());
        assert!(of("[[target]]\nkind = \"etcd\"\ncrl = \"x\"\nreload = []\n").is_err());
    }
}
