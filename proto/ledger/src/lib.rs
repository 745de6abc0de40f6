//! The record: what people sign, what the broker writes down, and the means to check both.
//!
//! Everything here is pure: bytes in, facts or a named fault out. There is no clock, no I/O and no
//! randomness, so that a verifier on another machine in another year reaches the same answer.
//! `FORMAT.md` beside this crate is the published description of the same bytes.

pub mod audit;
pub mod bundle;
pub mod bytes;
pub mod chain;
pub mod entry;
pub mod id;
pub mod judge;
pub mod key;
pub mod note;
pub mod policy;
pub mod principal;
pub mod sshsig;
pub mod statement;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod time;
pub mod tree;
