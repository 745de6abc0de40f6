//! Every limit of the network door, each with its reason.

use std::time::Duration;

use serde::Deserialize;

use crate::crowd::Rate;

/// Largest request message. A policy bundle is the only large thing anybody sends: four files and
/// up to 32 signatures; a statement is checked against its own 4,096 bytes before anything else.
pub const MESSAGE_MAX_BYTES: usize = 1 << 20;

/// Largest answer: a page of views, a policy, a part of an export. The same as tonic's default for
/// what a client accepts.
pub const ANSWER_MAX_BYTES: usize = 4 << 20;

/// Most header bytes of one call: real ones have under 300.
pub const HEADER_MAX_BYTES: u32 = 8 << 10;

/// Calls at once on one connection: a client makes two or three; the rest is head-of-line trouble.
pub const STREAMS_PER_CONNECTION: u32 = 64;

/// A handshake takes one round trip; who needs longer than this holds a slot for nothing.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// Handshakes at once: each costs about a millisecond of CPU and 40 KiB.
pub const HANDSHAKES_AT_ONCE: usize = 256;

/// A dead peer is noticed after this silence plus [`KEEPALIVE_TIMEOUT`], and its seat freed.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// How long a peer may take to answer a keep-alive ping.
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection is asked to close after this, so that idle ones do not hold their seats for ever.
/// Longer than any session, so that no stream ends early.
pub const CONNECTION_AGE_MAX: Duration = Duration::from_secs(30 * 60);

/// How long a call may still run on a connection that has reached [`CONNECTION_AGE_MAX`]: as long
/// as a session lives.
pub const CONNECTION_AGE_GRACE: Duration = Duration::from_secs(15 * 60);

/// From a call's arrival to its answer (for a stream: to its start). The desk answers in
/// milliseconds; past this the client should ask somebody else. Repeating the same act is safe.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// A watcher hears from us at least this often, though nothing changed, and so notices a silent
/// broker.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// Shortest time between two looks at one watched request, so that a thousand watchers do not
/// read the database at every commit. A first change is still told at once.
pub const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// Views that wait for a slow watcher; one more and its stream is ended.
pub const WATCH_BUFFER: usize = 4;

/// Events that wait for a slow follower: what one decision of several entries brings, and a few more.
pub const FOLLOW_BUFFER: usize = 16;

/// Entries that a follower may have missed: some days of a busy house. Whoever was away longer asks
/// what is open, which is less than everything that has happened since.
pub const RESUME_MAX: u64 = 100_000;

/// Newest happenings kept for all followers, with their views: a few MiB.
pub const FEED_MAX: usize = 512;

/// Entries read for the followers in one look.
pub const FEED_ROWS: usize = 256;

/// Rows of one part of an export. The store cuts a page at about a megabyte, whatever the rows.
pub const EXPORT_ROWS: usize = 512;

/// Parts of an export that wait for a slow reader.
pub const EXPORT_BUFFER: usize = 2;

/// Views of one page unless asked for otherwise.
pub const PAGE_DEFAULT: u32 = 50;

/// Most views of one page.
pub const PAGE_MAX: u32 = 100;

/// Requests looked at for one page: bounds the work for a caller who may see none of them.
pub const PAGE_LOOKS_MAX: usize = 400;

/// Approvers named in one stage's view: whom to wake is a screenful, not a directory.
pub const MAY_APPROVE_MAX: usize = 256;

/// Targets shown of one revocation, those without it first: more than anybody reads; how many there
/// are in all is said beside them.
pub const TARGETS_SHOWN_MAX: usize = 256;

/// Revocations shown that are not everywhere: a page.
pub const UNLANDED_MAX: usize = 100;

/// Ended grants looked at for them, the newest first: some milliseconds. A target that lacks an older
/// one is behind, and is shown as such.
pub const UNLANDED_LOOKS_MAX: usize = 256;

/// Targets named that lack one revocation; how many there are in all is said beside them.
pub const MISSING_SHOWN_MAX: usize = 16;

/// Verified sessions kept: each is a few hundred bytes, and one user has one or two.
pub const SESSIONS_MAX: usize = 4096;

/// Retry advice to whom found the queue full: it empties within a commit or two.
pub const BUSY_RETRY: Duration = Duration::from_secs(1);

/// How often the health service is told how we are: somebody is paged on it, not woken by it.
pub const HEALTH_EVERY: Duration = Duration::from_secs(1);

/// How long streams and calls in flight get at shutdown before their connections are cut.
pub const DRAIN: Duration = Duration::from_secs(10);

/// Snapshots of the database in use at once by calls. The store gives out 64 altogether; more than
/// the disk answers at once only wait there instead of here.
pub const READS_AT_ONCE: usize = 32;

/// The limits that a deployment may set: how many people and machines it has is its own business.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// TLS connections at once. Default 1,024: about 60 MiB if all are used.
    pub connections: usize,
    /// Connections at once from one address. Default 128: a bastion with a whole team behind it.
    pub connections_per_address: usize,
    /// New connections from one address. Default 20/s, 100 at once.
    pub connects: Rate,
    /// Calls from one address, counted before any signature is looked at. Default 100/s, 400 at
    /// once: a hundred verifications are about 6 ms of CPU.
    pub calls_per_address: Rate,
    /// Acts of one principal, counted once the signature is known to be theirs. Default 2/s, 30 at
    /// once: a person makes ten in an emergency, and each, even if refused, grows the ledger.
    pub acts_per_principal: Rate,
    /// Reads of one principal. Default 10/s, 60 at once: a client polling every second, thrice.
    pub reads_per_principal: Rate,
    /// Streams at once (watching and exporting). Default 512: half of the connections.
    pub streams: usize,
    /// Streams at once of one principal. Default 8: a few terminals.
    pub streams_per_principal: usize,
    /// How long a reader may leave a part of a stream untaken, in seconds, before the stream is
    /// ended: a stream holds a seat. Default 30: a laptop that changes networks is back by then.
    pub slow_reader_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            connections_per_address: 128,
            connects: Rate::new(20, 100),
            calls_per_address: Rate::new(100, 400),
            acts_per_principal: Rate::new(2, 30),
            reads_per_principal: Rate::new(10, 60),
            streams: 512,
            streams_per_principal: 8,
            slow_reader_seconds: 30,
        }
    }
}

impl Limits {
    /// Limits that nobody runs into: for a throw-away broker on which one machine plays everybody,
    /// and for measuring what lies behind them.
    #[must_use]
    pub const fn roomy() -> Self {
        const PLENTY: Rate = Rate::new(1_000_000, 1_000_000);
        Self {
            connections: 8192,
            connections_per_address: 8192,
            connects: PLENTY,
            calls_per_address: PLENTY,
            acts_per_principal: PLENTY,
            reads_per_principal: PLENTY,
            streams: 8192,
            streams_per_principal: 8192,
            slow_reader_seconds: 30,
        }
    }
}

#[cfg(test)]
mod tests {
    use breakglass_ledger::policy::File;
    use breakglass_ledger::sshsig::ARMORED_MAX;

    use super::*;
    use crate::rpc::form::MORE_SIGNATURES_MAX;

    #[test]
    fn the_largest_policy_fits_one_message() {
        let files: usize = File::ALL.into_iter().map(File::size_limit_bytes).sum();
        // Real signatures have some 300 bytes; with the longest that parse, three still fit.
        let signatures = (MORE_SIGNATURES_MAX + 1) * 512;
        assert!(files + signatures + 8192 <= MESSAGE_MAX_BYTES);
        assert!(files + 3 * ARMORED_MAX + 8192 <= MESSAGE_MAX_BYTES);
        assert!(files + signatures + 8192 <= ANSWER_MAX_BYTES);
    }
}
