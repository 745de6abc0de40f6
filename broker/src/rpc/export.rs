//! The ledger, or one request's part of it, with what is needed to verify it elsewhere.
//!
//! The end is fixed at the start, by the newest checkpoint: entries are only ever appended, so each
//! part can be read from a snapshot of its own and no slow reader holds one open.

use std::sync::Arc;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::id::RequestId;
use breakglass_ledger::tree::inclusion;
use breakglass_proto::v1;
use breakglass_proto::v1::export_part::Part;
use tonic::Status;

use super::access::Access;
use super::limits::{EXPORT_BUFFER, EXPORT_ROWS};
use super::outlet::{Outlet, Stream};
use super::reads::{note, readable};
use super::service::Service;
use super::session::{Session, SessionError};
use super::status::CallError;
use super::view::{Story, opening};
use crate::store::{Opening, Reader, Record, StoreError};

/// Opens the stream of an export.
pub(super) async fn export(
    service: &Arc<Service>,
    request: v1::ExportRequest,
) -> Result<Stream<v1::ExportPart>, CallError> {
    let session = service.reader(request.session).await?;
    let id = if request.request_id.is_empty() {
        None
    } else {
        Some(Service::named(&session, &request.request_id)?)
    };
    if id.is_some() && request.from != 0 {
        let rule = "must be 0 together with `request_id`";
        return Err(CallError::Field { field: "from", rule });
    }
    if id.is_none() && !Access::of(&service.desk).may_export_all(&session.who) {
        return Err(CallError::NotEntitled(
            "the whole ledger is exported by enrolled people only; name a request of yours",
        ));
    }
    let seat = service.streams.take(session.who.clone()).map_err(CallError::Streams)?;
    let (end, case) = begin(service, &session, id).await?;
    if request.from > end.size {
        return Err(CallError::Beyond { asked: request.from, size: end.size });
    }
    let (outlet, stream) =
        Outlet::new(EXPORT_BUFFER, service.slow_reader).ok_or(CallError::Fault("no stream"))?;
    let from = request.from;
    let exporter = Exporter { service: Arc::clone(service), session, end, outlet };
    tokio::spawn(async move {
        exporter.run(from, case).await;
        drop(seat);
    });
    Ok(stream)
}

/// Where the export ends, and if it is about the request `id`, what belongs to that: both from one
/// snapshot, and before the stream begins, so that whoever may not read it gets no stream.
async fn begin(
    service: &Service,
    session: &Session,
    id: Option<RequestId>,
) -> Result<(End, Option<Case>), CallError> {
    let (access, who) = (Access::of(&service.desk), session.who.clone());
    service
        .read(move |reader| {
            let end = End::of(reader)?;
            let Some(id) = id else { return Ok((end, None)) };
            readable(reader, &access, &who, id)?;
            let case = Case::read(reader, id, end.size)?;
            Ok((end, Some(case)))
        })
        .await
}

/// Where an export ends.
struct End {
    size: u64,
    texts: u64,
    note: String,
}

impl End {
    fn of(reader: &Reader) -> Result<Self, CallError> {
        let texts = reader.newest_text()?;
        Ok(Self { size: reader.head().size, texts, note: note(reader)? })
    }
}

/// Why an export stops before its end.
enum Broken {
    /// With this as its last word.
    Told(Status),
    /// The reader went away.
    Away,
}

impl From<CallError> for Broken {
    fn from(error: CallError) -> Self {
        Self::Told(error.into())
    }
}

impl From<SessionError> for Broken {
    fn from(error: SessionError) -> Self {
        CallError::from(error).into()
    }
}

struct Exporter {
    service: Arc<Service>,
    session: Arc<Session>,
    end: End,
    outlet: Outlet<v1::ExportPart>,
}

impl Exporter {
    async fn run(self, from: u64, case: Option<Case>) {
        let told = match case {
            None => self.all(from).await,
            Some(case) => self.one(case).await,
        };
        self.outlet.end(match told {
            Ok(()) | Err(Broken::Away) => None,
            Err(Broken::Told(status)) => Some(status),
        });
    }

    async fn all(&self, from: u64) -> Result<(), Broken> {
        self.entries(from).await?;
        self.texts().await?;
        self.blobs().await?;
        self.send(Part::Checkpoint(self.end.note.clone())).await
    }

    async fn entries(&self, from: u64) -> Result<(), Broken> {
        let (mut next, size) = (from, self.end.size);
        while next < size {
            let mut page = self.look(move |reader| reader.entries(next, EXPORT_ROWS)).await?;
            page.retain(|record| record.seq < size);
            let Some(last) = page.last() else {
                return Err(CallError::Fault("the ledger is shorter than its checkpoint").into());
            };
            let first_seq = next;
            next = last.seq.saturating_add(1);
            let entries = page.into_iter().map(|record| record.bytes).collect();
            let entries = v1::Entries { first_seq, entries, inclusion: Vec::new() };
            self.send(Part::Entries(entries)).await?;
        }
        Ok(())
    }

    async fn texts(&self) -> Result<(), Broken> {
        let mut after = 0;
        while after < self.end.texts {
            let page = self.look(move |reader| reader.texts(after, EXPORT_ROWS)).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.number;
            for text in page.into_iter().filter(|text| text.number <= self.end.texts) {
                self.send(Part::Opening(opening(text))).await?;
            }
        }
        Ok(())
    }

    /// Every policy file there is. One that came since is one too many, and harms nobody.
    async fn blobs(&self) -> Result<(), Broken> {
        let mut after = None;
        loop {
            let page = self.look(move |reader| reader.blobs(after)).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(*last);
            for digest in page {
                self.blob(digest).await?;
            }
        }
    }

    async fn blob(&self, digest: Digest) -> Result<(), Broken> {
        let content = self.look(move |reader| reader.blob(digest)).await?;
        let content = content.ok_or(CallError::Fault("a policy file is missing"))?;
        self.send(Part::Blob(v1::Blob { name: digest.to_string(), content })).await
    }

    async fn one(&self, case: Case) -> Result<(), Broken> {
        for (record, inclusion) in case.entries {
            let entries =
                v1::Entries { first_seq: record.seq, entries: vec![record.bytes], inclusion };
            self.send(Part::Entries(entries)).await?;
        }
        for text in case.texts {
            self.send(Part::Opening(opening(text))).await?;
        }
        self.blobs().await?;
        self.send(Part::Checkpoint(self.end.note.clone())).await
    }

    async fn send(&self, part: Part) -> Result<(), Broken> {
        if *self.service.stop.borrow() {
            return Err(CallError::Stopping.into());
        }
        self.session.still(&self.service.desk.policy(), self.service.desk.now())?;
        let sent = self.outlet.send(v1::ExportPart { part: Some(part) }).await;
        sent.map_err(|gone| gone.status().map_or(Broken::Away, Broken::Told))
    }

    async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Broken> {
        Ok(self.service.read(move |reader| Ok(look(reader)?)).await?)
    }
}

/// What belongs to one request: its entries, the genesis with the broker's keys and every policy, each
/// with its inclusion proof, and its texts.
struct Case {
    entries: Vec<(Record, Vec<Vec<u8>>)>,
    texts: Vec<Opening>,
}

impl Case {
    fn read(reader: &Reader, id: RequestId, size: u64) -> Result<Self, StoreError> {
        let mut records = reader.grant_entries(id)?;
        let story = Story::read(&records)?;
        let texts = story.map(|story| reader.texts_for(&story.commitments())).transpose()?;
        records.extend(reader.entry(0)?);
        // Every policy up to now: each proves that the next was allowed to replace it.
        let mut version = 1;
        loop {
            let page = reader.policies(version)?;
            let Some(last) = page.last() else { break };
            version = last.version.saturating_add(1);
            for policy in page {
                records.extend(reader.entry(policy.seq)?);
            }
        }
        records.retain(|record| record.seq < size);
        records.sort_by_key(|record| record.seq);
        let mut entries = Vec::new();
        for record in records {
            let proof = inclusion(reader, record.seq, size)?;
            entries.push((record, proof.iter().map(|hash| hash.as_bytes().to_vec()).collect()));
        }
        Ok(Self { entries, texts: texts.unwrap_or_default() })
    }
}
