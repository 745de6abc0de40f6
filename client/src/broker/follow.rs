//! Following many requests, on a line of its own: a table that nobody looks at for an hour must not
//! hold up the acts beside it (one HTTP/2 connection shares its flow control).

use std::time::Duration;

use breakglass_proto::v1;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::{Code, Status};

use super::connect::{Pinned, find, silent};
use super::{BrokerError, Offered};

/// What a follower hears.
pub enum News {
    /// A broker answered; what it showed of its ledger is to be believed or not.
    Opened {
        /// Which one.
        address: String,
        /// The checkpoint it showed, as an extension of the one asked about.
        offered: Offered,
    },
    /// Something happened, or the broker is still there.
    Event(Box<v1::WatchEvent>),
    /// Nothing more comes.
    Ended(Ending),
}

/// Why nothing more comes.
pub enum Ending {
    /// The session is over: go on with another.
    Session,
    /// The broker does not go back that far: list what is open and begin anew.
    Gap,
    /// We read too slowly, or the broker went away.
    Lost(BrokerError),
}

/// A stream of news, read in the background. Dropped, it is hung up.
pub struct Following {
    news: Receiver<News>,
    task: JoinHandle<()>,
    handle: Handle,
}

impl Following {
    /// Opens a stream to the first broker of `pinned` that answers, from after entry `after_seq` on.
    pub(super) fn start(
        handle: &Handle,
        pinned: Pinned,
        session: v1::Session,
        after_seq: Option<u64>,
    ) -> Self {
        let (sender, news) = channel(NEWS_MAX);
        let question = v1::WatchRequest { session: Some(session), after_seq };
        let task = handle.spawn(async move {
            let ending = follow(&pinned, question, &sender).await;
            // Nobody listens any more: then nobody has to know.
            let _ = sender.send(News::Ended(ending)).await;
        });
        Self { news, task, handle: handle.clone() }
    }

    /// The next news; `None` if there is none `within` this time.
    pub fn next(&mut self, within: Duration) -> Option<News> {
        let news = &mut self.news;
        // The timer has to be made inside the runtime.
        let heard = self.handle.block_on(async { timeout(within, news.recv()).await });
        let gone = || News::Ended(Ending::Lost(BrokerError::Malformed("the stream has no end")));
        heard.ok().map(|news| news.unwrap_or_else(gone))
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn follow(pinned: &Pinned, question: v1::WatchRequest, to: &Sender<News>) -> Ending {
    let (mut connected, offered) = match find(pinned).await {
        Ok(found) => found,
        Err(error) => return Ending::Lost(error),
    };
    let address = connected.address.clone();
    let opening = timeout(pinned.answer_within, connected.client.watch(question)).await;
    let Ok(opened) = opening else {
        return Ending::Lost(silent(&address, pinned.answer_within));
    };
    let mut stream = match opened {
        Ok(stream) => stream.into_inner(),
        Err(status) if status.code() == Code::OutOfRange => return Ending::Gap,
        Err(status) => return Ending::Lost(BrokerError::of(&status, &address)),
    };
    let mut news = News::Opened { address: address.clone(), offered };
    loop {
        if to.send(news).await.is_err() {
            return Ending::Session;
        }
        news = match timeout(SILENT_MAX, stream.message()).await {
            Ok(Ok(Some(event))) => News::Event(Box::new(event)),
            Ok(Ok(None)) => return Ending::Lost(gone(&address, "it ended the stream")),
            Ok(Err(status)) => return ending(&status, &address),
            Err(_) => return Ending::Lost(silent(&address, SILENT_MAX)),
        };
    }
}

fn ending(status: &Status, address: &str) -> Ending {
    // The wire: ends so when its session expires.
    if status.code() == Code::Unauthenticated {
        return Ending::Session;
    }
    // We were too slow: what was missed is asked for again.
    if status.code() == Code::ResourceExhausted {
        return Ending::Lost(gone(address, status.message()));
    }
    Ending::Lost(BrokerError::of(status, address))
}

fn gone(address: &str, why: &str) -> BrokerError {
    BrokerError::Unreachable { tried: vec![(address.to_owned(), why.to_owned())] }
}

/// News that wait for their reader; more wait at the broker.
const NEWS_MAX: usize = 64;

/// The wire promises an event every 20 s; after twice that and some the stream is dead.
const SILENT_MAX: Duration = Duration::from_secs(50);
