//! The far side, faked: a real TLS server with a house of real entries behind it. For tests.

use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::Signed;
use breakglass_ledger::statement::{Act, Statement};
use breakglass_ledger::testing::House;
use breakglass_ledger::tree::{Nodes, consistency, leaf_hash, node_hash};
use breakglass_proto::v1::broker_server::{Broker, BrokerServer};
use breakglass_proto::{REFUSAL_METADATA, v1};
use prost::Message;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::runtime::Runtime;
use tonic::metadata::MetadataValue;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

/// How the faked broker treats acts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Records requests.
    Honest,
    /// Says that it is stopping, the first time.
    Stumbling,
    /// Refuses by rule 22, as a duplicate.
    Refusing,
    /// Answers with the entry before.
    Lying,
    /// Records requests, and ends every stream as soon as it is opened.
    Ending,
    /// The same, saying that it is stopping.
    Breaking,
}

/// A faked broker, serving until dropped.
pub(crate) struct Fake {
    pub(crate) address: String,
    pub(crate) ca: String,
    served: Arc<Served>,
    _runtime: Runtime,
}

struct Served {
    house: Mutex<House>,
    manner: Manner,
    submitted: AtomicU32,
    watched: AtomicU32,
}

impl Fake {
    /// Serves `house` on loopback, under a CA of its own.
    pub(crate) fn serve(house: House, manner: Manner) -> Self {
        let (submitted, watched) = (AtomicU32::new(0), AtomicU32::new(0));
        let served = Arc::new(Served { house: Mutex::new(house), manner, submitted, watched });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (ca, identity) = certificates();
        let incoming =
            runtime.block_on(async { TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap() });
        let address = incoming.local_addr().unwrap().to_string();
        let server = Server::builder()
            .tls_config(ServerTlsConfig::new().identity(identity))
            .unwrap()
            .add_service(BrokerServer::from_arc(served.clone()))
            .serve_with_incoming(incoming);
        runtime.spawn(server);
        Self { address, ca, served, _runtime: runtime }
    }

    /// How many streams were opened.
    pub(crate) fn watched(&self) -> u32 {
        self.served.watched.load(Ordering::SeqCst)
    }

    /// How many acts it was sent.
    pub(crate) fn submitted(&self) -> u32 {
        self.served.submitted.load(Ordering::SeqCst)
    }
}

/// A CA as PEM, and a certificate by it for `breakglassd`.
fn certificates() -> (String, Identity) {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["breakglassd".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap();
    (ca_certificate.pem(), Identity::from_pem(leaf.pem(), key.serialize_pem()))
}

struct Leaves(Vec<Digest>);

impl Nodes for Leaves {
    type Error = std::convert::Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Digest, Self::Error> {
        let Some(below) = level.checked_sub(1) else {
            return Ok(self.0[usize::try_from(index).unwrap()]);
        };
        let left = index.checked_mul(2).unwrap();
        Ok(node_hash(&self.node(below, left)?, &self.node(below, left.checked_add(1).unwrap())?))
    }
}

type Answer<T> = Result<Response<T>, Status>;
type Stream<T> = Pin<Box<dyn tokio_stream::Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Broker for Served {
    type WatchRequestStream = Stream<v1::RequestView>;
    type WatchStream = Stream<v1::WatchEvent>;
    type ExportStream = Stream<v1::ExportPart>;

    async fn submit(&self, request: Request<v1::SubmitRequest>) -> Answer<v1::SubmitAnswer> {
        let earlier = self.submitted.fetch_add(1, Ordering::SeqCst);
        let request = request.into_inner();
        match self.manner {
            Manner::Stumbling if earlier == 0 => return Err(Status::unavailable("stopping")),
            Manner::Refusing => return Err(refusal()),
            Manner::Honest
            | Manner::Stumbling
            | Manner::Lying
            | Manner::Ending
            | Manner::Breaking => {}
        }
        let mut house = self.house.lock().unwrap();
        let statement = Statement::parse(&request.statement).unwrap();
        let Act::Request(ask) = statement.act() else {
            return Err(Status::unimplemented("only requests here"));
        };
        let signed =
            Signed { statement: statement.text().to_owned(), signature: request.signature };
        let requested = house.requesting(ask.id, ask.scope.as_str(), signed);
        house.record(requested);
        let mut answer = crate::testing::answer(&house);
        if self.manner == Manner::Lying {
            answer.entry = house.entries[1].clone();
            answer.seq = 1;
        }
        Ok(Response::new(answer))
    }

    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Answer<v1::GetCheckpointAnswer> {
        let (house, old) = (self.house.lock().unwrap(), request.into_inner().old_size);
        let leaves = Leaves(house.entries.iter().map(|bytes| leaf_hash(bytes)).collect());
        let is_within = old > 0 && old < house.size();
        let proof =
            if is_within { consistency(&leaves, old, house.size()).unwrap() } else { Vec::new() };
        Ok(Response::new(v1::GetCheckpointAnswer {
            checkpoint: house.checkpoint(),
            proof: proof.iter().map(|hash| hash.as_bytes().to_vec()).collect(),
            policy_digest: house.policy.digest.to_string(),
            answered_at: house.now.unix_seconds(),
        }))
    }

    async fn get_request(&self, _: Request<v1::GetRequestRequest>) -> Answer<v1::RequestView> {
        Err(Status::unimplemented("not here"))
    }

    async fn watch_request(
        &self,
        _: Request<v1::GetRequestRequest>,
    ) -> Answer<Self::WatchRequestStream> {
        self.watched.fetch_add(1, Ordering::SeqCst);
        match self.manner {
            Manner::Ending => Ok(Response::new(Box::pin(tokio_stream::empty()))),
            Manner::Breaking => {
                let end = Err(Status::unavailable("stopping"));
                Ok(Response::new(Box::pin(tokio_stream::once(end))))
            }
            Manner::Honest | Manner::Stumbling | Manner::Refusing | Manner::Lying => {
                Err(Status::unimplemented("not here"))
            }
        }
    }

    async fn watch(&self, _: Request<v1::WatchRequest>) -> Answer<Self::WatchStream> {
        Err(Status::unimplemented("not here"))
    }

    async fn list_pending(&self, _: Request<v1::ListRequest>) -> Answer<v1::ListAnswer> {
        Err(Status::unimplemented("not here"))
    }

    async fn list_grants(&self, _: Request<v1::ListRequest>) -> Answer<v1::ListAnswer> {
        Err(Status::unimplemented("not here"))
    }

    async fn list_locks(&self, _: Request<v1::ListLocksRequest>) -> Answer<v1::ListLocksAnswer> {
        Err(Status::unimplemented("not here"))
    }

    async fn get_policy(&self, _: Request<v1::GetPolicyRequest>) -> Answer<v1::GetPolicyAnswer> {
        Ok(Response::new(crate::testing::policy(&self.house.lock().unwrap())))
    }

    async fn list_outages(
        &self,
        _: Request<v1::ListOutagesRequest>,
    ) -> Answer<v1::ListOutagesAnswer> {
        Err(Status::unimplemented("not here"))
    }

    async fn list_targets(
        &self,
        _: Request<v1::ListTargetsRequest>,
    ) -> Answer<v1::ListTargetsAnswer> {
        Err(Status::unimplemented("not here"))
    }

    async fn export(&self, _: Request<v1::ExportRequest>) -> Answer<Self::ExportStream> {
        Err(Status::unimplemented("not here"))
    }
}

fn refusal() -> Status {
    let detail = v1::RefusalDetail {
        number: 22,
        name: "duplicate".to_owned(),
        seq: Some(9),
        first_request_id: "req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d".to_owned(),
        lock: None,
    };
    let mut status = Status::already_exists("one like it is open; a second would split it: wait");
    let value = MetadataValue::from_bytes(&detail.encode_to_vec());
    status.metadata_mut().insert_bin(REFUSAL_METADATA, value);
    status
}
