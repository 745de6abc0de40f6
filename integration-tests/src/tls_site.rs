//! What the real TLS servers of the tests have in common: a directory, a certificate of their own,
//! whom they trust, and an end.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::sshd::said;

/// The directory of a server: its own certificate for `localhost`, the authority over its clients,
/// and the list of those that are revoked. Removed when dropped.
pub struct TlsSite(tempfile::TempDir);

impl TlsSite {
    /// One that trusts `authority` (PEM), with its list (PEM).
    ///
    /// # Panics
    ///
    /// Panics if files cannot be written.
    #[must_use]
    pub fn new(authority: &str, list: &str) -> Self {
        let site = Self(tempfile::tempdir().expect("a directory"));
        // PostgreSQL reads it as a user of its own.
        fs::set_permissions(site.0.path(), Permissions::from_mode(0o755)).expect("readable");
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        openssl.args(["-nodes", "-subj", "/CN=localhost", "-days", "2"]);
        openssl.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        openssl.args(["-keyout", "server.key", "-out", "server.crt"]);
        said(openssl.current_dir(site.0.path()));
        site.replace("ca.pem", authority);
        site.replace("crl.pem", list);
        site
    }

    /// A path in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Who vouches for the server, PEM.
    #[must_use]
    pub fn server_ca(&self) -> PathBuf {
        self.path("server.crt")
    }

    /// Replaces a file as a whole, as `publish` does.
    ///
    /// # Panics
    ///
    /// Panics if it cannot.
    pub fn replace(&self, name: &str, text: &str) {
        fs::write(self.path("new"), text).expect("written");
        fs::rename(self.path("new"), self.path(name)).expect("replaced");
    }
}

/// A server that was started by a test. Ended when dropped, and its children with it.
pub struct Server(Child);

impl Server {
    /// Starts `command` without a word on the test's own output.
    ///
    /// # Panics
    ///
    /// Panics if it does not start.
    pub fn start(command: &mut Command) -> Self {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(quiet.spawn().expect("the server is installed"))
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    ///
    /// Panics if there is no such process.
    pub fn signal(&self, name: &str) {
        said(Command::new("kill").args(["-s", name, &self.0.id().to_string()]));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // INT ends PostgreSQL at once and nginx too, both with their children.
        let pid = self.0.id().to_string();
        let _ended = Command::new("kill").args(["-s", "INT", &pid]).status();
        let _status = self.0.wait();
    }
}

/// A certificate and its private key, as files.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// Its key, PKCS#8 PEM.
    pub key: PathBuf,
}

impl Shown {
    /// What `breakglass collect --out` left in `dir`.
    #[must_use]
    pub fn collected(dir: &Path) -> Self {
        Self { certificate: dir.join("certificate.pem"), key: dir.join("key.pem") }
    }

    /// Its serial number in upper-case hexadecimal, as the stock tool reads it.
    #[must_use]
    pub fn serial(&self) -> String {
        let told = self.openssl(&["-serial"]);
        told.trim_start_matches("serial=").to_owned()
    }

    /// What `openssl x509` says about it.
    #[must_use]
    pub fn openssl(&self, arguments: &[&str]) -> String {
        said(
            Command::new("openssl")
                .args(["x509", "-noout", "-in"])
                .arg(&self.certificate)
                .args(arguments),
        )
    }

    /// What `openssl verify` says when it asks as servers do: 0 for yes, or the number of its error.
    ///
    /// # Panics
    ///
    /// Panics if it names no number.
    #[must_use]
    pub fn verdict(&self, authority: &Path, list: Option<&Path>, more: &[&str]) -> u32 {
        let mut openssl = Command::new("openssl");
        openssl.args(["verify", "-crl_check", "-crl_check_all", "-purpose", "sslclient"]);
        openssl.arg("-CAfile").arg(authority).args(more);
        if let Some(list) = list {
            openssl.arg("-CRLfile").arg(list);
        }
        let output = openssl.arg(&self.certificate).output().expect("openssl runs");
        if output.status.success() {
            return 0;
        }
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let number = told.split("error ").nth(1).and_then(|rest| rest.split_whitespace().next());
        number.and_then(|number| number.parse().ok()).expect("openssl names the error")
    }
}

/// A port of loopback that is free.
///
/// # Panics
///
/// Panics if there is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("an address").port()
}

/// Everything that `command` says, on either stream, whatever becomes of it.
///
/// # Panics
///
/// Panics if it does not start.
pub fn heard(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("the program is installed");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}
