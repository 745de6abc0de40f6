//! The door with everything behind it: real TLS, gRPC, desk, mint and store. Only the clock and the
//! dice are ours.

mod acts;
#[expect(clippy::arithmetic_side_effects, reason = "small numbers; a panic fails the test")]
mod crowded;
#[expect(clippy::arithmetic_side_effects, reason = "small numbers; a panic fails the test")]
mod following;
mod hosts;
mod limited;
mod reading;
mod streams;
mod table;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};

use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::note::open_checkpoint;
use breakglass_ledger::policy::{Files, sample};
use breakglass_ledger::sshsig::SshSig;
use breakglass_ledger::statement::{
    About, Act, Approve, Ask, Collect, Kind, Lane, Seen, Statement, commitment,
};
use breakglass_ledger::time::{Moment, Timestamp, Ttl};
use breakglass_proto::v1;
use breakglass_proto::v1::broker_client::BrokerClient;
use prost::Message;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};

use super::testing::Key;
use super::*;
use crate::clock::{Clock, FakeClock};
use crate::desk::{Parts, PolicyBundle, found};
use crate::entropy::SeededEntropy;
use crate::mint::{Mint, SERVER_NAME};
use crate::store::Store;

/// 2026-11-22T10:00:00Z.
const START: u64 = 1_795_341_600;

/// A broker with its door open, and a connection to it.
struct House {
    desk: Arc<Desk>,
    clock: Arc<FakeClock>,
    address: SocketAddr,
    ca: String,
    client: BrokerClient<Channel>,
    stop: watch::Sender<bool>,
    door: JoinHandle<()>,
    /// Makes every statement another one.
    nonce: AtomicU8,
    _directory: TempDir,
}

/// The key of a principal of [`policy_files`].
fn key_of(who: &str) -> Key {
    const EVERYBODY: [(&str, u8); 8] = [
        ("pia", 10),
        ("sam", 11),
        ("ada", 12),
        ("bob", 13),
        ("eve", 14),
        ("mal", 15),
        ("bot", 16),
        ("db-1", 17),
    ];
    let (_, seed) = EVERYBODY.iter().find(|(one, _)| *one == who).expect("somebody");
    Key::of(*seed)
}

/// The subject key of every request here.
fn subject() -> Key {
    Key::of(99)
}

/// The sample policy: sam asks, ada (lead) and bob or eve (security) agree. Nothing concerns mal, and
/// bot, sam's agent: they are enrolled and in no group. db-1 is a host.
fn policy_files() -> Files {
    let keys = ["pia", "sam", "ada", "bob", "eve"].map(|who| (who, key_of(who).public()));
    let mut files = sample(&keys.each_ref().map(|(who, key)| (*who, key)));
    let sponsored = "sponsor = \"sam\"\n";
    let others =
        [("mal", "human", ""), ("bot", "agent", sponsored), ("db-1", "service", sponsored)];
    for (who, kind, more) in others {
        let key = key_of(who).public().to_openssh();
        let other = format!(
            "\n[[principal]]\nid = {who:?}\nkind = {kind:?}\nname = {who:?}\n{more}keys = [{key:?}]\n"
        );
        files.people.extend(other.into_bytes());
    }
    files
}

impl House {
    async fn open() -> Self {
        Self::limited(Limits::roomy()).await
    }

    async fn limited(limits: Limits) -> Self {
        Self::with(limits, 1).await
    }

    /// Another house: other keys, another ledger.
    async fn open_with(dice: u64) -> Self {
        Self::with(Limits::roomy(), dice).await
    }

    async fn with(limits: Limits, dice: u64) -> Self {
        Self::under(policy_files(), limits, dice).await
    }

    async fn under(files: Files, limits: Limits, dice: u64) -> Self {
        let directory = TempDir::new().expect("a directory");
        let clock = Arc::new(FakeClock::at(Moment::from_unix_millis(START * 1000)));
        let entropy = Arc::new(SeededEntropy::new(dice));
        Mint::create(directory.path(), "test", &*entropy, clock.now().second()).expect("keys");
        let mint = Mint::open(directory.path(), "payments").expect("a mint");
        let public = mint.public().clone();
        let mut store =
            Store::create(&directory.path().join("ledger"), &public.log).expect("a ledger");
        let (manifest, bundle) = signed_policy(&public.origin, files, 1, Digest::ZERO);
        found(&mut store, &mint, &*clock, &*entropy, &manifest, &bundle).expect("a policy");
        let tls = mint.tls(&[], &[], || Timestamp::from_unix_seconds(now())).expect("tls");
        let parts = Parts { store, mint, clock: clock.clone(), entropy };
        let desk = Arc::new(Desk::start(parts).expect("a desk"));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopping) = watch::channel(false);
        let door =
            tokio::spawn(serve(listener, tls, Arc::clone(&desk), Arc::default(), limits, stopping));
        let ca = public.tls_ca_pem();
        let client = BrokerClient::new(connect(address, &ca).await.expect("a connection"));
        let nonce = AtomicU8::new(0);
        Self { desk, clock, address, ca, client, stop, door, nonce, _directory: directory }
    }

    fn client(&self) -> BrokerClient<Channel> {
        self.client.clone()
    }

    fn now(&self) -> Timestamp {
        self.clock.now().second()
    }

    fn session(&self, who: &str) -> Option<v1::Session> {
        let expires = self.now().plus(600);
        Some(key_of(who).session(&self.desk.public().origin, who, expires))
    }

    /// A session of sam by the subject key of his request.
    fn subject_session(&self) -> Option<v1::Session> {
        Some(subject().session(&self.desk.public().origin, "sam", self.now().plus(600)))
    }

    fn say(&self, act: Act) -> Statement {
        let nonce = Salt::from_bytes([self.nonce.fetch_add(1, Ordering::Relaxed); 16]);
        let expires = Some(self.now().plus(600));
        let log = &self.desk.public().origin;
        Statement::compose(log, Some(Seen::NOTHING), act, expires, nonce).expect("a statement")
    }

    /// Sam asks for half an hour of root on a host, because the payments are stuck.
    fn asking(&self, number: u8) -> v1::SubmitRequest {
        let text = "payments are stuck";
        let statement = self.say(Act::Request(Ask {
            id: RequestId::new(START * 1000, [number; 10]),
            by: "sam".parse().expect("a name"),
            scope: "root-on-host".parse().expect("a name"),
            kinds: vec![Kind::Ssh],
            lane: Lane::Normal,
            ttl: Ttl::from_seconds(1800).expect("a ttl"),
            incident: Some("INC-4711".into()),
            reason: Some(commitment(&[5; 32], text)),
            key: Some(subject().public()),
            on_behalf_of: Vec::new(),
        }));
        let text = Some(v1::Text { salt: vec![5; 32], text: text.into() });
        v1::SubmitRequest { text, ..key_of("sam").say(&statement) }
    }

    fn approving(&self, request: Digest, who: &str, stage: &str) -> v1::SubmitRequest {
        key_of(who).say(&self.say(Act::Approve(Approve {
            request,
            by: who.parse().expect("a name"),
            stage: stage.parse().expect("a name"),
            policy: self.desk.policy().digest,
            ttl_max: Ttl::from_seconds(1800).expect("a ttl"),
            comment: None,
        })))
    }

    fn dropping(&self, request: Digest) -> v1::SubmitRequest {
        let by = "sam".parse().expect("a name");
        key_of("sam").say(&self.say(Act::Drop(About { request, by, comment: None })))
    }

    fn collecting(&self, request: Digest) -> v1::SubmitRequest {
        subject().say(&self.say(Act::Collect(Collect { request, kind: Kind::Ssh })))
    }

    async fn submit(&self, request: v1::SubmitRequest) -> Result<v1::SubmitAnswer, Status> {
        Ok(self.client().submit(request).await?.into_inner())
    }

    /// Sam's request, written down; its id and digest.
    async fn asked(&self) -> (String, Digest) {
        let request = self.asking(1);
        let digest = Digest::of(&request.statement);
        (self.submit(request).await.expect("a request").request_id, digest)
    }

    async fn view(
        &self,
        session: Option<v1::Session>,
        id: &str,
    ) -> Result<v1::RequestView, Status> {
        let request = v1::GetRequestRequest { session, request_id: id.to_owned(), beside: false };
        Ok(self.client().get_request(request).await?.into_inner())
    }

    /// How many entries there are.
    fn size(&self) -> u64 {
        self.desk.reader().expect("a reader").head().size
    }
}

async fn connect(address: SocketAddr, ca: &str) -> Result<Channel, tonic::transport::Error> {
    let tls =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca)).domain_name(SERVER_NAME);
    Endpoint::from_shared(format!("https://{address}"))?.tls_config(tls)?.connect().await
}

/// The wall clock: TLS certificates are checked against it by the other side.
fn now() -> u64 {
    crate::clock::SystemClock.now().second().unix_seconds()
}

fn signed_policy(
    log: &breakglass_ledger::principal::Origin,
    files: Files,
    version: u64,
    previous: Digest,
) -> (Statement, PolicyBundle) {
    let act = Act::Policy(files.manifest(version, previous));
    let manifest = testing::compose(log, None, act, None);
    let signature = key_of("pia").say(&manifest).signature;
    let signatures = vec![SshSig::parse(&signature).expect("a signature")];
    (manifest, PolicyBundle { signatures, files })
}

/// The refusal that travels beside a status.
fn refusal_of(status: &Status) -> v1::RefusalDetail {
    let detail = status.metadata().get_bin(breakglass_proto::REFUSAL_METADATA).expect("a detail");
    let bytes = detail.to_bytes().expect("bytes");
    v1::RefusalDetail::decode(bytes).expect("a refusal")
}
