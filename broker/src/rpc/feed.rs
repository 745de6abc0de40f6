//! The newest entries worth telling, read once for all who watch.
//!
//! Watchers are many and entries are few. Whoever is woken first by a commit reads what is new; the
//! others find it here, each request's view included. While nobody watches, nothing is read.

use std::collections::VecDeque;
use std::sync::Arc;

use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1;
use tokio::sync::{Mutex, OnceCell};

use super::limits::{FEED_MAX, FEED_ROWS};
use super::reads::view_until;
use super::service::Service;
use super::status::CallError;
use super::view::in_list;
use crate::alarm::Alarm;
use crate::store::{Reader, RequestRow, StoreError};

/// One entry worth telling.
pub(super) struct Happening {
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    /// Type of the entry.
    pub(super) kind: &'static str,
    /// The request it is about, if it is about one.
    pub(super) about: Option<RequestRow>,
    /// What is wrong at a host, if it is about that; else empty.
    pub(super) detail: String,
    /// Made when the first watcher needs it: it is the same for all.
    view: OnceCell<v1::RequestView>,
}

/// What is new for one watcher.
pub(super) struct Page {
    pub(super) happenings: Vec<Arc<Happening>>,
    /// First entry not looked at.
    pub(super) next: u64,
    /// Whether there is more already.
    pub(super) more: bool,
}

/// The newest happenings, at most [`FEED_MAX`].
#[derive(Default)]
pub(super) struct Feed(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// From this entry on nothing is missing here.
    first: u64,
    /// First entry not looked at.
    next: u64,
    /// How many commits there had been when the end was reached; `None` before.
    commits: Option<u64>,
    happenings: VecDeque<Arc<Happening>>,
}

impl Feed {
    /// A watcher joins who begins at `size`, the end of the ledger. After a time without watchers
    /// what nobody asked for is not read any more.
    pub(super) async fn join(&self, size: u64) {
        let mut kept = self.0.lock().await;
        let rows = u64::try_from(FEED_ROWS).unwrap_or(u64::MAX);
        if size.saturating_sub(kept.next) > rows {
            *kept = Kept { first: size, next: size, ..Kept::default() };
        }
    }

    /// What came from entry `from` on, at most [`FEED_ROWS`] entries of it.
    ///
    /// # Errors
    ///
    /// [`CallError::Desk`] if the ledger cannot be read.
    pub(super) async fn page(&self, service: &Service, from: u64) -> Result<Page, CallError> {
        let mut kept = self.0.lock().await;
        if from < kept.first {
            // A watcher that comes back after a while reads by itself, and holds up nobody.
            drop(kept);
            return read(service, from).await;
        }
        let commits = *service.commits.borrow();
        if kept.commits != Some(commits) && from >= kept.next {
            let page = read(service, kept.next).await?;
            kept.add(page, commits);
        }
        Ok(kept.page(from))
    }
}

impl Kept {
    fn add(&mut self, page: Page, commits: u64) {
        self.next = page.next;
        self.commits = (!page.more).then_some(commits);
        self.happenings.extend(page.happenings);
        while self.happenings.len() > FEED_MAX {
            if let Some(oldest) = self.happenings.pop_front() {
                self.first = oldest.seq.saturating_add(1);
            }
        }
    }

    fn page(&self, from: u64) -> Page {
        let begin = self.happenings.partition_point(|happening| happening.seq < from);
        let happenings = self.happenings.iter().skip(begin).cloned().collect();
        Page { happenings, next: self.next.max(from), more: self.commits.is_none() }
    }
}

impl Happening {
    /// The view of its request as this entry left it, without what lists leave out; `None` if it is
    /// about none. Whoever reads late is told the same as everybody.
    ///
    /// # Errors
    ///
    /// [`CallError::Desk`] if the ledger cannot be read.
    pub(super) async fn view(
        &self,
        service: &Service,
    ) -> Result<Option<v1::RequestView>, CallError> {
        let Some(row) = &self.about else { return Ok(None) };
        let made = self.view.get_or_try_init(async || {
            let (policy, now, row) = (service.desk.policy(), service.desk.now(), row.clone());
            let last = self.seq;
            let read = move |reader: &Reader| view_until(reader, &policy, &row, last, now);
            service.read(move |reader| Ok(in_list(read(reader)?))).await
        });
        made.await.cloned().map(Some)
    }
}

/// One page of the ledger from entry `from` on.
async fn read(service: &Service, from: u64) -> Result<Page, CallError> {
    service
        .read(move |reader| {
            let size = reader.head().size;
            let records = reader.entries(from, FEED_ROWS)?;
            let next = records.last().map_or(from, |last| last.seq.saturating_add(1));
            let mut happenings = Vec::new();
            for record in records {
                happenings.extend(happening(reader, &record.parse()?)?.map(Arc::new));
            }
            Ok(Page { happenings, next, more: next < size })
        })
        .await
}

/// The entry as a happening, if anybody is told of its kind.
fn happening(reader: &Reader, entry: &Entry) -> Result<Option<Happening>, StoreError> {
    let alarm = Alarm::of(entry);
    let id = match &entry.body {
        _ if alarm.is_some() => None,
        Body::Policy(_)
        | Body::Locked(_)
        | Body::Unlocked(_)
        | Body::OutageBegan(_)
        | Body::OutageEnded(_) => None,
        Body::Reviewed(body) => Some(body.request),
        Body::Drill(body) => Some(body.request),
        Body::Requested(_)
        | Body::Approved(_)
        | Body::Denied(_)
        | Body::Withdrawn(_)
        | Body::Escalated(_)
        | Body::Lapsed(_)
        | Body::Issued(_)
        | Body::PickedUp(_)
        | Body::Used(_)
        | Body::Revoked(_)
        | Body::Closed(_) => match entry.grant() {
            Some(link) => Some(link.grant),
            None => return Ok(None),
        },
        // Of the house, or of strangers, who could make everybody's screen scroll.
        Body::Genesis(_)
        | Body::Applied(_)
        | Body::Refused(_)
        | Body::Anchor(_)
        | Body::Keys(_)
        | Body::Reconciled(_)
        | Body::Config(_) => return Ok(None),
    };
    let about = id.map(|id| reader.request(id)).transpose()?;
    if about.as_ref().is_some_and(Option::is_none) {
        return Err(StoreError::Damaged { what: "a request that has entries" });
    }
    Ok(Some(Happening {
        seq: entry.seq,
        at: entry.time.second(),
        kind: entry.body.type_name(),
        about: about.flatten(),
        detail: alarm.map(|alarm| alarm.to_string()).unwrap_or_default(),
        view: OnceCell::new(),
    }))
}
