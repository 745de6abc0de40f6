//! Many requests, watched: every entry about what the caller may read, and now and then that we are
//! still here.

use std::sync::Arc;
use std::time::Duration;

use breakglass_proto::v1;
use tokio::time::{Instant, sleep_until};
use tonic::Status;

use super::access::Access;
use super::feed::Happening;
use super::limits::{FOLLOW_BUFFER, HEARTBEAT, LOOK_PAUSE, RESUME_MAX};
use super::outlet::{Gone, Outlet, Stream};
use super::service::Service;
use super::session::Session;
use super::status::CallError;
use super::watching::wake;

/// Opens a stream over everything that the caller may read.
pub(super) async fn follow(
    service: &Arc<Service>,
    request: v1::WatchRequest,
) -> Result<Stream<v1::WatchEvent>, CallError> {
    let session = service.reader(request.session).await?;
    let seat = service.streams.take(session.who.clone()).map_err(CallError::Streams)?;
    // Before the size is read, so that no commit is missed between it and the wait.
    let mut commits = service.commits.clone();
    commits.mark_unchanged();
    let size = service.read(|reader| Ok(reader.head().size)).await?;
    let next = match request.after_seq {
        None => size,
        Some(after) if after >= size => {
            return Err(CallError::Beyond { asked: after.saturating_add(1), size });
        }
        Some(after) if size.saturating_sub(after) > RESUME_MAX => {
            return Err(CallError::TooFarBack { after, size });
        }
        Some(after) => after.saturating_add(1),
    };
    service.feed.join(size).await;
    let (outlet, stream) =
        Outlet::new(FOLLOW_BUFFER, service.slow_reader).ok_or(CallError::Fault("no stream"))?;
    let mut follower =
        Follower { service: Arc::clone(service), session, next, commits, looked: Instant::now() };
    tokio::spawn(async move {
        let status = tokio::select! {
            ended = follower.tell(&outlet) => ended.err(),
            () = outlet.abandoned() => None,
        };
        outlet.end(status);
        drop(seat);
    });
    Ok(stream)
}

struct Follower {
    service: Arc<Service>,
    session: Arc<Session>,
    /// First entry not told.
    next: u64,
    commits: tokio::sync::watch::Receiver<u64>,
    /// When it last looked.
    looked: Instant,
}

impl Follower {
    /// Tells what comes, until the reader or its session has gone.
    async fn tell(&mut self, outlet: &Outlet<v1::WatchEvent>) -> Result<(), Status> {
        // `None` until it has caught up, which is said at once.
        let mut beat = None;
        loop {
            let told = self.tell_page(outlet).await?;
            if told.more {
                continue;
            }
            let now = Instant::now();
            if beat.is_none_or(|beat| beat <= now) {
                self.send(outlet, self.heartbeat()).await?;
            }
            if told.any || beat.is_none_or(|beat| beat <= now) {
                beat = now.checked_add(HEARTBEAT);
            }
            let left = beat.map_or(HEARTBEAT, |beat| beat.saturating_duration_since(now));
            wake(&self.service, &self.session, &mut self.commits, left).await?;
            // R28: an end of the session is told when it comes, not with the next event.
            self.still()?;
            self.paused().await;
        }
    }

    /// A first change after some quiet is told at once; many are told together.
    async fn paused(&mut self) {
        let next = self.looked.checked_add(LOOK_PAUSE);
        if let Some(next) = next {
            sleep_until(next).await;
        }
        self.looked = Instant::now();
    }

    fn still(&self) -> Result<(), CallError> {
        Ok(self.session.still(&self.service.desk.policy(), self.service.desk.now())?)
    }

    async fn tell_page(&mut self, outlet: &Outlet<v1::WatchEvent>) -> Result<Told, Status> {
        let page = self.service.feed.page(&self.service, self.next).await?;
        let mut any = false;
        for happening in page.happenings {
            if let Some(event) = self.event(&happening).await? {
                self.send(outlet, event).await?;
                any = true;
            }
            self.next = happening.seq.saturating_add(1);
        }
        self.next = page.next;
        Ok(Told { any, more: page.more })
    }

    /// What `happening` is to this reader; `None` if it is not theirs to know.
    async fn event(&self, happening: &Happening) -> Result<Option<v1::WatchEvent>, CallError> {
        if !self.is_theirs(happening).await? {
            return Ok(None);
        }
        Ok(Some(v1::WatchEvent {
            seq: happening.seq,
            at: happening.at.unix_seconds(),
            kind: happening.kind.to_owned(),
            request: happening.view(&self.service).await?,
            detail: happening.detail.clone(),
        }))
    }

    async fn is_theirs(&self, happening: &Happening) -> Result<bool, CallError> {
        let (access, who) = (Access::of(&self.service.desk), self.session.who.clone());
        let Some(row) = &happening.about else { return Ok(access.may_export_all(&who)) };
        if !access.concerns(&who, row) || !access.has_rules() {
            return Ok(access.concerns(&who, row));
        }
        let row = row.clone();
        self.service.read(move |reader| Ok(access.may_read(reader, &who, &row)?)).await
    }

    fn heartbeat(&self) -> v1::WatchEvent {
        v1::WatchEvent {
            seq: self.next.saturating_sub(1),
            at: self.service.desk.now().unix_seconds(),
            ..v1::WatchEvent::default()
        }
    }

    async fn send(
        &self,
        outlet: &Outlet<v1::WatchEvent>,
        event: v1::WatchEvent,
    ) -> Result<(), Status> {
        // R28: after the look, so that nothing is told that was seen after the session's end.
        self.still()?;
        let seq = event.seq;
        outlet.send(event).await.map_err(|gone| match gone {
            // Nobody is there to read it.
            Gone::Away => Status::cancelled("the reader is gone"),
            Gone::Slow(patience) => too_slow(seq, patience),
        })
    }
}

/// The last word to a reader that did not take the event of entry `seq`.
fn too_slow(seq: u64, patience: Duration) -> Status {
    let last = seq.saturating_sub(1);
    Status::resource_exhausted(format!(
        "nothing was taken from the stream for {} s; up to entry {last} all is on its way: read \
         that, then go on with `after_seq` {last}",
        patience.as_secs(),
    ))
}

/// What came of one look.
struct Told {
    /// Whether anything was told.
    any: bool,
    /// Whether there is more already.
    more: bool,
}
