//! The real wire: gRPC over TLS to the real daemon, spoken by people with keys.

use std::net::SocketAddr;

use breakglass_broker::clock::{Clock as _, SystemClock};
use breakglass_broker::mint::SERVER_NAME;
use breakglass_ledger::bytes::{Digest, Salt};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::Files;
use breakglass_ledger::principal::Origin;
use breakglass_ledger::statement::{
    About, Act, Approve, Ask, Collect, Kind, Lane, Manifest, Seen, Session, Statement, commitment,
};
use breakglass_ledger::time::{Timestamp, Ttl};
use breakglass_proto::v1::broker_client::BrokerClient;
use breakglass_proto::{REFUSAL_METADATA, v1};
use prost::Message as _;
use ring::rand::{SecureRandom as _, SystemRandom};
use tonic::Status;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::daemon::Daemon;
use crate::people::Person;
use crate::site::Site;

/// Why everybody here asks, and the salt of its commitment.
pub const REASON: (&str, [u8; 32]) = ("disk full", [7; 32]);

/// A connection to a daemon, and the name of the ledger behind it. Cheap to clone.
#[derive(Clone)]
pub struct Wire {
    /// The connection.
    pub client: BrokerClient<Channel>,
    /// What statements on it are about.
    pub log: Origin,
}

impl Wire {
    /// Connects to `daemon`, which serves `site`.
    ///
    /// # Panics
    ///
    /// Panics if it does not answer.
    pub async fn to(site: &Site, daemon: &Daemon) -> Self {
        let channel = connect(daemon.rpc, &site.ca()).await.expect("a connection");
        Self { client: BrokerClient::new(channel), log: site.origin() }
    }

    /// A new statement of `act`, good for ten minutes, by somebody on first contact.
    ///
    /// # Panics
    ///
    /// Panics if `act` cannot be said.
    #[must_use]
    pub fn say(&self, act: Act) -> Statement {
        self.say_until(act, now().plus(600))
    }

    /// The same, good until `expires`.
    ///
    /// # Panics
    ///
    /// Panics if `act` cannot be said.
    #[must_use]
    pub fn say_until(&self, act: Act, expires: Timestamp) -> Statement {
        let (is_policy, is_session) =
            (matches!(act, Act::Policy(_)), matches!(act, Act::Session(_)));
        let seen = (!is_policy && !is_session).then_some(Seen::NOTHING);
        let expires = (!is_policy).then_some(expires);
        let nonce = Salt::from_bytes(random());
        Statement::compose(&self.log, seen, act, expires, nonce).expect("composes")
    }

    /// `who` asks for `scope` with the key of `subject`.
    #[must_use]
    pub fn ask(&self, who: &Person, scope: &str, ttl: u32, subject: &Person) -> v1::SubmitRequest {
        signed(who, &self.say(Act::Request(asking(&who.name, scope, ttl, subject))))
    }

    /// `who` approves for `stage` what they were shown under `policy`.
    ///
    /// # Panics
    ///
    /// Panics if a name is none.
    #[must_use]
    pub fn approve(
        &self,
        who: &Person,
        stage: &str,
        request: Digest,
        policy: Digest,
    ) -> v1::SubmitRequest {
        let act = Act::Approve(Approve {
            request,
            by: who.name.parse().expect("a name"),
            stage: stage.parse().expect("a name"),
            policy,
            ttl_max: Ttl::from_seconds(3600).expect("a ttl"),
            comment: None,
        });
        signed(who, &self.say(act))
    }

    /// The holder of `subject`'s key collects.
    #[must_use]
    pub fn collect(&self, subject: &Person, request: Digest) -> v1::SubmitRequest {
        signed(subject, &self.say(Act::Collect(Collect { request, kind: Kind::Ssh })))
    }

    /// `who` says one of the acts that are only about a request: `Act::Deny`, `Act::Drop`, …
    ///
    /// # Panics
    ///
    /// Panics if the name is none.
    #[must_use]
    pub fn about(&self, who: &Person, act: fn(About) -> Act, request: Digest) -> v1::SubmitRequest {
        let by = who.name.parse().expect("a name");
        signed(who, &self.say(act(About { request, by, comment: None })))
    }

    /// pia pushes `files` as the policy after `previous`.
    #[must_use]
    pub fn push(&self, files: &Files, version: u64, previous: Digest) -> v1::SubmitRequest {
        let manifest: Manifest = files.manifest(version, previous);
        let statement = self.say(Act::Policy(manifest));
        let blob = |name: &&str| v1::Blob {
            name: (*name).to_owned(),
            content: files.get(name).unwrap_or_default().to_vec(),
        };
        let blobs = Files::NAMES.iter().map(blob).collect();
        v1::SubmitRequest { blobs, ..signed(&Person::named("pia"), &statement) }
    }

    /// `who` may read, for ten minutes.
    ///
    /// # Panics
    ///
    /// Panics if the name is none.
    #[must_use]
    pub fn session(&self, who: &Person) -> v1::Session {
        let by = who.name.parse().expect("a name");
        let v1::SubmitRequest { statement, signature, .. } =
            signed(who, &self.say(Act::Session(Session { by })));
        v1::Session { statement, signature }
    }

    /// Gives an act to the broker.
    ///
    /// # Errors
    ///
    /// What the broker answers, or that it does not.
    pub async fn submit(&self, act: v1::SubmitRequest) -> Result<v1::SubmitAnswer, Status> {
        Ok(self.client.clone().submit(act).await?.into_inner())
    }

    /// The newest checkpoint, with the proof that it extends the one of `old_size`.
    ///
    /// # Errors
    ///
    /// What the broker answers, or that it does not.
    pub async fn checkpoint(&self, old_size: u64) -> Result<v1::GetCheckpointAnswer, Status> {
        let request = v1::GetCheckpointRequest { old_size };
        Ok(self.client.clone().get_checkpoint(request).await?.into_inner())
    }

    /// The digest of the policy in force.
    ///
    /// # Errors
    ///
    /// What the broker answers, or that it does not.
    ///
    /// # Panics
    ///
    /// Panics if it answers something else.
    pub async fn policy(&self) -> Result<Digest, Status> {
        Ok(self.checkpoint(0).await?.policy_digest.parse().expect("a digest"))
    }
}

/// Opens a TLS connection that trusts `ca` only.
///
/// # Errors
///
/// Why there is none.
pub async fn connect(address: SocketAddr, ca: &str) -> Result<Channel, tonic::transport::Error> {
    let tls =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(ca)).domain_name(SERVER_NAME);
    Endpoint::from_shared(format!("https://{address}"))?.tls_config(tls)?.connect().await
}

/// `statement` as `who` submits it, with the text it commits to.
#[must_use]
pub fn signed(who: &Person, statement: &Statement) -> v1::SubmitRequest {
    let (text, salt) = REASON;
    let opening = || v1::Text { salt: salt.to_vec(), text: text.to_owned() };
    v1::SubmitRequest {
        statement: statement.text().as_bytes().to_vec(),
        signature: who.sign(statement).armored().to_owned(),
        text: statement.act().text().map(|_| opening()),
        ..v1::SubmitRequest::default()
    }
}

/// What `by` asks for, with an id of its own.
///
/// # Panics
///
/// Panics if a name is none, or the life is too long for any grant.
#[must_use]
pub fn asking(by: &str, scope: &str, ttl: u32, subject: &Person) -> Ask {
    let (text, salt) = REASON;
    Ask {
        id: RequestId::new(SystemClock.now().unix_millis(), random()),
        by: by.parse().expect("a name"),
        scope: scope.parse().expect("a name"),
        kinds: vec![Kind::Ssh],
        lane: Lane::Normal,
        ttl: Ttl::from_seconds(ttl).expect("a ttl"),
        incident: Some("INC-1".to_owned()),
        reason: Some(commitment(&salt, text)),
        key: Some(subject.key().clone()),
        on_behalf_of: Vec::new(),
    }
}

/// The refusal that travels beside a status, if the rules said no.
///
/// # Panics
///
/// Panics if there is one that does not read.
#[must_use]
pub fn refusal(status: &Status) -> Option<v1::RefusalDetail> {
    let detail = status.metadata().get_bin(REFUSAL_METADATA)?;
    let bytes = detail.to_bytes().expect("binary");
    Some(v1::RefusalDetail::decode(bytes).expect("a refusal"))
}

/// This second.
#[must_use]
pub fn now() -> Timestamp {
    SystemClock.now().second()
}

/// Random bytes.
///
/// # Panics
///
/// Panics if there are none.
#[must_use]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("randomness");
    bytes
}
