//! One request, watched: told at once, at every change, and now and then that we are still here.

use std::sync::Arc;
use std::time::Duration;

use breakglass_ledger::id::RequestId;
use breakglass_proto::v1;
use tokio::time::{Instant, sleep, timeout};

use super::limits::{HEARTBEAT, LOOK_PAUSE, WATCH_BUFFER};
use super::outlet::{Outlet, Stream};
use super::reads::look;
use super::service::Service;
use super::session::Session;
use super::status::CallError;
use super::view::is_same;

/// Opens a stream over one request.
pub(super) async fn watch(
    service: &Arc<Service>,
    request: v1::GetRequestRequest,
) -> Result<Stream<v1::RequestView>, CallError> {
    let session = service.reader(request.session).await?;
    let id = Service::named(&session, &request.request_id)?;
    let seat = service.streams.take(session.who.clone()).map_err(CallError::Streams)?;
    // Before the first look, so that no commit is missed between it and the wait.
    let mut commits = service.commits.clone();
    commits.mark_unchanged();
    let first = look(service, &session, id).await?;
    let (outlet, stream) =
        Outlet::new(WATCH_BUFFER, service.slow_reader).ok_or(CallError::Fault("no stream"))?;
    let mut watcher = Watcher { service: Arc::clone(service), session, id, commits };
    tokio::spawn(async move {
        let status = tokio::select! {
            ended = watcher.tell(&outlet, first) => ended.err(),
            () = outlet.abandoned() => None,
        };
        outlet.end(status);
        drop(seat);
    });
    Ok(stream)
}

struct Watcher {
    service: Arc<Service>,
    session: Arc<Session>,
    id: RequestId,
    commits: tokio::sync::watch::Receiver<u64>,
}

impl Watcher {
    /// Tells `view` and all that follow, until the request has ended.
    async fn tell(
        &mut self,
        outlet: &Outlet<v1::RequestView>,
        mut view: v1::RequestView,
    ) -> Result<(), tonic::Status> {
        loop {
            if let Err(gone) = outlet.send(view.clone()).await {
                return gone.status().map_or(Ok(()), Err);
            }
            if matches!(view.state(), v1::State::Ended | v1::State::Closed) {
                return Ok(());
            }
            view = self.next(&view).await?;
        }
    }

    /// How long until an emergency can be collected: no commit tells.
    fn until_open(&self, told: &v1::RequestView) -> Duration {
        let left = told.opens_at.saturating_sub(self.service.desk.now().unix_seconds());
        if left > 0 { Duration::from_secs(left) } else { HEARTBEAT }
    }

    /// The next view worth telling: another one, or the same after a [`HEARTBEAT`].
    async fn next(&mut self, told: &v1::RequestView) -> Result<v1::RequestView, CallError> {
        let beat = Instant::now().checked_add(HEARTBEAT);
        loop {
            let left =
                beat.map_or(HEARTBEAT, |beat| beat.saturating_duration_since(Instant::now()));
            let left = left.min(self.until_open(told));
            wake(&self.service, &self.session, &mut self.commits, left).await?;
            let view = look(&self.service, &self.session, self.id).await?;
            // After the look, so that nothing is told that was seen after the session's end.
            self.session.still(&self.service.desk.policy(), self.service.desk.now())?;
            let is_due = beat.is_none_or(|beat| beat <= Instant::now());
            if is_due || !is_same(&view, told) {
                return Ok(view);
            }
            // Not before the look: a first change is told at once.
            sleep(LOOK_PAUSE).await;
        }
    }
}

/// Waits for a commit, the end of `session`, or at most `longest`.
///
/// # Errors
///
/// [`CallError::Stopping`].
pub(super) async fn wake(
    service: &Service,
    session: &Session,
    commits: &mut tokio::sync::watch::Receiver<u64>,
    longest: Duration,
) -> Result<(), CallError> {
    let over = session.until.since(service.desk.now());
    // Deadlines are wall time, sleeping is not: `longest` bounds what a stepped clock costs.
    let nap = longest.min(Duration::from_secs(over));
    let mut stop = service.stop.clone();
    tokio::select! {
        // Whoever could turn it is gone: the daemon is going down as well.
        _ = stop.wait_for(|stop| *stop) => Err(CallError::Stopping),
        changed = timeout(nap, commits.changed()) => match changed {
            Ok(Err(_)) => Err(CallError::Stopping),
            Ok(Ok(())) | Err(_) => Ok(()),
        },
    }
}
