//! The line itself: who is on the other end, how much at once, and who waits for whom.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};

use breakglass_ledger::statement::Act;
use breakglass_proto::v1;
use tonic::Code;

use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::site::Site;
use breakglass_integration_tests::wait::SOON;
use breakglass_integration_tests::wire::connect;

use super::bench::Bench;
use super::bench::Told::Stopped;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_trusts_another_authority_says_nothing() {
    let (bench, other) = (Bench::new().await, Site::sample());
    connect(bench.daemon.rpc, &other.ca()).await.expect_err("not its authority");
    connect(bench.daemon.rpc, &bench.site.ca()).await.expect("its authority");
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_older_than_tls_1_3_is_spoken() {
    let bench = Bench::new().await;
    let at = bench.daemon.rpc.to_string();
    let ca = bench.site.state().join("keys").join("tls-ca.crt");
    let handshake = |version: &str| {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_client", "-connect", &at, version, "-alpn", "h2", "-brief"]);
        openssl.args(["-verify_return_error", "-CAfile"]).arg(&ca);
        let done = openssl.stdin(Stdio::null()).output().unwrap();
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (spoken, said) = handshake("-tls1_3");
    assert!(spoken && said.contains("TLSv1.3"), "{said}");
    for version in ["-tls1_2", "-tls1_1"] {
        let (spoken, said) = handshake(version);
        assert!(!spoken, "{version}: {said}");
    }
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_text_is_hung_up_on() {
    let bench = Bench::new().await;
    for words in ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"] {
        let mut socket = TcpStream::connect(bench.daemon.rpc).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        socket.write_all(words.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // Reset or closed: both are hung up.
        let _ = socket.read_to_end(&mut answer);
        assert!(!answer.windows(4).any(|four| four == b"HTTP"), "{answer:?}");
    }
    bench.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_are_not_even_read() {
    let bench = Bench::new().await;
    let asking = bench.wire.ask(&Person::named("sam"), "solo", 600, &Person::named("subject"));
    let content = vec![0; 10 << 20];
    let large = v1::SubmitRequest {
        blobs: vec![v1::Blob { name: "people.toml".into(), content }],
        ..asking.clone()
    };
    bench.expect("ten megabytes", large, Stopped(Code::OutOfRange, "too large")).await;
    bench.good(asking).await;
    bench.close().await;
}

/// Newcomers who begin a handshake and do not go on hold neither the port nor anybody else.
#[tokio::test(flavor = "multi_thread")]
async fn silent_newcomers_hold_nobody_up() {
    let bench = Bench::limited("").await;
    // The machine may be so slow that they are hung up on first; not every time.
    let mut is_let_in = false;
    for _ in 0..ATTEMPTS {
        let silent = silent(bench.daemon.rpc);
        connect(bench.daemon.rpc, &bench.site.ca()).await.expect("a connection");
        if silent.iter().any(still_waits) {
            is_let_in = true;
            break;
        }
    }
    assert!(is_let_in, "nobody was let in before the silent ones were hung up on");
    let asking = bench.wire.ask(&Person::named("sam"), "solo", 600, &Person::named("subject"));
    bench.good(asking).await;
    bench.close().await;
}

/// Times that newcomers are let in beside silent ones, until it was quick enough to be seen.
const ATTEMPTS: usize = 8;

/// Connections on which a handshake has begun that does not go on.
fn silent(to: SocketAddr) -> Vec<TcpStream> {
    // The first bytes of a handshake record whose rest never comes.
    let begun = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let silent: Vec<TcpStream> = (0..300)
        .filter_map(|number| {
            let mut socket = from_other_address(to)?;
            let _ = socket.write_all(&begun[..number % begun.len()]);
            Some(socket)
        })
        .collect();
    assert!(silent.len() > 50, "{}", silent.len());
    silent
}

/// Whether the other side has neither spoken nor hung up.
fn still_waits(socket: &TcpStream) -> bool {
    socket.set_nonblocking(true).unwrap();
    let read = socket.peek(&mut [0]);
    read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// A connection from another of this machine's own addresses, as if from another machine.
fn from_other_address(to: SocketAddr) -> Option<TcpStream> {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 2], 0))).unwrap();
    let connect = tokio::runtime::Handle::current();
    let stream = tokio::task::block_in_place(|| connect.block_on(socket.connect(to))).ok()?;
    let stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    Some(stream)
}

/// One who floods is told when to come again; the others are answered meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_from_one_principal_leaves_the_others_their_answers() {
    // So few more each second that a slow machine does not make a trickle of the flood.
    let limits = "[limits]\nacts-per-principal = { per-second = 1, burst = 30 }\n";
    let bench = Bench::limited(limits).await;
    let (request, _) = bench.asked(&Person::named("tom"), "root-on-host").await;
    let policy = bench.policy().await;
    let before = bench.rows().len();
    let flood = (0..80).map(|_| {
        // Each is decided, and refused: he may not drop what is tom's.
        let act = bench.wire.about(&Person::named("sam"), Act::Drop, request);
        let wire = bench.wire.clone();
        tokio::spawn(async move { wire.submit(act).await.expect_err("refused") })
    });
    let flood: Vec<_> = flood.collect();
    bench.good(bench.wire.approve(&Person::named("ada"), "app-owner", request, policy)).await;
    let (mut decided, mut slowed) = (0, 0);
    for answer in flood {
        let status = answer.await.unwrap();
        if status.code() == Code::ResourceExhausted {
            slowed += 1;
            let wait = status.metadata().get("retry-after").expect("when to come again");
            assert!(wait.to_str().unwrap().parse::<u64>().unwrap() >= 1, "{status}");
            assert!(status.message().contains("acts come too often"), "{status}");
        } else {
            decided += 1;
        }
    }
    assert!(slowed >= 1 && decided >= 30, "{decided} decided, {slowed} slowed down");
    assert_eq!(bench.rows().len(), before + decided + 1, "each decided one is written, and ada's");
    bench.close().await;
}
