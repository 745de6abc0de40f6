use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// What a server says to a path; `None` is to hang until the client gives up.
type Script = fn(&str, SocketAddr) -> Option<Vec<u8>>;

/// A real HTTP server on loopback. It ends with its listener's last connection.
struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Server {
    fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut read = [0; 4096];
                    let size = stream.read(&mut read).unwrap_or_default();
                    let head = String::from_utf8_lossy(&read[..size]).into_owned();
                    let path = head.split(' ').nth(1).unwrap_or_default();
                    match script(path, address) {
                        Some(bytes) => drop(stream.write_all(&bytes)),
                        // Until the other side is gone.
                        None => while stream.read(&mut read).is_ok_and(|size| size > 0) {},
                    }
                });
            }
        });
        Self { address, stop }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(std::net::TcpStream::connect(self.address));
    }
}

fn answer(status: u16, body: &str) -> Option<Vec<u8>> {
    let size = body.len();
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {size}\r\nconnection: close\r\n");
    Some(format!("{head}location: /again\r\n\r\n{body}").into_bytes())
}

const KEYS: &str = r#"{"keys":[{"kty":"RSA","kid":"a","use":"sig"}]}"#;
const UNKNOWN: &str = r#"{"error":"invalid_client"}"#;

fn discovery(at: SocketAddr) -> String {
    let base = format!("http://{at}");
    format!(r#"{{"issuer":"{base}","jwks_uri":"{base}/keys","token_endpoint":"{base}/token"}}"#)
}

fn good(path: &str, at: SocketAddr) -> Option<Vec<u8>> {
    match path {
        "/keys" => answer(200, KEYS),
        "/token" => answer(401, UNKNOWN),
        _ => answer(200, &discovery(at)),
    }
}

fn watch(server: &Server, more: &str) -> Watch {
    let (issuer, control) = (format!("http://{}", server.address), server.address);
    let table =
        format!("id = 'okta'\nissuer = '{issuer}'\ncontrols = ['{control}']\ntimeout = 1\n{more}");
    toml::from_str(&table).unwrap()
}

/// What each probe of one round finds: `name finding`.
async fn round(script: Script) -> Vec<String> {
    let server = Server::start(script);
    let mut prober = Prober::new(&watch(&server, "")).unwrap();
    told(&prober.round().await)
}

fn told(answers: &[Answer]) -> Vec<String> {
    answers.iter().map(|answer| format!("{} {:?}", answer.probe, answer.finding)).collect()
}

#[tokio::test]
async fn an_issuer_that_works_is_up_in_every_way() {
    let found = round(good).await;
    assert_eq!(found, ["discovery Up", "keys Up", "token Up", "control-1 Up"]);
}

#[tokio::test]
async fn every_kind_of_failure_has_its_name() {
    let bad = |what: &str| vec![format!("discovery {what}"), "control-1 Up".to_owned()];
    assert_eq!(round(|_, _| answer(503, "")).await, bad("Http5xx"));
    assert_eq!(round(|_, _| answer(404, "")).await, bad("Http4xx"));
    assert_eq!(round(|_, _| answer(200, "<html>sorry</html>")).await, bad("Body"));
    assert_eq!(round(|_, _| answer(200, r#"{"issuer":"x"}"#)).await, bad("Body"));
    assert_eq!(round(|_, _| Some(Vec::new())).await, bad("Body"), "hung up without a word");
    let other = |_: &str, at| answer(200, &discovery(at).replacen("\":\"http", "\":\"https", 1));
    assert_eq!(round(other).await, bad("WrongIssuer"));
}

#[tokio::test]
async fn the_issuer_is_compared_byte_by_byte() {
    let slash = |_: &str, at: SocketAddr| {
        answer(200, &discovery(at).replacen("\",\"jwks", "/\",\"jwks", 1))
    };
    assert_eq!(round(slash).await[0], "discovery WrongIssuer");
}

#[tokio::test]
async fn a_target_that_hangs_is_slow_and_one_that_never_stops_talking_is_too_large() {
    assert_eq!(round(|_, _| None).await[0], "discovery Slow");
    // Ten gigabytes are promised; what is sent is read no further than the limit.
    let endless = |_: &str, _| {
        let head = "HTTP/1.1 200 X\r\ncontent-length: 10000000000\r\n\r\n";
        Some([head.as_bytes(), &vec![b' '; 1 << 20]].concat())
    };
    assert_eq!(round(endless).await[0], "discovery TooLarge");
}

#[tokio::test]
async fn redirects_are_not_followed_however_many_there_are() {
    assert_eq!(round(|_, _| answer(302, "")).await[0], "discovery Redirect");
}

#[tokio::test]
async fn too_many_requests_come_from_something_alive_and_prove_no_recovery() {
    let found = round(|_, _| answer(429, "")).await;
    assert_eq!(found, ["discovery Up", "token Prober", "control-1 Up"]);
}

#[tokio::test]
async fn keys_and_a_token_endpoint_that_do_not_work_are_found_out() {
    let no_keys = |path: &str, at: SocketAddr| match path {
        "/keys" => answer(200, r#"{"keys":[]}"#),
        _ => good(path, at),
    };
    assert_eq!(round(no_keys).await[1], "keys NoKeys");
    let encryption_only = |path: &str, at: SocketAddr| match path {
        "/keys" => answer(200, &KEYS.replace("sig", "enc")),
        _ => good(path, at),
    };
    assert_eq!(round(encryption_only).await[1], "keys NoKeys");
    let sorry = |path: &str, at: SocketAddr| match path {
        "/token" => answer(401, "<html>"),
        _ => good(path, at),
    };
    assert_eq!(round(sorry).await[2], "token Body");
    let anybody = |path: &str, at: SocketAddr| match path {
        "/token" => answer(200, r#"{"access_token":"x"}"#),
        _ => good(path, at),
    };
    assert_eq!(round(anybody).await[2], "token Body", "a token for nobody");
}

#[tokio::test]
async fn while_discovery_fails_the_endpoints_known_are_still_asked() {
    static DOWN: AtomicBool = AtomicBool::new(false);
    let server = Server::start(|path, at| match path {
        "/keys" | "/token" => good(path, at),
        _ if DOWN.load(Ordering::SeqCst) => answer(500, ""),
        _ => good(path, at),
    });
    let mut prober = Prober::new(&watch(&server, "")).unwrap();
    prober.round().await;
    DOWN.store(true, Ordering::SeqCst);
    let found = told(&prober.round().await);
    assert_eq!(found, ["discovery Http5xx", "keys Up", "token Up", "control-1 Up"]);
}

#[tokio::test]
async fn what_nobody_listens_on_is_told_from_a_name_that_is_none() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = Server::start(good);
    let more =
        format!("tcp = ['{closed}', 'no-such-name.invalid:1']\nhttp = ['http://{closed}/']\n");
    let mut prober = Prober::new(&watch(&server, &more)).unwrap();
    let found = told(&prober.round().await);
    assert!(found.contains(&"tcp-1 Connect".to_owned()), "{found:?}");
    assert!(found.contains(&"tcp-2 Dns".to_owned()), "{found:?}");
    assert!(found.contains(&"http-1 Connect".to_owned()), "{found:?}");
}

#[test]
fn errors_of_this_machine_are_ours() {
    for code in OURS {
        assert_eq!(of_io(&io::Error::from_raw_os_error(code)), Some(Finding::Prober), "{code}");
    }
    // ECONNREFUSED
    assert_eq!(of_io(&io::Error::from_raw_os_error(111)), None);
}

#[test]
fn a_file_without_authorities_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    std::fs::write(&path, "nothing").unwrap();
    let error = tls::config(Some(&path)).unwrap_err();
    assert!(error.to_string().contains("no certificate"), "{error}");
}
