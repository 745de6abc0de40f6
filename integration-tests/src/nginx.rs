//! A real nginx that asks for client certificates, with the settings of our own runbook.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::tls_site::{Server, Shown, TlsSite, free_port};
use crate::wait::{SOON, until};

/// A running nginx. Ended when dropped.
pub struct Nginx {
    /// Its files.
    pub site: TlsSite,
    server: Server,
    port: u16,
}

impl Nginx {
    /// One that keeps no sessions, as the runbook has it.
    #[must_use]
    pub fn start(authority: &str, list: &str) -> Self {
        Self::keeping(authority, list, "ssl_session_cache none; ssl_session_tickets off;")
    }

    /// One with these settings for sessions.
    #[must_use]
    pub fn keeping(authority: &str, list: &str, sessions: &str) -> Self {
        let (site, port) = (TlsSite::new(authority, list), free_port());
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let temporary = temporary.map(|what| format!("{what}_temp_path t;")).join(" ");
        let conf = format!(
            "daemon off; pid nginx.pid; error_log error.log; events {{}}\n\
             http {{ {temporary}\n\
             log_format breakglass '{FORMAT}'; access_log access.log breakglass;\n\
             server {{ listen 127.0.0.1:{port} ssl;\n\
             ssl_certificate server.crt; ssl_certificate_key server.key;\n\
             ssl_client_certificate ca.pem; ssl_verify_client on; ssl_crl crl.pem;\n\
             {sessions}\n\
             return 200 \"$ssl_client_serial $ssl_client_s_dn\\n\"; }} }}\n"
        );
        site.replace("nginx.conf", &conf);
        let mut nginx = Command::new("/usr/sbin/nginx");
        nginx.arg("-p").arg(site.path("")).args(["-c", "nginx.conf", "-e", "error.log"]);
        let server = Server::start(&mut nginx);
        until("nginx listens", SOON, || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { site, server, port }
    }

    /// Where it answers: with the serial number and the name of whoever asks.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://localhost:{}/", self.port)
    }

    /// The same for whoever needs no name.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Writes `new` where its configuration says `old`; it counts from the next reload on.
    ///
    /// # Panics
    ///
    /// Panics if it does not say so.
    pub fn change(&self, old: &str, new: &str) {
        let conf = fs::read_to_string(self.site.path("nginx.conf")).expect("its configuration");
        assert!(conf.contains(old), "{conf}");
        self.site.replace("nginx.conf", &conf.replace(old, new));
    }

    /// What it answers whoever comes with this certificate.
    ///
    /// # Panics
    ///
    /// Panics if curl does not run.
    #[must_use]
    pub fn ask(&self, shown: &Shown) -> String {
        let mut curl = Command::new("curl");
        curl.args(["-s", "--noproxy", "*", "--cacert"]).arg(self.site.server_ca());
        curl.arg("--cert").arg(&shown.certificate).arg("--key").arg(&shown.key);
        let output = curl.arg(self.url()).output().expect("curl runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The same over TLS 1.2, keeping the session in a file.
    #[must_use]
    pub fn ask_and_keep(&self, shown: &Shown) -> String {
        self.ask_by(shown, "-sess_out")
    }

    /// What whoever kept a session is answered with it; nothing if the server gave none to keep.
    #[must_use]
    pub fn come_back(&self, shown: &Shown) -> String {
        let is_kept = self.site.path(KEPT).exists();
        if is_kept { self.ask_by(shown, "-sess_in") } else { String::new() }
    }

    fn ask_by(&self, shown: &Shown, session: &str) -> String {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-quiet", "-tls1_2", "-connect"]);
        openssl.arg(format!("127.0.0.1:{}", self.port)).arg("-cert").arg(&shown.certificate);
        openssl.arg("-key").arg(&shown.key).arg(session).arg(self.site.path(KEPT));
        let piped = openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = piped.spawn().expect("openssl runs");
        let mut stdin = child.stdin.take().expect("piped");
        // Who is refused in the handshake reads nothing; what it says then counts.
        let _ = stdin.write_all(b"GET / HTTP/1.0\r\n\r\n");
        drop(stdin);
        let output = child.wait_with_output().expect("ended");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Puts a new list in place and has it read again. The worker of before is gone when this
    /// returns, which would answer by the old list whom it had taken already.
    pub fn take(&self, list: &str) {
        self.site.replace("crl.pem", list);
        let before = self.workers();
        self.server.signal("HUP");
        let is_another = |now: &[String]| now.len() == 1 && now != before;
        until("another worker serves", SOON, || is_another(&self.workers()).then_some(()));
    }

    fn workers(&self) -> Vec<String> {
        let pid = self.server.id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.expect("a running nginx");
        children.split_whitespace().map(str::to_owned).collect()
    }
}

/// Where a session is kept.
const KEPT: &str = "session";
/// Of its log, as `breakglass host install` prints it.
const FORMAT: &str = "$msec $ssl_client_verify $ssl_client_serial \"$ssl_client_i_dn\"";
