//! Bad input over the real wire: each gets a clear answer, and the ledger has grown by exactly the
//! documented `refused` entry, or by nothing.

#![expect(clippy::arithmetic_side_effects, reason = "the sums of a test are small")]

mod acts;
mod bench;
mod kinds;
mod line;
mod policies;
mod statements;
mod tokens;
