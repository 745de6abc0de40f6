//! Answers that come in pieces: following a request, and exporting the ledger.

use std::time::Duration;

use breakglass_proto::v1;
use tonic::{Code, Status};

use super::BrokerError;
use super::connect::Client;

/// What a watcher hears.
pub enum Tick {
    /// The request as it stands now.
    View(Box<v1::RequestView>),
    /// A second has passed.
    Second,
}

/// What a watcher answers.
pub enum Flow<T> {
    /// Go on.
    On,
    /// That was it.
    Done(T),
}

/// Follows a request until `on` is done; `None` if the broker ended the stream before.
pub(super) async fn watch<T>(
    mut client: Client,
    question: v1::GetRequestRequest,
    mut on: impl FnMut(Tick) -> Flow<T>,
) -> Result<Option<T>, BrokerError> {
    let opened = client.watch_request(question).await;
    let mut stream = opened.map_err(|status| BrokerError::of(&status, "broker"))?.into_inner();
    let mut clock = tokio::time::interval(SECOND);
    let mut silent_seconds = 0_u32;
    loop {
        let tick = tokio::select! {
            message = stream.message() => match message {
                Ok(Some(view)) => {
                    silent_seconds = 0;
                    Tick::View(Box::new(view))
                }
                Ok(None) => return Ok(None),
                Err(status) if is_end_of_session(&status) => return Ok(None),
                Err(status) => return Err(BrokerError::of(&status, "broker")),
            },
            _ = clock.tick() => {
                silent_seconds = silent_seconds.saturating_add(1);
                if silent_seconds > SILENT_SECONDS_MAX {
                    return Err(super::connect::silent("broker", SECOND));
                }
                Tick::Second
            }
        };
        if let Flow::Done(outcome) = on(tick) {
            return Ok(Some(outcome));
        }
    }
}

/// The wire: a watch ends with UNAUTHENTICATED when its session expires; the caller opens another.
fn is_end_of_session(status: &Status) -> bool {
    status.code() == Code::Unauthenticated
}

/// Hands every part of an export to `on`, in order.
pub(super) async fn export<E: From<BrokerError>>(
    mut client: Client,
    question: v1::ExportRequest,
    mut on: impl FnMut(v1::export_part::Part) -> Result<(), E>,
) -> Result<(), E> {
    let failed = |status: Status| E::from(BrokerError::of(&status, "broker"));
    let mut stream = client.export(question).await.map_err(failed)?.into_inner();
    loop {
        let message = tokio::time::timeout(PART_WITHIN, stream.message()).await;
        let message = message.map_err(|_| E::from(super::connect::silent("broker", PART_WITHIN)));
        match message?.map_err(failed)?.and_then(|part| part.part) {
            Some(part) => on(part)?,
            None => return Ok(()),
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// The wire promises a view every 20 s; after twice that and some the stream is dead.
const SILENT_SECONDS_MAX: u32 = 50;

/// A part is at most 1 MiB read from a local database.
const PART_WITHIN: Duration = Duration::from_secs(30);
