//! A real etcd that asks for client certificates, told of them as `breakglass host install` prints it.

use std::net::TcpStream;
use std::process::Command;

use crate::tls_site::{Server, Shown, TlsSite, free_port};
use crate::wait::{SOON, until};

/// A running etcd. Ended when dropped.
pub struct Etcd {
    /// Its files.
    pub site: TlsSite,
    _server: Server,
    port: u16,
}

impl Etcd {
    /// Starts one in `site`; `environment` says whose certificates it takes, one `NAME=value` in a line.
    #[must_use]
    pub fn start(site: TlsSite, environment: &str) -> Self {
        let (port, peers) = (free_port(), format!("http://127.0.0.1:{}", free_port()));
        let url = format!("https://127.0.0.1:{port}");
        let mut etcd = Command::new("/usr/bin/etcd");
        etcd.env_clear().current_dir(site.path("")).args(["--data-dir", "data"]);
        etcd.args(["--listen-client-urls", &url, "--advertise-client-urls", &url]);
        etcd.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
        etcd.args(["--initial-cluster", &format!("default={peers}")]);
        etcd.args(["--cert-file", "server.crt", "--key-file", "server.key"]);
        let lines = environment.lines().filter(|line| !line.starts_with('#'));
        etcd.envs(lines.filter_map(|line| line.split_once('=')));
        let server = Server::start(&mut etcd);
        until("etcd listens", SOON, || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { site, _server: server, port }
    }

    /// Whether it answers whoever comes with this certificate.
    ///
    /// # Panics
    ///
    /// Panics if curl does not run.
    #[must_use]
    pub fn lets_in(&self, shown: &Shown) -> bool {
        let mut curl = Command::new("curl");
        curl.args(["-s", "--noproxy", "*", "--cacert"]).arg(self.site.server_ca());
        curl.arg("--cert").arg(&shown.certificate).arg("--key").arg(&shown.key);
        let url = format!("https://localhost:{}/version", self.port);
        let output = curl.arg(url).output().expect("curl runs");
        String::from_utf8_lossy(&output.stdout).contains("etcdserver")
    }
}
