//! `policy diff`: what a new policy changes, before anybody signs it.

use std::path::Path;

use breakglass_ledger::policy::Policy;

use crate::cli::{Cli, DiffArgs};
use crate::client::Client;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::in_force;
use crate::output::Output;
use crate::policy::diff::{Difference, Grant, grants_of, standing};
use crate::policy::folder;
use crate::state::read_bounded;
use crate::view::to_json;

pub(super) fn diff(cli: &Cli, arguments: &DiffArgs, out: &mut Output) -> Result<Exit, Failure> {
    let old = match arguments.old.to_str() {
        Some(IN_FORCE) => in_force_of(&mut super::client(cli, out)?)?,
        Some(_) | None => folder::policy(&arguments.old)?,
    };
    let new = folder::policy(&arguments.new)?;
    let grants = match (&arguments.grants, arguments.live) {
        (Some(path), _) => Some(listed(path)?),
        (None, true) => Some(live(&mut super::client(cli, out)?)?),
        (None, false) => None,
    };
    let now = clock::now();
    let difference = Difference::between(&old, &new)?;
    let grants = grants.map(|grants| standing(&old, &new, grants, now)).transpose()?;
    let text = difference.render(grants.as_deref(), now.unix_seconds());
    out.result(&text, &difference.to_json(grants.as_deref()))?;
    if difference.is_empty() {
        out.say("nobody gains or loses anything");
    }
    Ok(Exit::Done)
}

fn in_force_of(client: &mut Client<'_>) -> Result<Policy, Failure> {
    let session = client.session()?;
    let answer = client.broker()?.policy(&session)?;
    in_force::accept(client.state(), client.trust().log(), &answer)
}

fn live(client: &mut Client<'_>) -> Result<Vec<Grant>, Failure> {
    let session = client.session()?;
    let views = client.broker()?.grants(&session)?;
    let rows: Vec<serde_json::Value> = views.iter().map(to_json).collect();
    grants_of(&serde_json::json!({ "requests": rows }).to_string())
}

fn listed(path: &Path) -> Result<Vec<Grant>, Failure> {
    let bytes = read_bounded(path, GRANTS_MAX_BYTES)?;
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.ok_or_else(|| folder::unreadable(path, "there is no such text file"))?;
    grants_of(&text)
}

/// The word for the policy that a broker has in force.
const IN_FORCE: &str = "in-force";

/// Some 50,000 grants.
const GRANTS_MAX_BYTES: u64 = 32 * 1024 * 1024;
