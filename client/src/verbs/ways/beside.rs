//! Beside a running program: the end of the grant is announced, and at the end it is given back.

use std::process::Command;

use breakglass_ledger::time::Timestamp;

use super::live::Live;
use crate::child;
use crate::cli::ways::Afterwards;
use crate::client::Client;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::output::{Output, short_duration};
use crate::verbs::{acts, told};

/// Runs `command` with `live`, and answers with the program's own code.
///
/// # Errors
///
/// [`Failure`] if it could not be run; or it did well, and giving back what it used failed.
pub(super) fn beside(
    client: &mut Client<'_>,
    live: &Live,
    command: Command,
    afterwards: Afterwards,
) -> Result<Exit, Failure> {
    let now = clock::now();
    let ends = told(live.expires_at, now);
    client.out.say(&format!("{} of {} for {} ends {ends}", live.id, live.ask.by, live.ask.scope));
    let mut countdown = Countdown::new(live.expires_at, now);
    let is_at_terminal = client.out.may_ask();
    let out = &mut *client.out;
    let code = child::run(command, is_at_terminal, || countdown.tell(out, clock::now()))?;
    let given_back = give_back(client, live, afterwards, code);
    match given_back {
        Err(failure) if code == 0 => Err(failure),
        Err(failure) => {
            client.out.failure(&failure);
            Ok(Exit::Child(code))
        }
        Ok(()) => Ok(Exit::Child(code)),
    }
}

fn give_back(
    client: &mut Client<'_>,
    live: &Live,
    afterwards: Afterwards,
    code: u8,
) -> Result<(), Failure> {
    // At the end there is nothing to give back: the broker's clock has taken it.
    if afterwards.keep || clock::now() >= live.expires_at {
        return Ok(());
    }
    if !afterwards.drop && !client.yes {
        let keep = format!("{} stays; give it back with: breakglass drop {}", live.id, live.id);
        if !client.out.may_ask() {
            client.out.say(&keep);
            return Ok(());
        }
        child::end_on_interrupt(code)?;
        if !client.out.ask(&format!("give {} back now?", live.id))? {
            client.out.say(&keep);
            return Ok(());
        }
    }
    acts::hand_back(client, live.id, None, |_, _| Ok(Exit::Done)).map(drop)
}

/// What is left to say about the end.
struct Countdown {
    ends: Timestamp,
    left: Vec<u64>,
}

impl Countdown {
    fn new(ends: Timestamp, now: Timestamp) -> Self {
        let left = ends.since(now);
        Self { ends, left: WARNINGS.into_iter().filter(|warning| *warning < left).collect() }
    }

    /// Says what is due. One line, even if the machine slept over several.
    fn tell(&mut self, out: &mut Output, now: Timestamp) {
        let left = self.ends.since(now);
        let due = self.left.iter().filter(|warning| left <= **warning).count();
        if due == 0 {
            return;
        }
        self.left.drain(..due);
        out.interrupt(&if left == 0 {
            "breakglass: the grant has ended; sessions that are open may be closed".to_owned()
        } else {
            format!(
                "breakglass: the grant ends in {}; then nothing new opens",
                short_duration(left)
            )
        });
    }
}

/// Seconds before the end at which something is said.
const WARNINGS: [u64; 3] = [300, 60, 0];

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: u64) -> Timestamp {
        Timestamp::from_unix_seconds(second)
    }

    /// How many warnings are left to say after each of `seconds`.
    fn left(ends: u64, from: u64, seconds: &[u64]) -> Vec<usize> {
        let format = crate::output::Format::Text;
        let sink = || Box::new(std::io::sink());
        let mut out = Output::to_streams(format, sink(), sink());
        let mut countdown = Countdown::new(at(ends), at(from));
        let mut tell = |second: &u64| {
            countdown.tell(&mut out, at(*second));
            countdown.left.len()
        };
        seconds.iter().map(&mut tell).collect()
    }

    #[test]
    fn the_end_is_announced_five_minutes_and_one_minute_before_and_when_it_is_there() {
        assert_eq!(
            left(1000, 0, &[1, 699, 700, 701, 940, 999, 1000, 1001]),
            [3, 3, 2, 2, 1, 1, 0, 0]
        );
    }

    #[test]
    fn what_the_first_line_said_is_not_said_again() {
        assert_eq!(left(1000, 800, &[801]), [2]);
        assert_eq!(left(1000, 950, &[951]), [1]);
    }

    #[test]
    fn a_machine_that_slept_says_it_once() {
        assert_eq!(left(1000, 0, &[1, 5000]), [3, 0]);
    }
}
