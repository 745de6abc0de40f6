//! What every call shares: the desk, the limits, and the way from a shown session to a reader.

use std::sync::Arc;
use std::time::Duration;

use breakglass_ledger::id::RequestId;
use breakglass_proto::v1;
use breakglass_proto::v1::broker_server::Broker;
use tokio::sync::{Semaphore, oneshot, watch};
use tonic::{Request, Response, Status};

use super::feed::Feed;
use super::limits::{Limits, READS_AT_ONCE, SESSIONS_MAX};
use super::outlet::Stream;
use super::session::{Session, SessionError, Sessions, Who, prove};
use super::status::{CallError, too_often};
use super::{export, following, locks, outages, reads, submit, targets, watching};
use crate::crowd::{Seats, Throttle};
use crate::desk::Desk;
use crate::notify::Board;
use crate::store::Reader;

/// The service, shared by all connections.
pub(super) struct Service {
    pub(super) desk: Arc<Desk>,
    /// How telling people goes.
    pub(super) board: Arc<Board>,
    /// Acts, by whoever signed them.
    pub(super) acts: Throttle<Who>,
    /// Reads, likewise.
    pub(super) reads: Throttle<Who>,
    /// Open streams.
    pub(super) streams: Arc<Seats<Who>>,
    /// How long a stream waits for its reader.
    pub(super) slow_reader: Duration,
    /// What followers are told from.
    pub(super) feed: Feed,
    /// Counts commits: wakes whoever watches.
    pub(super) commits: watch::Receiver<u64>,
    /// Turns true when streams have to end.
    pub(super) stop: watch::Receiver<bool>,
    sessions: Sessions,
    /// Snapshots in use: the store hands out only so many, and a call can wait where it cannot.
    readers: Arc<Semaphore>,
}

impl Service {
    pub(super) fn new(
        desk: Arc<Desk>,
        board: Arc<Board>,
        limits: Limits,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let (committed, commits) = watch::channel(0_u64);
        let committed = Arc::new(committed);
        let told = Arc::clone(&committed);
        desk.on_commit(Box::new(move || {
            committed.send_modify(|count| *count = count.wrapping_add(1));
        }));
        // Whoever watches a request also sees how telling people of it goes.
        board.on_change(Box::new(move || {
            told.send_modify(|count| *count = count.wrapping_add(1));
        }));
        Self {
            desk,
            board,
            acts: Throttle::new(limits.acts_per_principal),
            reads: Throttle::new(limits.reads_per_principal),
            streams: Seats::new(limits.streams, limits.streams_per_principal),
            slow_reader: Duration::from_secs(limits.slow_reader_seconds),
            feed: Feed::default(),
            commits,
            stop,
            sessions: Sessions::new(SESSIONS_MAX),
            readers: Arc::new(Semaphore::new(READS_AT_ONCE)),
        }
    }

    /// Runs `look` on a fresh snapshot, on a thread that may block.
    ///
    /// # Errors
    ///
    /// What `look` says; [`CallError::Desk`] if there is no snapshot to be had.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Reader) -> Result<T, CallError> + Send + 'static,
    ) -> Result<T, CallError> {
        let permit = Arc::clone(&self.readers).acquire_owned().await;
        let desk = Arc::clone(&self.desk);
        let looked = tokio::task::spawn_blocking(move || {
            let result = look(&desk.reader()?);
            drop(permit);
            result
        });
        looked.await.map_err(|_| CallError::Fault("reading failed"))?
    }

    /// Who shows this session, counted as one read of theirs.
    ///
    /// # Errors
    ///
    /// [`CallError::Session`] if it allows nothing, [`CallError::TooOften`].
    pub(super) async fn reader(
        &self,
        shown: Option<v1::Session>,
    ) -> Result<Arc<Session>, CallError> {
        let shown = shown.ok_or(SessionError::Missing)?;
        let name = Sessions::name(&shown);
        let (policy, now) = (self.desk.policy(), self.desk.now());
        let session = match self.sessions.recall(name) {
            Some(session) => session,
            None => {
                let session = Arc::new(self.recognise(&shown).await?);
                self.sessions.remember(name, Arc::clone(&session), now);
                session
            }
        };
        // Also for one remembered: time has passed, and people may have left the policy.
        session.still(&policy, now)?;
        self.reads.count(session.who.clone()).map_err(too_often("reads"))?;
        Ok(session)
    }

    async fn recognise(&self, shown: &v1::Session) -> Result<Session, CallError> {
        let proven = prove(shown, &self.desk.public().origin, self.desk.now())?;
        if let Some(session) = proven.of_principal(&self.desk.policy())? {
            return Ok(session);
        }
        let subject = proven.subject();
        let row = self
            .read(move |reader| {
                let id = reader.request_by_subject(subject)?;
                Ok(id.map(|id| reader.request(id)).transpose()?.flatten())
            })
            .await?;
        Ok(proven.of_subject(row.as_ref().map(|row| (row.id, &row.by)))?)
    }

    /// The request that a call names; a subject key need not name its own.
    ///
    /// # Errors
    ///
    /// [`CallError::Field`] if it is not an id.
    pub(super) fn named(session: &Session, id: &str) -> Result<RequestId, CallError> {
        match &session.who {
            Who::Subject(request) if id.is_empty() => Ok(*request),
            Who::Subject(_) | Who::Principal(_) | Who::Signer(_) => id.parse().map_err(|_| CallError::Field {
                field: "request_id",
                rule: "must be `req-` and a lower-case UUIDv7, as `breakglass request` prints it",
            }),
        }
    }

    /// Forgets whoever has been quiet.
    pub(super) fn forget_quiet(&self) {
        self.acts.forget_quiet();
        self.reads.forget_quiet();
    }

    /// Gives `incoming` to the desk and waits until it is durable.
    ///
    /// # Errors
    ///
    /// [`CallError::Desk`]: nothing was handed out.
    pub(super) async fn hand_in(
        &self,
        incoming: crate::desk::Incoming,
    ) -> Result<crate::desk::Receipt, CallError> {
        let (reply, answer) = oneshot::channel();
        let reply = Box::new(move |outcome| {
            // A caller who hung up asks again with the same bytes.
            let _ = reply.send(outcome);
        });
        self.desk.submit(incoming, reply)?;
        // Dropped unanswered only if the sequencer ended.
        Ok(answer.await.map_err(|_| CallError::Stopping)??)
    }
}

/// The service as tonic wants it. One line for each call: the work is in the files beside this one.
pub(super) struct Calls(pub(super) Arc<Service>);

#[tonic::async_trait]
impl Broker for Calls {
    type WatchRequestStream = Stream<v1::RequestView>;
    type WatchStream = Stream<v1::WatchEvent>;
    type ExportStream = Stream<v1::ExportPart>;

    async fn submit(
        &self,
        request: Request<v1::SubmitRequest>,
    ) -> Result<Response<v1::SubmitAnswer>, Status> {
        Ok(Response::new(submit::submit(&self.0, request.into_inner()).await?))
    }

    async fn get_checkpoint(
        &self,
        request: Request<v1::GetCheckpointRequest>,
    ) -> Result<Response<v1::GetCheckpointAnswer>, Status> {
        Ok(Response::new(reads::checkpoint(&self.0, request.into_inner()).await?))
    }

    async fn get_request(
        &self,
        request: Request<v1::GetRequestRequest>,
    ) -> Result<Response<v1::RequestView>, Status> {
        Ok(Response::new(reads::request(&self.0, request.into_inner()).await?))
    }

    async fn watch_request(
        &self,
        request: Request<v1::GetRequestRequest>,
    ) -> Result<Response<Self::WatchRequestStream>, Status> {
        Ok(Response::new(watching::watch(&self.0, request.into_inner()).await?))
    }

    async fn watch(
        &self,
        request: Request<v1::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(following::follow(&self.0, request.into_inner()).await?))
    }

    async fn list_pending(
        &self,
        request: Request<v1::ListRequest>,
    ) -> Result<Response<v1::ListAnswer>, Status> {
        Ok(Response::new(reads::list(&self.0, request.into_inner(), reads::Listed::Pending).await?))
    }

    async fn list_locks(
        &self,
        request: Request<v1::ListLocksRequest>,
    ) -> Result<Response<v1::ListLocksAnswer>, Status> {
        Ok(Response::new(locks::list(&self.0, request.into_inner()).await?))
    }

    async fn list_grants(
        &self,
        request: Request<v1::ListRequest>,
    ) -> Result<Response<v1::ListAnswer>, Status> {
        Ok(Response::new(reads::list(&self.0, request.into_inner(), reads::Listed::Live).await?))
    }

    async fn list_outages(
        &self,
        request: Request<v1::ListOutagesRequest>,
    ) -> Result<Response<v1::ListOutagesAnswer>, Status> {
        Ok(Response::new(outages::outages(&self.0, request.into_inner()).await?))
    }

    async fn list_targets(
        &self,
        request: Request<v1::ListTargetsRequest>,
    ) -> Result<Response<v1::ListTargetsAnswer>, Status> {
        Ok(Response::new(targets::targets(&self.0, request.into_inner()).await?))
    }

    async fn get_policy(
        &self,
        request: Request<v1::GetPolicyRequest>,
    ) -> Result<Response<v1::GetPolicyAnswer>, Status> {
        Ok(Response::new(reads::policy(&self.0, request.into_inner()).await?))
    }

    async fn export(
        &self,
        request: Request<v1::ExportRequest>,
    ) -> Result<Response<Self::ExportStream>, Status> {
        Ok(Response::new(export::export(&self.0, request.into_inner()).await?))
    }
}
