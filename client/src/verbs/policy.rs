//! `policy …`: four files, a manifest, signatures, and what they would mean.
//!
//! ```text
//! DIR/authority.toml people.toml rules.cedar scopes.toml
//! DIR/tests.toml                        what they are expected to say; not signed
//! DIR/manifest                          the statement that is signed
//! DIR/signatures/<fingerprint>.sig      one per key, `/` written as `_`
//! ```

mod around;
mod check;
mod diff;
mod explain;
mod sign;
mod test;
mod told;

use super::client;
use crate::cli::{Cli, PolicyVerb};
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Does what `verb` says; only `push` needs a broker, and `sign` to learn what came before.
pub(super) fn run(cli: &Cli, verb: &PolicyVerb, out: &mut Output) -> Result<Exit, Failure> {
    match verb {
        PolicyVerb::Check { dir } => check::check(dir, out),
        PolicyVerb::Test { dir, cases } => test::test(dir, cases.as_deref(), out),
        PolicyVerb::Explain(arguments) => explain::explain_verb(cli, arguments, out),
        PolicyVerb::Diff(arguments) => diff::diff(cli, arguments, out),
        PolicyVerb::Sign(arguments) => sign::sign(cli, arguments, out),
        PolicyVerb::Push { dir } => sign::push(&mut client(cli, out)?, dir),
    }
}
