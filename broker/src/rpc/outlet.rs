//! The sending end of a stream: bounded, and with a place kept for its last word.

use std::time::Duration;

use tokio::sync::mpsc::{self, OwnedPermit, Sender};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

/// What a stream of `T` looks like to tonic.
pub(super) type Stream<T> = ReceiverStream<Result<T, Status>>;

/// Where a stream is fed.
pub(super) struct Outlet<T> {
    parts: Sender<Result<T, Status>>,
    /// A buffer that is full must not swallow the reason for the end.
    last: OwnedPermit<Result<T, Status>>,
    patience: Duration,
}

/// Nobody takes the stream any more, or not fast enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// The reader hung up.
    Away,
    /// The reader left a part untaken for this long.
    Slow(Duration),
}

impl<T> Outlet<T> {
    /// An outlet with room for `waiting` parts, and the stream it feeds, whose reader may leave a
    /// part untaken for `patience`; `None` never happens, the buffer being fresh.
    pub(super) fn new(waiting: usize, patience: Duration) -> Option<(Self, Stream<T>)> {
        let (parts, stream) = mpsc::channel(waiting.saturating_add(1));
        let last = parts.clone().try_reserve_owned().ok()?;
        Some((Self { parts, last, patience }, ReceiverStream::new(stream)))
    }

    /// Sends one part.
    ///
    /// # Errors
    ///
    /// [`Gone`]; the stream should then be ended.
    pub(super) async fn send(&self, part: T) -> Result<(), Gone> {
        use tokio::sync::mpsc::error::SendTimeoutError::{Closed, Timeout};
        match self.parts.send_timeout(Ok(part), self.patience).await {
            Ok(()) => Ok(()),
            Err(Timeout(_)) => Err(Gone::Slow(self.patience)),
            Err(Closed(_)) => Err(Gone::Away),
        }
    }

    /// Waits until the reader hangs up.
    pub(super) async fn abandoned(&self) {
        self.parts.closed().await;
    }

    /// Ends the stream, with `status` unless it ends well.
    pub(super) fn end(self, status: Option<Status>) {
        if let Some(status) = status {
            self.last.send(Err(status));
        }
    }
}

impl Gone {
    /// What a slow reader finds at the end of what it did take.
    pub(super) fn status(self) -> Option<Status> {
        match self {
            Self::Away => None,
            Self::Slow(patience) => Some(Status::resource_exhausted(format!(
                "nothing was taken from the stream for {} s; ask again, and read faster",
                patience.as_secs()
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_stream::StreamExt;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_is_told_why_its_stream_ended() {
        let (outlet, mut stream) = Outlet::new(1, PATIENCE).expect("room");
        assert_eq!(outlet.send(1).await, Ok(()));
        let gone = outlet.send(2).await.expect_err("full");
        assert_eq!(gone, Gone::Slow(PATIENCE));
        outlet.end(gone.status());
        assert_eq!(stream.next().await.expect("part").expect("one"), 1);
        let status = stream.next().await.expect("end").expect_err("a status");
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn a_reader_that_hung_up_is_noticed() {
        let (outlet, stream) = Outlet::<u8>::new(1, PATIENCE).expect("room");
        drop(stream);
        outlet.abandoned().await;
        assert_eq!(outlet.send(1).await, Err(Gone::Away));
    }
}
