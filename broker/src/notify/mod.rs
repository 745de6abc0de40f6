//! Tells people: approvers that they are asked, requesters and owners how it went.
//!
//! Nothing here is in the way of a request: a commit wakes the room, which reads the new entries,
//! derives who is to be told of what, and sends it by the channels of the daemon's configuration. It
//! never decides; what it sends carries no secret and nothing that approves.
//!
//! The ledger is the outbox. Which notices there are follows from the entries alone; what became of
//! one is an entry too. After a crash the entries of the last day are read again, and every notice
//! without a result is due: at least once, under the same id, by which a receiver knows a repetition.
//!
//! | file | what it is |
//! |---|---|
//! | `derive`, `case`, `recipients`, `reminders` | from entries to notices: pure |
//! | `notice`, `words` | one notice, and its text for people |
//! | `outbox`, `backoff` | what waits, what is tried when, what came of it: pure |
//! | `board` | how it goes, for whoever looks at a request |
//! | `follow`, `door` | reading the ledger, and the loop around all of it |
//! | `channel` | the ways out |
//! | `config`, `secret` | what the operator says about them |

mod backoff;
mod board;
mod case;
mod channel;
mod config;
mod derive;
mod door;
mod follow;
mod notice;
mod outbox;
mod recipients;
mod reminders;
mod secret;
mod trial;
mod words;

pub use board::{Board, Standing, Told};
pub use channel::{Channels, NotifyError};
pub use config::{ChannelConfig, Config, Way};
pub use door::{Parts, run};
pub use trial::{TrialError, trial};

#[cfg(test)]
mod testing;
