//! The far side: the only room that speaks gRPC, and the only one that waits asynchronously.
//!
//! Everything here blocks for its caller. Several brokers are tried at once and the first good one
//! is used; a call that fails because a broker went away is tried again elsewhere with the same
//! bytes, which the wire promises to be safe.

mod connect;
mod follow;
mod refused;
mod stream;
mod visit;

use std::time::Duration;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::id::RequestId;
use breakglass_proto::v1;
use prost::Message as _;
use tokio::runtime::Runtime;
use tonic::Status;

pub use connect::{Checker, Pinned};
pub use follow::{Ending, Following, News};
pub use refused::BrokerError;
pub use stream::{Flow, Tick};
pub use visit::{Visit, visit};

use connect::{Connected, connect};
use stream::{export, watch};

/// A connection to the brokers of one deployment.
pub struct Broker {
    runtime: Runtime,
    pinned: Pinned,
    connected: Connected,
}

/// What a broker answered about its newest checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// The signed note, not yet believed.
    pub note: String,
    /// The proof that it extends the one asked about.
    pub proof: Vec<Digest>,
    /// Digest of the policy in force, as the broker says.
    pub policy: String,
}

impl Broker {
    /// Connects to the first of `pinned`'s brokers whose checkpoint `check` believes.
    ///
    /// # Errors
    ///
    /// [`BrokerError`]: nobody answered, nobody was the pinned broker, or one of them showed a
    /// checkpoint that cannot be believed.
    pub fn connect(pinned: Pinned, check: &Checker<'_>) -> Result<Self, BrokerError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            // One thread beside the caller's keeps the connection alive while a person reads.
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|error| BrokerError::Fault(error.to_string()))?;
        let connected = runtime.block_on(connect(&pinned, check))?;
        Ok(Self { runtime, pinned, connected })
    }

    /// Which broker is talked to.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.connected.address
    }

    /// Asks for the newest checkpoint and the proof that it extends the one of `old_size`.
    ///
    /// # Errors
    ///
    /// [`BrokerError`].
    pub fn checkpoint(&mut self, old_size: u64) -> Result<Offered, BrokerError> {
        let answer = self.call(|mut client| async move {
            client.get_checkpoint(v1::GetCheckpointRequest { old_size }).await
        })?;
        connect::offered(answer)
    }

    /// Sends one signed statement. Tried again with the same bytes if a broker goes away.
    ///
    /// # Errors
    ///
    /// [`BrokerError`]; after [`BrokerError::Unreachable`] the act may or may not be recorded.
    pub fn submit(&mut self, request: &v1::SubmitRequest) -> Result<v1::SubmitAnswer, BrokerError> {
        self.call(|mut client| {
            let request = request.clone();
            async move { client.submit(request).await }
        })
    }

    /// One request as it stands.
    ///
    /// # Errors
    ///
    /// [`BrokerError`].
    pub fn request(
        &mut self,
        session: &v1::Session,
        id: RequestId,
    ) -> Result<v1::RequestView, BrokerError> {
        let question = question(session, id);
        self.call(|mut client| {
            let question = question.clone();
            async move { client.get_request(question).await }
        })
    }

    /// The same, with what was done with its scope before, as far as the caller may know.
    ///
    /// # Errors
    ///
    /// [`BrokerError`].
    pub fn request_beside(
        &mut self,
        session: &v1::Session,
        id: RequestId,
    ) -> Result<v1::RequestView, BrokerError> {
        let question = v1::GetRequestRequest { beside: true, ..question(session, id) };
        self.call(|mut client| {
            let question = question.clone();
            async move { client.get_request(question).await }
        })
    }

    /// Requests waiting for somebody, every page of them.
    ///
    /// # Errors
    ///
    /// [`BrokerError`].
    pub fn pending(&mut self, session: &v1::Session) -> Result<Vec<v1::RequestView>, BrokerError> {
        self.pages(session, |mut client, page| async move { client.list_pending(page).await })
    }

    /// Grants alive, every page of them.
    ///
    /// # Errors
    ///
    /// [`BrokerError`].
    pub fn grants(&mut self, session: &v1::Session) -> Result<Vec<v1::RequestView>, BrokerError> {
        self.pages(session, |mut client, page| async move { client.list_grants(page).await })
    }

    /// The locks that stand, as far as the caller may see them.
    ///
    /// # Errors
    ///
    /// [`BrokerError`].
    pub fn locks(&mut self, session: &v1::Session) -> Result<Vec<v1::LockView>, BrokerError> {
        let answer = self.call(|mut client| {
            let question = v1::ListLocksRequest { session: Some(session.clone()) };
            async move { client.list_locks(question).await }
        })?;
        Ok(answer.locks)
    }

    /// The policy in force, as signed.
    ///
    /// # Errors
    ///
    /// [`BrokerError`].
    pub fn policy(&mut self, session: &v1::Session) -> Result<v1::GetPolicyAnswer, BrokerError> {
        self.call(|mut client| {
            let question = v1::GetPolicyRequest { session: Some(session.clone()) };
            async move { client.get_policy(question).await }
        })
    }

    /// The watched dependencies, and which are down.
    ///
    /// # Errors
    ///
    /// [`BrokerError`].
    pub fn outages(&mut self, session: &v1::Session) -> Result<v1::ListOutagesAnswer, BrokerError> {
        self.call(|mut client| {
            let question = v1::ListOutagesRequest { session: Some(session.clone()) };
            async move { client.list_outages(question).await }
        })
    }

    /// Where lists are in force, and what has not landed there.
    ///
    /// # Errors
    ///
    /// [`BrokerError`].
    pub fn targets(&mut self, session: &v1::Session) -> Result<v1::ListTargetsAnswer, BrokerError> {
        self.call(|mut client| {
            let question = v1::ListTargetsRequest { session: Some(session.clone()) };
            async move { client.list_targets(question).await }
        })
    }

    /// Follows a request: `on` hears of every change, and every second in between, until it is
    /// done or the stream ends. A broken stream is an error; the caller asks again.
    ///
    /// # Errors
    ///
    /// [`BrokerError`].
    pub fn watch<T>(
        &mut self,
        session: &v1::Session,
        id: RequestId,
        on: impl FnMut(Tick) -> Flow<T>,
    ) -> Result<Option<T>, BrokerError> {
        let client = self.connected.client.clone();
        self.runtime.block_on(watch(client, question(session, id), on))
    }

    /// Follows every request that the user may read, from after entry `after_seq` on, or from now on.
    /// `pinned` names the checkpoint kept now.
    #[must_use]
    pub fn follow(
        &self,
        pinned: Pinned,
        session: v1::Session,
        after_seq: Option<u64>,
    ) -> Following {
        Following::start(self.runtime.handle(), pinned, session, after_seq)
    }

    /// The ledger from the beginning, or the entries of one request, part by part.
    ///
    /// # Errors
    ///
    /// [`BrokerError`], or what `on` made of a part.
    pub fn export<E: From<BrokerError>>(
        &mut self,
        session: &v1::Session,
        id: Option<RequestId>,
        on: impl FnMut(v1::export_part::Part) -> Result<(), E>,
    ) -> Result<(), E> {
        let question = v1::ExportRequest {
            session: Some(session.clone()),
            from: 0,
            request_id: id.map(|id| id.to_string()).unwrap_or_default(),
        };
        let client = self.connected.client.clone();
        self.runtime.block_on(export(client, question, on))
    }

    /// Connects again, to whichever broker answers first now.
    ///
    /// # Errors
    ///
    /// [`BrokerError`].
    pub fn reconnect(&mut self, check: &Checker<'_>) -> Result<(), BrokerError> {
        self.connected = self.runtime.block_on(connect(&self.pinned, check))?;
        Ok(())
    }

    fn pages<F, A>(
        &mut self,
        session: &v1::Session,
        ask: F,
    ) -> Result<Vec<v1::RequestView>, BrokerError>
    where
        F: Fn(connect::Client, v1::ListRequest) -> A,
        A: Future<Output = Result<tonic::Response<v1::ListAnswer>, Status>>,
    {
        let (mut all, mut page, mut size_bytes) = (Vec::new(), String::new(), 0_usize);
        for _ in 0..PAGES_MAX {
            let question = v1::ListRequest { session: Some(session.clone()), page_size: 100, page };
            let answer = self.page(|client| ask(client, question.clone()))?;
            size_bytes = size_bytes.saturating_add(answer.encoded_len());
            if size_bytes > LIST_MAX_BYTES {
                return Err(BrokerError::Malformed("the list is longer than any that is true"));
            }
            all.extend(answer.requests);
            page = answer.next_page;
            if page.is_empty() {
                return Ok(all);
            }
        }
        Err(BrokerError::Malformed("the list does not end"))
    }

    /// One page. A long list meets the broker's limit on reads: then we wait as long as it says.
    fn page<A>(&mut self, ask: impl Fn(connect::Client) -> A) -> Result<v1::ListAnswer, BrokerError>
    where
        A: Future<Output = Result<tonic::Response<v1::ListAnswer>, Status>>,
    {
        for _ in 0..PAGE_TRIES {
            match self.call(&ask) {
                Err(BrokerError::Limit { retry_after: Some(after), .. }) => {
                    let seconds = after.parse().unwrap_or(1).clamp(1, PAGE_WAIT_MAX_SECONDS);
                    let nap = Duration::from_secs(seconds);
                    self.runtime.block_on(async { tokio::time::sleep(nap).await });
                }
                other => return other,
            }
        }
        self.call(ask)
    }

    /// One question and its answer. A broker that is gone or stopping is replaced by the next.
    fn call<T, A>(&mut self, ask: impl Fn(connect::Client) -> A) -> Result<T, BrokerError>
    where
        A: Future<Output = Result<tonic::Response<T>, Status>>,
    {
        let mut failed = None;
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                let nap = NAP.saturating_mul(attempt);
                // Whoever answers now was believed when this command began; the act's own answer
                // carries a checkpoint that is checked again.
                self.runtime.block_on(async { tokio::time::sleep(nap).await });
                match self.runtime.block_on(connect(&self.pinned, &|_| Ok(()))) {
                    Ok(connected) => self.connected = connected,
                    Err(error) => {
                        failed = Some(error);
                        continue;
                    }
                }
            }
            let within = self.pinned.answer_within;
            let call = ask(self.connected.client.clone());
            match self.runtime.block_on(async { tokio::time::timeout(within, call).await }) {
                Ok(Ok(answer)) => return Ok(answer.into_inner()),
                Ok(Err(status)) if refused::is_gone(&status) => {
                    failed = Some(BrokerError::of(&status, &self.connected.address));
                }
                Ok(Err(status)) => return Err(BrokerError::of(&status, &self.connected.address)),
                Err(_) => failed = Some(connect::silent(&self.connected.address, within)),
            }
        }
        Err(failed.unwrap_or(BrokerError::Malformed("no attempt was made")))
    }
}

fn question(session: &v1::Session, id: RequestId) -> v1::GetRequestRequest {
    v1::GetRequestRequest {
        session: Some(session.clone()),
        request_id: id.to_string(),
        beside: false,
    }
}

/// Tries per call: the first, and two more for a broker that is restarting.
const ATTEMPTS: u32 = 3;

/// Between two tries, times the number of the try.
const NAP: Duration = Duration::from_millis(300);

/// Waits for one page: a list of ten thousand meets the limit some ten times, once in ten pages.
const PAGE_TRIES: u32 = 5;

/// Longest wait for one page, whatever the broker says.
const PAGE_WAIT_MAX_SECONDS: u64 = 10;

/// All pages of a list together: ten thousand views of a few KiB. A broker that sends more wants to
/// fill our memory.
const LIST_MAX_BYTES: usize = 64 * 1024 * 1024;

/// 100 views a page: more than any deployment has open at once.
const PAGES_MAX: u32 = 1000;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
