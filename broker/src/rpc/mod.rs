//! The door of the network, and the only room that knows tonic.
//!
//! From bytes to a verified statement, and from a durable entry to an answer. Nothing is decided
//! here but who may read what (`access`), and that strangers get no further (`submit`).

mod accept;
mod access;
mod beside;
mod code;
mod export;
mod feed;
mod following;
mod form;
mod landing;
pub mod limits;
mod locks;
mod next;
mod notices;
mod outages;
mod outlet;
mod reads;
mod service;
mod session;
mod status;
mod submit;
mod targets;
mod view;
mod watching;

use std::sync::Arc;

use breakglass_proto::DESCRIPTORS;
use breakglass_proto::v1::broker_server::BrokerServer;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{interval, timeout};
use tonic::service::InterceptorLayer;
use tonic::transport::Server;
use tonic::{Request, Status};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use self::accept::{Peer, connections};
use self::limits::{
    ANSWER_MAX_BYTES, CALL_TIMEOUT, CONNECTION_AGE_GRACE, CONNECTION_AGE_MAX, DRAIN,
    HEADER_MAX_BYTES, HEALTH_EVERY, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, MESSAGE_MAX_BYTES,
    STREAMS_PER_CONNECTION,
};
use self::service::{Calls, Service};
use self::status::too_often;
use crate::crowd::{FORGET_EVERY, Source, Throttle};
use crate::desk::Desk;
use crate::notify::Board;
use crate::report;

pub use self::limits::Limits;

/// Name under which the health service says whether credentials are being minted.
pub const MINTING: &str = "breakglass.v1.Broker/minting";

/// Name under which the health service says whether acts and reads are answered.
const SERVING: &str = "breakglass.v1.Broker";

/// Answers at `listener` until `stop` turns true, or whoever could turn it is gone; then takes no
/// more calls, ends the streams and waits for the calls in flight, at most [`DRAIN`]. Stop the desk
/// only afterwards: it finishes the batch that those calls wait for.
///
/// Should serving end by itself, it is logged and this returns.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    desk: Arc<Desk>,
    board: Arc<Board>,
    limits: Limits,
    stop: watch::Receiver<bool>,
) {
    let service = Arc::new(Service::new(desk, board, limits, stop.clone()));
    let callers = Arc::new(Throttle::new(limits.calls_per_address));
    let (health, health_service) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .inspect_err(|error| report::fault("describing the wire", error))
        .ok();
    let broker = BrokerServer::new(Calls(Arc::clone(&service)))
        .max_decoding_message_size(MESSAGE_MAX_BYTES)
        .max_encoding_message_size(ANSWER_MAX_BYTES);
    let serving = transport()
        .layer(InterceptorLayer::new(by_address(Arc::clone(&callers))))
        .add_service(broker)
        .add_service(health_service)
        .add_optional_service(reflection)
        .serve_with_incoming_shutdown(
            connections(listener, tls, limits, stop.clone()),
            stopped(stop.clone()),
        );
    let cut = async {
        stopped(stop.clone()).await;
        let _ = timeout(DRAIN, std::future::pending::<()>()).await;
    };
    tokio::select! {
        served = serving => {
            if let Err(error) = served {
                report::fault("serving gRPC", &error);
            }
        }
        () = cut => {}
        never = keep_house(&service, &callers, &health) => match never {},
    }
}

/// HTTP/2 with every bound that tonic has.
fn transport() -> Server {
    Server::builder()
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .concurrency_limit_per_connection(usize::try_from(STREAMS_PER_CONNECTION).unwrap_or(1))
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .http2_max_header_list_size(HEADER_MAX_BYTES)
        .max_connection_age(CONNECTION_AGE_MAX)
        .max_connection_age_grace(CONNECTION_AGE_GRACE)
        .timeout(CALL_TIMEOUT)
}

/// Counts every call for the address it comes from, before its message is even read.
fn by_address(
    callers: Arc<Throttle<Source>>,
) -> impl Fn(Request<()>) -> Result<Request<()>, Status> + Clone {
    move |request| {
        let peer = request.extensions().get::<Peer>();
        let peer = peer.ok_or_else(|| Status::internal("the connection has no address"))?;
        callers.count(peer.0.into()).map_err(too_often("calls from your address"))?;
        Ok(request)
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Forgets the quiet, and tells the health service how we are.
async fn keep_house(
    service: &Service,
    callers: &Throttle<Source>,
    health: &HealthReporter,
) -> std::convert::Infallible {
    health.set_service_status(SERVING, ServingStatus::Serving).await;
    let (mut forget, mut look) = (interval(FORGET_EVERY), interval(HEALTH_EVERY));
    let mut told = None;
    loop {
        tokio::select! {
            _ = forget.tick() => {
                callers.forget_quiet();
                service.forget_quiet();
            }
            _ = look.tick() => {
                let minting = service.desk.minting();
                if told != Some(minting) {
                    let status =
                        if minting { ServingStatus::Serving } else { ServingStatus::NotServing };
                    health.set_service_status(MINTING, status).await;
                    told = Some(minting);
                }
            }
        }
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
