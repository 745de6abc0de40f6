//! Steps of a history. What is printed of a failing one can be played again as it stands (see
//! `reproductions.rs`).

use breakglass_ledger::statement::Kind;

/// One thing that happens. `of` counts requests from 0; beyond the newest it is the newest.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// `who` asks in lane `normal`, signing with their key of this number.
    Ask { who: &'static str, key: u32, scope: &'static str, ttl: u32 },
    /// `who` asks in any lane, on behalf of the [chain](CHAINS) of this number.
    AskIn { who: &'static str, scope: &'static str, ttl: u32, lane: Lane, chain: usize },
    /// `who` asks for the [kinds](KINDS) of this number, for a key that TLS servers take.
    AskFor { who: &'static str, kinds: usize, ttl: u32, lane: Lane },
    /// `who` approves.
    Approve { of: usize, who: &'static str, stage: &'static str, twist: Twist },
    /// `who` wants to end it, or to pass it on.
    End { of: usize, who: &'static str, how: How, twist: Twist },
    /// The holder of the subject key (or of another) collects.
    Collect { of: usize, by: Holder, twist: Twist },
    /// The same for the kind of this number of [`EACH`].
    CollectAs { of: usize, kind: usize, by: Holder },
    /// The holder confirms that it arrived, naming the right entry or another.
    Pickup { of: usize, by: Holder, right: bool },
    /// `who` locks, for so many seconds if not for ever.
    Lock { who: &'static str, what: What, seconds: Option<u64> },
    /// `who` lifts the lock of this number, counted as requests are.
    Unlock { who: &'static str, of: usize },
    /// `who` declares the dependency down for so many seconds, or for ever.
    Declare { who: &'static str, what: &'static str, seconds: Option<u64> },
    /// `who` says that it is up again.
    Resolve { who: &'static str, what: &'static str },
    /// The probes say so.
    Probe { down: bool },
    /// `who` looks at a grant afterwards.
    Review { of: usize, who: &'static str, verdict: Found },
    /// Milliseconds pass, and the sweep comes by.
    Pass(u64),
    /// Milliseconds pass unnoticed by the sweep.
    Unswept(u64),
    /// The clock goes back by this many seconds.
    Back(u64),
    /// The sweep comes by, too early or too late.
    Sweep,
    /// The daemon is stopped and started.
    Restart,
    /// The daemon is killed, and another started on what was on the disk.
    Kill,
    /// The authority pushes the law of this number.
    Push(usize),
    /// Bytes that were sent before come again.
    Again(usize),
}

/// Who may stand behind a request, outermost first.
pub(crate) const CHAINS: [&[&str]; 9] = [
    &[],
    &["sam"],
    &["joe"],
    &["sam", "robo"],
    &["kim"],
    &["ada"],
    &["robo"],
    &["nobody-there"],
    &["joe", "sam"],
];

/// Each kind of credential.
pub(crate) const EACH: [Kind; 3] = [Kind::Ssh, Kind::X509, Kind::Jwt];

/// What is asked for at once.
pub(crate) const KINDS: [&[Kind]; 6] = [
    &[Kind::X509],
    &[Kind::Jwt],
    &[Kind::Ssh, Kind::X509],
    &[Kind::Ssh, Kind::Jwt],
    &[Kind::X509, Kind::Jwt],
    &[Kind::Ssh, Kind::X509, Kind::Jwt],
];

/// Which way a request takes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lane {
    Normal,
    Outage,
    Emergency,
    Drill,
}

/// How an ending is meant.
#[derive(Clone, Copy, Debug)]
pub(crate) enum How {
    Deny,
    Withdraw,
    Drop,
    Cancel,
    Escalate,
}

/// What is locked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    Principal(&'static str),
    /// This person's key of this number.
    Key(&'static str, u32),
    /// The subject key of this request.
    Subject(usize),
    Scope(&'static str),
    Host(&'static str),
    Grant(usize),
}

/// What a review finds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    Justified,
    Unjustified,
    Inconclusive,
}

/// Whose key.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Holder {
    Subject,
    /// The subject key of the request after it.
    Neighbour,
    Requester,
}

/// What is wrong with a statement that is otherwise right.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Twist {
    Nothing,
    /// Signed with this person's key of this number.
    Key(&'static str, u32),
    /// The policy before the one in force.
    OldPolicy,
    TtlMax(u32),
    /// About a request that nobody made.
    Unknown,
    Expired,
    /// Good for two days.
    TooFar,
    OtherLog,
    SeenWrong,
    SeenFuture,
    FirstContact,
}
