//! Sends what waits to be reported, whenever a broker is there. A thread of its own: the list must not
//! wait for a broker that does not answer.
//!
//! All hosts get a new list in the same moment, and behind one gateway they share what the broker allows
//! one address. So each draws when it reports, first and again after it was turned away, and holds no
//! connection while it has nothing to say.

use std::ops::RangeInclusive;
use std::sync::mpsc::Sender;
use std::time::Duration;

use breakglass_ledger::principal::TargetId;
use breakglass_ledger::statement::{self, Act, List, Maybe, Serial, Use};
use breakglass_ledger::time::Timestamp;

use super::config::HostConfig;
use super::reports::{Report, Reports};
use crate::client::Client;
use crate::entropy;
use crate::failure::{Exit, Failure};
use crate::output::{Format, Output};

/// Longest wait for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Rest after a broker was not there: the first, and the longest.
const REST: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(15);

/// From a list's being in force to its being tried, and from something's being there to report to its
/// being sent. The least is what a list needs to reach everybody: nothing else is in its way. The rest
/// spreads a hundred hosts so that each finds the broker free.
pub(super) const PAUSE: RangeInclusive<Duration> =
    Duration::from_millis(300)..=Duration::from_millis(1000);

/// A connection that was not needed for so long is given up: the broker has seats for 128 of one
/// address, and lets in 20 new ones a second, which so long a rest does not hold up.
const IDLE: Duration = Duration::from_secs(5);

/// How long is waited for something to report, once there is no connection.
const QUIET: Duration = Duration::from_secs(60);

/// Of what is reported.
#[derive(Clone, Debug)]
pub(super) struct About {
    /// The server that lets people in.
    pub(super) target: TargetId,
    /// The list that it goes by.
    pub(super) list: List,
}

/// Starts a thread that sends for ever; what is to be said to whoever runs the agent goes to `told`.
///
/// # Errors
///
/// [`Failure`] if there can be no more threads.
pub(super) fn start(
    config: &HostConfig,
    about: About,
    reports: &Reports,
    told: &Sender<String>,
) -> Result<(), Failure> {
    let (config, reports, told) = (config.clone(), reports.clone(), told.clone());
    std::thread::Builder::new()
        .name("reporter".into())
        .spawn(move || run(&config, &about, &reports, &told))
        .map(drop)
        .map_err(|error| Failure::new(Exit::Internal, error.to_string(), "", ""))
}

fn run(config: &HostConfig, about: &About, reports: &Reports, told: &Sender<String>) {
    let mut rest = *REST.start();
    let mut was_away = false;
    loop {
        let mut out = Output::of_process(Format::Json);
        let sent = send_all(config, about, reports, told, &mut out, &mut was_away, &mut rest);
        let Err(failure) = sent else { continue };
        if !was_away {
            was_away = true;
            let waiting = reports.waiting();
            let said = format!("cannot report, {waiting} waiting: {failure}");
            // Nobody listens any more: the agent has ended, and so does the process.
            let _ = told.send(said);
        }
        std::thread::park_timeout(drawn(&(rest.checked_div(2).unwrap_or(rest)..=rest)));
        rest = rest.saturating_mul(2).min(*REST.end());
    }
}

/// Sends until something is in the way.
fn send_all(
    config: &HostConfig,
    about: &About,
    reports: &Reports,
    told: &Sender<String>,
    out: &mut Output,
    was_away: &mut bool,
    rest: &mut Duration,
) -> Result<(), Failure> {
    let mut client = Client::open(config.client.clone(), ANSWER_WITHIN, true, out)?;
    loop {
        let Some(report) = next(reports, &mut client) else { continue };
        let Some(act) = act(config, about, &report) else {
            reports.done(&report);
            continue;
        };
        match client.act(act, None) {
            Ok(_) => {
                if std::mem::take(was_away) {
                    let _ = told.send("reporting works again".to_owned());
                }
                *rest = *REST.start();
            }
            // Refused for good: sent again, it would be again.
            Err(failure) if failure.rule().is_some() => {
                let _ = told.send(format!("a report was refused: {failure}"));
            }
            Err(failure) => return Err(failure),
        }
        reports.done(&report);
    }
}

/// What is to be sent now, if anything is. Whoever waits for something to send pauses when it is there, and
/// gives the connection up if nothing comes.
fn next(reports: &Reports, client: &mut Client<'_>) -> Option<Report> {
    let more = reports.next(Duration::ZERO);
    if matches!(more, Some(Report::Used(_))) {
        return more;
    }
    if reports.next(IDLE).is_none() {
        client.hang_up();
        reports.next(QUIET)?;
    }
    std::thread::park_timeout(drawn(&PAUSE));
    // By now a newer list may be in force, and only that is reported.
    reports.next(Duration::ZERO)
}

/// The act that says so; `None` if what was kept on disk says nothing.
fn act(config: &HostConfig, about: &About, report: &Report) -> Option<Act> {
    let (by, target) = (config.by.clone(), about.target.clone());
    Some(match report {
        Report::Applied(applied) => Act::Applied(statement::Applied {
            by,
            target,
            list: about.list,
            version: applied.version,
            digest: applied.digest.parse().ok()?,
            canary: applied.canary.parse().ok()?,
            latency: Maybe(Some(applied.latency)),
            ended: Maybe(Some(applied.ended)),
        }),
        Report::Used(used) => Act::Use(Use {
            by,
            target,
            serial: Serial(used.serial),
            at: Timestamp::from_unix_seconds(used.at),
        }),
    })
}

/// A time of this range, by chance; the longest if there is none to be had.
pub(super) fn drawn(range: &RangeInclusive<Duration>) -> Duration {
    let spread = range.end().saturating_sub(*range.start());
    let chance = entropy::bytes().map_or(u32::MAX, u32::from_be_bytes);
    range.start().saturating_add(spread.mul_f64(f64::from(chance) / f64::from(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_of_its_range_and_not_the_same_for_all() {
        let drawn: Vec<Duration> = (0..64).map(|_| drawn(&PAUSE)).collect();
        assert!(drawn.iter().all(|one| PAUSE.contains(one)));
        let (least, most) = (drawn.iter().min().unwrap(), drawn.iter().max().unwrap());
        assert!(*most > least.saturating_add(Duration::from_millis(200)), "{drawn:?}");
    }
}
