//! Sends what waits to be reported, whenever a broker is there. A thread of its own: the list must not
//! wait for a broker that does not answer.

use std::sync::mpsc::Sender;
use std::time::Duration;

use breakglass_ledger::principal::TargetId;
use breakglass_ledger::statement::{self, Act, List, Maybe, Serial, Use};
use breakglass_ledger::time::Timestamp;

use super::config::HostConfig;
use super::reports::{Report, Reports};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::output::{Format, Output};

/// Longest wait for an answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Rest after a broker was not there: the first, and the longest.
const REST: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(500)..=Duration::from_secs(15);

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
        std::thread::park_timeout(rest);
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
        let Some(report) = reports.next(Duration::from_secs(60)) else { continue };
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
