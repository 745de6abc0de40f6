//! Real servers take what is minted, and refuse what the list names: nginx and PostgreSQL, as they
//! come from Debian, with the settings of our own runbooks.

use std::fs::Permissions;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::clock::{Clock, SystemClock};

/// An authority of today, and a directory that servers read.
struct Site {
    dir: TempDir,
    mint: Mint,
    now: Timestamp,
}

impl Site {
    fn new() -> Self {
        let (dir, now) = (TempDir::new().unwrap(), SystemClock.now().second());
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        Mint::create(dir.path(), "payments", &SeededEntropy::new(1), now).unwrap();
        let mint = Mint::open(dir.path(), "payments").unwrap();
        let site = Self { dir, mint, now };
        site.write("ca.pem", &ca(&site.mint));
        let args =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let files = ["-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.crt"];
        let made =
            Command::new("openssl").args(args).args(files).current_dir(site.dir.path()).output();
        assert!(made.unwrap().status.success());
        site.list(&[], now);
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Replaces a file as `publish` does.
    fn write(&self, name: &str, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    /// A certificate under this serial, and its key, in files of its name.
    fn grant(&self, serial: u64) -> X509Credential {
        let (algorithm, rng) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &rng).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &rng).unwrap();
        let cleared = Cleared {
            subject: ssh_form(pair.public_key().as_ref()).unwrap(),
            valid_after: self.now.minus(60),
            valid_before: self.now.plus(1800),
            ..Cleared::plain()
        };
        let credential =
            self.mint.certify_x509(&cleared.terms(), serial, &SeededEntropy::new(serial)).unwrap();
        self.write(&format!("{serial}.crt"), &credential.certificate);
        let key = pem::encode("PRIVATE KEY", pkcs8.as_ref());
        self.write(&format!("{serial}.key"), std::str::from_utf8(&key).unwrap());
        fs::set_permissions(self.path(&format!("{serial}.key")), Permissions::from_mode(0o600))
            .unwrap();
        credential
    }

    /// Publishes the list that revokes these, signed `at`.
    fn list(&self, revoked: &[&X509Credential], at: Timestamp) {
        let line = |one: &&X509Credential| Line::new(one.serial_number, at).unwrap();
        let lines: Vec<_> = revoked.iter().map(line).collect();
        let list = self.mint.crl(lines.iter(), 43, at).unwrap().unwrap();
        self.write("crl.pem", &list.pem);
    }
}

/// A server of ours, ended when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let pid = self.0.id().to_string();
        // INT ends PostgreSQL at once and nginx too; both end their children.
        let _ended = Command::new("kill").args(["-INT", &pid]).status();
        let _status = self.0.wait();
    }
}

/// Asks until it is so.
fn until(what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        #[expect(clippy::disallowed_methods, reason = "another program needs time, not our clock")]
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

struct Nginx<'a> {
    site: &'a Site,
    server: Server,
    port: u16,
}

impl<'a> Nginx<'a> {
    fn start(site: &'a Site) -> Self {
        Self::keeping(site, "ssl_session_cache none; ssl_session_tickets off;")
    }

    /// With these settings for sessions.
    fn keeping(site: &'a Site, sessions: &str) -> Self {
        let port = port();
        let conf = format!(
            "daemon off; pid nginx.pid; error_log error.log; events {{}}\n\
             http {{ access_log off; client_body_temp_path t; proxy_temp_path t; \
             fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;\n\
             server {{ listen 127.0.0.1:{port} ssl;\n\
             ssl_certificate server.crt; ssl_certificate_key server.key;\n\
             ssl_client_certificate ca.pem; ssl_verify_client on; ssl_crl crl.pem;\n\
             {sessions}\n\
             return 200 \"$ssl_client_serial $ssl_client_s_dn\\n\"; }} }}\n"
        );
        site.write("nginx.conf", &conf);
        let child = Command::new("/usr/sbin/nginx")
            .arg("-p")
            .arg(site.dir.path())
            .args(["-c", "nginx.conf", "-e", "error.log"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let nginx = Self { site, server: Server(child), port };
        until("nginx listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        nginx
    }

    /// What it answers whoever comes with this certificate.
    fn ask(&self, serial: u64) -> String {
        let url = format!("https://127.0.0.1:{}/", self.port);
        let (cert, key) = (format!("{serial}.crt"), format!("{serial}.key"));
        let args = ["-sk", "--noproxy", "*", "--cert", &cert, "--key", &key, &url];
        let output = Command::new("curl").args(args).current_dir(self.site.dir.path()).output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    }

    /// The same over TLS 1.2, keeping the session in `kept`, or coming back with it.
    fn ask_again(&self, serial: u64, kept: [&str; 2]) -> String {
        let at = format!("127.0.0.1:{}", self.port);
        let (cert, key) = (format!("{serial}.crt"), format!("{serial}.key"));
        let args = ["s_client", "-quiet", "-tls1_2", "-connect", &at, "-cert", &cert, "-key", &key];
        let mut child = Command::new("openssl")
            .args(args)
            .args(kept)
            .current_dir(self.site.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    }

    /// Has it read its files again. The worker of before is gone when this returns, which would answer
    /// by the old list whom it had taken already.
    fn reload(&self) {
        let pid = self.server.0.id().to_string();
        let before = self.workers();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
        let is_another = |now: &[String]| now.len() == 1 && now != before;
        until("another worker serves", || is_another(&self.workers()));
    }

    fn workers(&self) -> Vec<String> {
        let pid = self.server.0.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        children.split_whitespace().map(str::to_owned).collect()
    }
}

#[test]
fn nginx_takes_a_certificate_until_its_list_names_it() {
    let site = Site::new();
    let (one, other) = (site.grant(41), site.grant(42));
    let nginx = Nginx::start(&site);
    let attributed = format!("{} CN={}", one.serial_number, one.common_name);
    let told = nginx.ask(41);
    assert!(told.contains(&attributed) && told.contains("O=breakglass"), "{told}");
    assert!(nginx.ask_again(41, ["-sess_out", "kept"]).contains("200 OK"));
    site.list(&[&one], site.now);
    nginx.reload();
    assert!(nginx.ask(41).contains("400 Bad Request"), "the list is in force");
    assert!(nginx.ask(42).contains(&other.common_name), "the other one is good");
    assert!(!comes_back(&nginx).contains("200 OK"), "a session of before is no way round");
}

/// What whoever kept a session is answered; nothing if the server gave none to keep.
fn comes_back(nginx: &Nginx<'_>) -> String {
    let is_kept = nginx.site.path("kept").exists();
    if is_kept { nginx.ask_again(41, ["-sess_in", "kept"]) } else { String::new() }
}

/// Why the settings above are needed: with a shared cache the session outlives the certificate.
#[test]
fn nginx_with_a_shared_cache_takes_a_session_though_its_list_names_the_certificate() {
    let site = Site::new();
    let one = site.grant(41);
    let nginx = Nginx::keeping(&site, "ssl_session_cache shared:kept:1m; ssl_session_tickets off;");
    assert!(nginx.ask_again(41, ["-sess_out", "kept"]).contains("200 OK"));
    site.list(&[&one], site.now);
    nginx.reload();
    assert!(nginx.ask(41).contains("400 Bad Request"), "the list is in force");
    assert!(comes_back(&nginx).contains("200 OK"), "the trap is not there any more");
}

/// Why the list is signed every few minutes and its age is part of `/healthz`.
#[test]
fn nginx_refuses_everybody_once_the_list_has_run_out() {
    let site = Site::new();
    let good = site.grant(41);
    let nginx = Nginx::start(&site);
    assert!(nginx.ask(41).contains(&good.common_name));
    site.list(&[], site.now.minus(8 * 86_400));
    nginx.reload();
    assert!(nginx.ask(41).contains("400 Bad Request"), "the old list is in force");
}

struct Postgres<'a> {
    site: &'a Site,
    _server: Server,
    port: u16,
}

impl<'a> Postgres<'a> {
    /// A fresh cluster that lets in by certificate whom the map names, owned by `postgres`.
    fn start(site: &'a Site) -> Self {
        let (port, data) = (port(), site.path("data"));
        fs::create_dir(&data).unwrap();
        fs::create_dir(site.path("crls")).unwrap();
        let owner = Command::new("chown").args(["-R", "postgres"]).arg(&data).status();
        assert!(owner.unwrap().success());
        assert!(
            as_postgres("initdb")
                .args(["-A", "trust", "-D"])
                .arg(&data)
                .output()
                .unwrap()
                .status
                .success()
        );
        for (name, text) in [
            (
                "postgresql.conf",
                format!(
                    "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{data}'\n\
                 ssl = on\nssl_cert_file = '{data}/server.crt'\nssl_key_file = '{data}/server.key'\n\
                 ssl_ca_file = '{dir}/ca.pem'\nssl_crl_dir = '{dir}/crls'\nfsync = off\n",
                    data = data.display(),
                    dir = site.dir.path().display(),
                ),
            ),
            (
                "pg_hba.conf",
                "local all postgres trust\n\
                             hostssl all breakglass_admin 127.0.0.1/32 cert map=bg\n"
                    .to_owned(),
            ),
            ("pg_ident.conf", "bg /^bg-req-[0-9a-f-]+-[a-z.-]+$ breakglass_admin\n".to_owned()),
        ] {
            fs::write(data.join(name), text).unwrap();
        }
        for name in ["server.crt", "server.key"] {
            fs::copy(site.path(name), data.join(name)).unwrap();
            fs::set_permissions(data.join(name), Permissions::from_mode(0o600)).unwrap();
        }
        assert!(
            Command::new("chown").args(["-R", "postgres"]).arg(&data).status().unwrap().success()
        );
        let server = as_postgres("postgres").arg("-D").arg(&data).stderr(Stdio::null()).spawn();
        let postgres = Self { site, _server: Server(server.unwrap()), port };
        postgres.take_list();
        until("PostgreSQL answers", || postgres.admin("select 1").contains('1'));
        postgres.admin("create role breakglass_admin login");
        postgres
    }

    /// Puts the site's list where the server looks for it: by the hash of its issuer.
    fn take_list(&self) {
        let list = fs::read(self.site.path("crl.pem")).unwrap();
        let hash = said(&openssl(&["crl", "-in", "crl", "-noout", "-hash"], &[("crl", &list)]));
        let name = format!("crls/{}.r0", hash.trim());
        self.site.write(&name, std::str::from_utf8(&list).unwrap());
    }

    /// What the server's own administrator is told.
    fn admin(&self, sql: &str) -> String {
        let mut psql = as_postgres("psql");
        psql.arg("-h").arg(self.site.path("data")).args(["-p", &self.port.to_string()]);
        let output = psql.args(["-d", "postgres", "-Atc", sql]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// `psql` with this certificate.
    fn psql(&self, serial: u64, sql: &str) -> Command {
        let file = |ending: &str| self.site.path(&format!("{serial}.{ending}"));
        let to = format!(
            "host=127.0.0.1 port={} dbname=postgres user=breakglass_admin sslmode=require \
             sslcert={} sslkey={}",
            self.port,
            file("crt").display(),
            file("key").display(),
        );
        let mut psql = Command::new("psql");
        psql.args(["-Atc", sql, &to]);
        psql
    }

    fn said(&self, serial: u64, sql: &str) -> String {
        let output = self.psql(serial, sql).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

/// A program of PostgreSQL, which refuses to run as root.
fn as_postgres(program: &str) -> Command {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let bin = versions.map(|version| version.unwrap().path().join("bin")).max().unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    command.arg(bin.join(program)).current_dir(Path::new("/")).stdout(Stdio::piped());
    command
}

#[test]
fn postgresql_takes_a_certificate_until_its_list_names_it_and_the_session_is_ended_by_serial() {
    let site = Site::new();
    let (one, _other) = (site.grant(41), site.grant(42));
    let postgres = Postgres::start(&site);
    assert_eq!(postgres.said(41, "select current_user").trim(), "breakglass_admin");
    let session = postgres.psql(41, "select pg_sleep(300)").stderr(Stdio::piped()).spawn();
    let number = u128::from_be_bytes(*one.serial_number.as_bytes());
    let count = format!("select count(*) from pg_stat_ssl where client_serial = {number}");
    until("the session is there", || postgres.admin(&count).trim() == "1");
    site.list(&[&one], site.now);
    postgres.take_list();
    // No reload: each connection reads the directory.
    let refused = postgres.said(41, "select 1");
    assert!(refused.contains("certificate revoked"), "{refused}");
    assert_eq!(postgres.said(42, "select current_user").trim(), "breakglass_admin");
    assert_eq!(postgres.admin(&count).trim(), "1", "an open session survives, so it is ended");
    let end = "select pg_terminate_backend(pid) from pg_stat_ssl where client_serial = ";
    assert_eq!(postgres.admin(&format!("{end}{number}")).trim(), "t");
    let ended = session.unwrap().wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(told.contains("terminating connection"), "{told}");
}
