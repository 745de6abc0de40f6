//! Policies as files: read from a directory, questioned, compared and signed, without a broker.
//!
//! Whatever is said here about who may do what comes from the broker's own rules: the same
//! `decide`, asked about a request that is in no ledger. There is no second opinion to go wrong.

pub mod aside;
pub mod cases;
pub mod diff;
pub mod explain;
pub mod folder;
pub mod hearing;
pub mod obstacle;
pub mod past;
pub mod question;
pub mod signing;
