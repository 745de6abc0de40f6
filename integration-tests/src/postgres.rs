//! A real PostgreSQL that lets in by certificate, with the settings of our own runbook.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::sshd::said;
use crate::tls_site::{Server, Shown, TlsSite, free_port, heard};
use crate::wait::{SOON, until};

/// A fresh cluster with the role `breakglass_admin`, for whoever comes with a certificate of a request.
/// Ended when dropped.
pub struct Postgres {
    _server: Server,
    /// Its files.
    pub site: TlsSite,
    port: u16,
}

impl Postgres {
    /// One that trusts `authority` and has its `list`, both PEM.
    ///
    /// # Panics
    ///
    /// Panics if there is no PostgreSQL, or this is not root: PostgreSQL refuses to run as root, so
    /// it has to be started as somebody else.
    #[must_use]
    pub fn start(authority: &str, list: &str) -> Self {
        let (site, port) = (TlsSite::new(authority, list), free_port());
        let data = site.path("data");
        for dir in [&data, &site.path("crls")] {
            fs::create_dir(dir).expect("a directory");
        }
        belongs_to_postgres(&data);
        said(as_postgres("initdb").args(["-A", "trust", "-D"]).arg(&data));
        configure(&site, port);
        belongs_to_postgres(&data);
        let server = Server::start(as_postgres("postgres").arg("-D").arg(&data));
        let postgres = Self { _server: server, site, port };
        postgres.take(list);
        let answers = || (postgres.admin("select 1") == "1").then_some(());
        until("PostgreSQL answers", SOON, answers);
        assert_eq!(postgres.admin("create role breakglass_admin login"), "CREATE ROLE");
        postgres
    }

    /// Puts a list where the server looks for it, by the hash of its issuer. No reload: each
    /// connection reads the directory.
    pub fn take(&self, list: &str) {
        self.site.replace("crl.pem", list);
        let mut openssl = Command::new("openssl");
        openssl.args(["crl", "-noout", "-hash", "-in"]).arg(self.site.path("crl.pem"));
        self.site.replace(&format!("crls/{}.r0", said(&mut openssl)), list);
    }

    /// What the server's own administrator is told.
    #[must_use]
    pub fn admin(&self, sql: &str) -> String {
        let mut psql = as_postgres("psql");
        psql.arg("-h").arg(self.site.path("data")).args(["-p", &self.port.to_string()]);
        heard(psql.args(["-d", "postgres", "-Atc", sql])).trim().to_owned()
    }

    /// Where its administrator connects, who sees every setting.
    #[must_use]
    pub fn administrator(&self) -> String {
        let data = self.site.path("data");
        format!("host={} port={} dbname=postgres user=postgres", data.display(), self.port)
    }

    /// Where to connect, and as whom.
    #[must_use]
    pub fn target(&self) -> String {
        format!("host=localhost port={} dbname=postgres user=breakglass_admin", self.port)
    }

    /// `psql` with this certificate, not started.
    #[must_use]
    pub fn psql(&self, shown: &Shown, sql: &str) -> Command {
        let mut psql = Command::new("psql");
        psql.env("PGSSLMODE", "verify-full").env("PGSSLROOTCERT", self.site.server_ca());
        psql.env("PGSSLCERT", &shown.certificate).env("PGSSLKEY", &shown.key);
        psql.args(["-Atc", sql, &self.target()]).stdin(Stdio::null());
        psql
    }

    /// What `psql` with this certificate says.
    #[must_use]
    pub fn said(&self, shown: &Shown, sql: &str) -> String {
        heard(&mut self.psql(shown, sql)).trim().to_owned()
    }
}

fn configure(site: &TlsSite, port: u16) {
    let data = site.path("data");
    let dir = site.path("");
    let conf = format!(
        "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{data}'\n\
         ssl = on\nssl_cert_file = '{data}/server.crt'\nssl_key_file = '{data}/server.key'\n\
         ssl_ca_file = '{dir}/ca.pem'\nssl_crl_dir = '{dir}/crls'\nfsync = off\n",
        data = data.display(),
        dir = dir.display().to_string().trim_end_matches('/'),
    );
    let hba = "local all postgres trust\nhostssl all breakglass_admin 127.0.0.1/32 cert map=bg\n";
    let ident = "bg /^bg-req-[0-9a-f-]+-[a-z.-]+$ breakglass_admin\n";
    for (name, text) in
        [("postgresql.conf", conf.as_str()), ("pg_hba.conf", hba), ("pg_ident.conf", ident)]
    {
        fs::write(data.join(name), text).expect("written");
    }
    for name in ["server.crt", "server.key"] {
        fs::copy(site.path(name), data.join(name)).expect("copied");
        fs::set_permissions(data.join(name), Permissions::from_mode(0o600)).expect("private");
    }
}

fn belongs_to_postgres(dir: &Path) {
    said(Command::new("chown").args(["-R", "postgres"]).arg(dir));
}

/// A program of PostgreSQL, which refuses to run as root.
fn as_postgres(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    command.arg(programs().join(program)).current_dir("/");
    command
}

/// Where the newest PostgreSQL of this machine has its programs.
///
/// # Panics
///
/// Panics if there is none.
#[must_use]
pub fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let servers = versions.map(|version| version.expect("a directory").path().join("bin"));
    let servers = servers.filter(|bin| bin.join("postgres").is_file());
    servers.max().expect("PostgreSQL's server is installed")
}
