//! The limit of the network's side: the same service over the same TLS, answering at once with as
//! many bytes as a real answer has.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use breakglass_proto::v1;
use breakglass_proto::v1::broker_server::{Broker, BrokerServer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic::{Request, Response, Status};

use crate::parts::ENTRY_BYTES;

/// About what a checkpoint with its signature has.
const CHECKPOINT_BYTES: usize = 220;

struct Echo {
    answer: v1::SubmitAnswer,
}

/// Answers at `listener` for ever.
pub(crate) async fn serve(listener: TcpListener, tls: Arc<ServerConfig>) {
    let (ready, incoming) = mpsc::channel(16);
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(tls);
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, ready) = (acceptor.clone(), ready.clone());
            tokio::spawn(async move {
                socket.set_nodelay(true)?;
                let stream = acceptor.accept(socket).await?;
                drop(ready.send(Ok::<_, io::Error>(Plain(stream))).await);
                Ok::<_, io::Error>(())
            });
        }
    });
    let answer = v1::SubmitAnswer {
        seq: 1,
        entry: vec![b'x'; ENTRY_BYTES],
        checkpoint: "x".repeat(CHECKPOINT_BYTES),
        request_id: "x".repeat(40),
        ..v1::SubmitAnswer::default()
    };
    let served = Server::builder()
        .add_service(BrokerServer::new(Echo { answer }))
        .serve_with_incoming(ReceiverStream::new(incoming));
    drop(served.await);
}

#[tonic::async_trait]
impl Broker for Echo {
    type WatchRequestStream = ReceiverStream<Result<v1::RequestView, Status>>;
    type WatchStream = ReceiverStream<Result<v1::WatchEvent, Status>>;
    type ExportStream = ReceiverStream<Result<v1::ExportPart, Status>>;

    async fn submit(
        &self,
        request: Request<v1::SubmitRequest>,
    ) -> Result<Response<v1::SubmitAnswer>, Status> {
        // What came is dropped only after it was decoded.
        drop(std::hint::black_box(request.into_inner()));
        Ok(Response::new(self.answer.clone()))
    }

    async fn get_checkpoint(
        &self,
        _: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointAnswer>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn get_request(
        &self,
        _: Request<v1::GetRequestRequest>,
    ) -> Result<Response<v1::RequestView>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn watch_request(
        &self,
        _: Request<v1::GetRequestRequest>,
    ) -> Result<Response<Self::WatchRequestStream>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn watch(
        &self,
        _: Request<v1::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn list_pending(
        &self,
        _: Request<v1::ListRequest>,
    ) -> Result<Response<v1::ListAnswer>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn list_grants(
        &self,
        _: Request<v1::ListRequest>,
    ) -> Result<Response<v1::ListAnswer>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn list_locks(
        &self,
        _: Request<v1::ListLocksRequest>,
    ) -> Result<Response<v1::ListLocksAnswer>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn get_policy(
        &self,
        _: Request<v1::GetPolicyRequest>,
    ) -> Result<Response<v1::GetPolicyAnswer>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn list_outages(
        &self,
        _: Request<v1::ListOutagesRequest>,
    ) -> Result<Response<v1::ListOutagesAnswer>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn list_targets(
        &self,
        _: Request<v1::ListTargetsRequest>,
    ) -> Result<Response<v1::ListTargetsAnswer>, Status> {
        Err(Status::unimplemented("an echo"))
    }

    async fn export(
        &self,
        _: Request<v1::ExportRequest>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        Err(Status::unimplemented("an echo"))
    }
}

/// A TLS connection that tells tonic nothing about its peer.
struct Plain(TlsStream<TcpStream>);

impl Connected for Plain {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Plain {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl AsyncWrite for Plain {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
