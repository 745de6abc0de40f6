//! Waiting for approvers, with live progress in words.

use std::time::{Duration, Instant};

use breakglass_ledger::id::RequestId;
use breakglass_proto::v1::{RequestView, State};
use serde_json::json;

use crate::broker::{Flow, Tick};
use crate::client::Client;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::telling::telling;
use crate::view::{ending, exit_of, progress, to_json};

/// Waits until the request is approved (or live), has ended, or `deadline` has passed.
///
/// A broken line is taken up again for as long as there is time: approvers may take minutes, and a
/// broker may restart in them.
pub(super) fn for_approval(
    client: &mut Client<'_>,
    id: RequestId,
    deadline: Option<Duration>,
) -> Result<Exit, Failure> {
    let begun = Instant::now();
    let is_over = || deadline.is_some_and(|deadline| begun.elapsed() >= deadline);
    let mut failed_since: Option<Instant> = None;
    loop {
        let failure = match watch(client, id, &is_over) {
            Ok(Some(end)) => return tell(client, id, end),
            // The session ended, or the stream did: ask again with a new one, though not at once:
            // a broker that only ends streams must not keep us busy, nor past the deadline.
            Ok(None) if is_over() => return tell(client, id, End::Deadline),
            Ok(None) => {
                failed_since = None;
                nap();
                continue;
            }
            Err(failure) => failure,
        };
        let since = *failed_since.get_or_insert_with(Instant::now);
        let is_hopeless = failure.exit() != Exit::Unreachable || failure.rule().is_some();
        if is_hopeless || is_over() || since.elapsed() > GIVE_UP_AFTER {
            return Err(failure);
        }
        client.out.progress("no broker answers; trying again");
        client.hang_up();
        nap();
    }
}

/// What waiting came to.
enum End {
    /// The request is no longer pending.
    Settled(Box<RequestView>),
    /// Nobody has time any more.
    Deadline,
}

fn watch(
    client: &mut Client<'_>,
    id: RequestId,
    is_over: &dyn Fn() -> bool,
) -> Result<Option<End>, Failure> {
    let session = client.session_for(id)?;
    let (broker, out) = client.broker_and_output()?;
    let (mut newest, mut shown): (Option<Box<RequestView>>, String) = (None, String::new());
    let watched = broker.watch(&session, id, |tick| {
        let is_change = matches!(tick, Tick::View(_));
        if let Tick::View(view) = tick {
            if view.state() != State::Pending {
                return Flow::Done(End::Settled(view));
            }
            newest = Some(view);
        }
        if let Some(view) = newest.as_deref() {
            show(out, view, is_change, &mut shown);
        }
        if is_over() { Flow::Done(End::Deadline) } else { Flow::On }
    });
    Ok(watched?)
}

/// On a terminal the line lives; elsewhere there is one line per change of who said yes.
fn show(out: &mut Output, view: &RequestView, is_change: bool, shown: &mut String) {
    let who: Vec<String> =
        view.stages.iter().flat_map(|stage| &stage.given).map(|given| given.by.clone()).collect();
    let key = format!("{:?} {} {}", view.state(), who.join(","), telling(view));
    if out.is_live() || (is_change && key != *shown) {
        out.progress(&progress(view, clock::now()));
        *shown = key;
    }
}

fn tell(client: &mut Client<'_>, id: RequestId, end: End) -> Result<Exit, Failure> {
    match end {
        End::Settled(view) => {
            let exit = exit_of(&view);
            if exit != Exit::Done {
                client.out.result("", &to_json(&view))?;
            }
            client.out.say(&if exit == Exit::Done {
                "approved by everybody it needs".to_owned()
            } else {
                format!("{id} is over: {}", ending(&view))
            });
            Ok(exit)
        }
        End::Deadline => {
            client.out.result("", &json!({"id": id.to_string(), "state": "pending"}))?;
            client
                .out
                .say(&format!("still pending; it stays open: breakglass collect {id} --wait"));
            Ok(Exit::Pending)
        }
    }
}

fn nap() {
    #[expect(clippy::disallowed_methods, reason = "a person waits; there is no clock to advance")]
    std::thread::sleep(NAP);
}

/// Between two attempts to reach a broker again.
const NAP: Duration = Duration::from_secs(1);

/// A broker that is away this long is not restarting.
const GIVE_UP_AFTER: Duration = Duration::from_secs(120);
