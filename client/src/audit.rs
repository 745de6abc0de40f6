//! Exports on disk: writing one whole, reading one without being fooled by its directory, and
//! showing one. What an export *proves* is judged by `ledger::audit`; this is the file handling.

mod directory;
mod export;
mod proofs;
mod report;
pub(crate) mod show;

pub use directory::{BundleDir, BundleError};
pub use export::{Counts, Export, Extent};
pub use report::{exit_of, tell, tell_case, tell_untrusted, word};
pub(crate) use show::next as next_line;
pub use show::table;
