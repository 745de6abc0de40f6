use std::io::Read;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ServerConnection};

use super::*;
use crate::mint::tests::{NOW, mint};
use crate::mint::{Mint, PublicParts};

/// A clock for both sides.
#[derive(Clone, Debug)]
struct Watch(Arc<AtomicU64>);

impl Watch {
    fn new() -> Self {
        Self(Arc::new(AtomicU64::new(NOW.unix_seconds())))
    }

    fn set(&self, at: Timestamp) {
        self.0.store(at.unix_seconds(), Ordering::SeqCst);
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.0.load(Ordering::SeqCst))
    }
}

impl TimeProvider for Watch {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(self.now().unix_seconds())))
    }
}

fn server(mint: &Mint, watch: &Watch) -> Arc<ServerConfig> {
    let watch = watch.clone();
    let names = ["broker.example.com".to_owned()];
    mint.tls(&names, &["127.0.0.1".parse().unwrap()], move || watch.now()).unwrap()
}

fn client(public: &PublicParts, watch: &Watch) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(public.tls_ca_der.clone().into()).unwrap();
    let mut config = ClientConfig::builder_with_details(ring_provider(), Arc::new(watch.clone()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

/// What the client saw: the server's certificate and how the handshake went.
fn shake(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    name: &str,
) -> Result<(Vec<u8>, HandshakeKind), rustls::Error> {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut client = ClientConnection::new(Arc::clone(client), name)?;
    let mut server = ServerConnection::new(Arc::clone(server))?;
    while client.is_handshaking() || server.is_handshaking() || server.wants_write() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    assert_eq!(client.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert_eq!(client.alpn_protocol(), Some(b"h2".as_slice()));
    let certificate = client.peer_certificates().unwrap()[0].to_vec();
    Ok((certificate, client.handshake_kind().unwrap()))
}

#[test]
fn a_client_that_pins_the_authority_is_served_under_every_name() {
    let (_dir, mint) = mint(1);
    let watch = Watch::new();
    let (server, client) = (server(&mint, &watch), client(mint.public(), &watch));
    for name in [SERVER_NAME, "broker.example.com", "127.0.0.1"] {
        assert!(shake(&server, &client, name).is_ok(), "{name}");
    }
    for name in ["other.example.com", "127.0.0.2", "breakglassd.example.com"] {
        assert!(shake(&server, &client, name).is_err(), "{name}");
    }
}

#[test]
fn a_client_that_pins_another_authority_refuses() {
    let (_dir, ours) = mint(1);
    let (_other_dir, other) = mint(2);
    let watch = Watch::new();
    let refused = shake(&server(&ours, &watch), &client(other.public(), &watch), SERVER_NAME);
    assert!(matches!(refused, Err(rustls::Error::InvalidCertificate(_))), "{refused:?}");
}

#[test]
fn no_session_is_ever_resumed() {
    let (_dir, mint) = mint(1);
    let watch = Watch::new();
    let (server, client) = (server(&mint, &watch), client(mint.public(), &watch));
    for _ in 0..3 {
        let (_, kind) = shake(&server, &client, SERVER_NAME).unwrap();
        assert_eq!(kind, HandshakeKind::Full);
    }
}

#[test]
fn the_certificate_is_replaced_when_half_its_life_is_gone() {
    let (_dir, mint) = mint(1);
    let watch = Watch::new();
    let (server, client) = (server(&mint, &watch), client(mint.public(), &watch));
    let seen = || shake(&server, &client, SERVER_NAME).unwrap().0;
    let first = seen();
    watch.set(NOW.plus(VALIDITY_SECONDS / 2 - 1));
    assert_eq!(seen(), first);
    watch.set(NOW.plus(VALIDITY_SECONDS / 2));
    let second = seen();
    assert_ne!(second, first);
    assert_eq!(seen(), second);
    watch.set(NOW.plus(400 * 24 * 60 * 60));
    assert_ne!(seen(), second, "after a year of silence");
    watch.set(NOW);
    assert_ne!(seen(), second, "and when the clock is put right again");
}

#[test]
fn a_client_whose_clock_is_an_hour_behind_is_served() {
    let (_dir, mint) = mint(1);
    let (watch, behind) = (Watch::new(), Watch::new());
    behind.set(NOW.minus(60 * 60));
    let client = client(mint.public(), &behind);
    assert!(shake(&server(&mint, &watch), &client, SERVER_NAME).is_ok());
}

#[test]
fn a_name_that_is_none_is_refused() {
    let (_dir, mint) = mint(1);
    for name in ["", "two words", "a,b", "*.example.com\n", "-"] {
        let refused = mint.tls(&[name.to_owned()], &[], || NOW);
        assert!(matches!(refused, Err(MintError::ServerName { .. })), "{name:?}");
    }
}

/// R35: read back by somebody else's tool.
#[test]
fn openssl_reads_the_authority_and_the_server_certificate() {
    let (dir, mint) = mint(1);
    let watch = Watch::new();
    let client = client(mint.public(), &watch);
    let (leaf, _) = shake(&server(&mint, &watch), &client, SERVER_NAME).unwrap();
    let text = |name: &str, der: &[u8]| {
        std::fs::write(dir.path().join(name), der).unwrap();
        let args = ["x509", "-inform", "DER", "-noout", "-text", "-in", name];
        let output = Command::new("openssl").args(args).current_dir(dir.path()).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let authority = text("ca", &mint.public().tls_ca_der);
    for part in ["CA:TRUE, pathlen:0", "Certificate Sign, CRL Sign", "CN = breakglass TLS "] {
        assert!(authority.contains(part), "{part}: {authority}");
    }
    let leaf = text("leaf", &leaf);
    for part in [
        "CA:FALSE",
        "TLS Web Server Authentication",
        "DNS:breakglassd, DNS:broker.example.com, IP Address:127.0.0.1",
        "Not Before: Nov 22 11:00:00 2026 GMT",
        "Not After : Nov 29 11:59:59 2026 GMT",
        "NIST CURVE: P-256",
    ] {
        assert!(leaf.contains(part), "{part}: {leaf}");
    }
    assert!(mint.public().tls_ca_pem().starts_with("-----BEGIN CERTIFICATE-----\n"));
}

#[test]
fn a_client_of_tls_1_2_is_refused_and_one_of_1_3_is_not() {
    let (dir, mint) = mint(1);
    std::fs::write(dir.path().join("ca.pem"), mint.public().tls_ca_pem()).unwrap();
    for (version, accepted) in [("-tls1_2", false), ("-tls1_3", true)] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let config = server(&mint, &Watch::new());
        let serving = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut connection = ServerConnection::new(config).unwrap();
            // Until the client says that it is done, or nothing can be agreed on.
            while connection.complete_io(&mut socket).is_ok_and(|(read, _)| read > 0) {
                if connection.reader().read(&mut [0; 64]).is_ok_and(|read| read == 0) {
                    break;
                }
            }
        });
        let output = Command::new("openssl")
            .args(["s_client", version, "-alpn", "h2", "-CAfile", "ca.pem"])
            .args(["-no_check_time", "-verify_return_error", "-connect", &address])
            .args(["-verify_hostname", SERVER_NAME, "-servername", SERVER_NAME])
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        serving.join().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            text.contains("Verify return code: 0 (ok)") && output.status.success(),
            accepted
        );
        assert_eq!(text.contains("ALPN protocol: h2"), accepted, "{text}");
    }
}
