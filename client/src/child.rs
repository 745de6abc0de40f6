//! A program run with a credential: it has our streams, signals reach it, and its end is ours.
//!
//! We stay beside it, because what it was lent has to be given back afterwards. So what would end
//! us while it runs is passed on to it instead, and only its own end counts.

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal as Arrivals, SignalKind, signal};

use crate::failure::{Exit, Failure};

/// Runs `command` to its end and answers with which code it ended; for one that a signal ended
/// 128 and the signal's number, as shells say it. `each_second` is called about once a second.
///
/// Signals that a terminal sends reach the program by themselves; with `is_at_terminal` those are
/// not passed on, or it would have them twice.
///
/// # Errors
///
/// [`Failure`] with code 127 if there is no such program and 126 if it cannot be run, as env(1).
pub fn run(
    command: Command,
    is_at_terminal: bool,
    mut each_second: impl FnMut(),
) -> Result<u8, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let runtime = runtime().map_err(|error| fault(&error))?;
    runtime.block_on(async {
        // Listened for before there is a program, so that none gets lost between.
        let mut signals = Signals::listen(is_at_terminal).map_err(|error| fault(&error))?;
        let mut child =
            tokio::process::Command::from(command).spawn().map_err(|e| not_run(&name, &e))?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        loop {
            tokio::select! {
                status = child.wait() => return status.map(code).map_err(|error| fault(&error)),
                passed_on = signals.next() => if let (Some(pid), Some(passed_on)) = (pid, passed_on) {
                    // It has ended already: then there is nobody to tell.
                    let _ = kill_process(pid, passed_on);
                },
                () = tokio::time::sleep(SECOND) => each_second(),
            }
        }
    })
}

/// Makes an interrupt end this process again, with `code`, once [`run`] has listened for it.
///
/// # Errors
///
/// [`Failure`] if the system does not let us.
pub fn end_on_interrupt(code: u8) -> Result<(), Failure> {
    let runtime = runtime().map_err(|error| fault(&error))?;
    let mut signals =
        runtime.block_on(async { Signals::listen(false) }).map_err(|error| fault(&error))?;
    std::thread::spawn(move || {
        runtime.block_on(signals.next());
        std::process::exit(code.into())
    });
    Ok(())
}

/// Makes a signal that would end this process do `last` first, for at most a second, and then end it
/// with 128 and the signal's number, as shells say it.
///
/// # Errors
///
/// [`std::io::Error`] if the system does not let us.
pub fn end_on_signal(last: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let runtime = runtime()?;
    let mut signals = runtime.block_on(async { Signals::listen(false) })?;
    std::thread::spawn(move || {
        let number = runtime.block_on(signals.next()).map_or(0, Signal::as_raw);
        let (done, finished) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            last();
            // Nobody waits any more: then it took too long.
            let _ = done.send(());
        });
        // On a terminal that takes nothing more it would never be done.
        let _ = finished.recv_timeout(SECOND);
        std::process::exit(number.saturating_add(SIGNALLED))
    });
    Ok(())
}

/// The signals that would end us.
struct Signals {
    interrupt: Arrivals,
    quit: Arrivals,
    terminate: Arrivals,
    hang_up: Arrivals,
    is_at_terminal: bool,
}

impl Signals {
    fn listen(is_at_terminal: bool) -> std::io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            is_at_terminal,
        })
    }

    /// The next one, if it is to be passed on.
    async fn next(&mut self) -> Option<Signal> {
        let from_keys = |signal| if self.is_at_terminal { None } else { Some(signal) };
        tokio::select! {
            _ = self.interrupt.recv() => from_keys(Signal::INT),
            _ = self.quit.recv() => from_keys(Signal::QUIT),
            _ = self.terminate.recv() => Some(Signal::TERM),
            _ = self.hang_up.recv() => Some(Signal::HUP),
        }
    }
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn code(status: ExitStatus) -> u8 {
    let signal = || status.signal().map(|signal| signal.saturating_add(SIGNALLED));
    status.code().or_else(signal).and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

fn not_run(name: &str, error: &std::io::Error) -> Failure {
    let code = if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { NOT_EXECUTABLE };
    let what = format!("cannot run `{name}`: {error}");
    Failure::new(Exit::Child(code), what, "the credential was not used", "check the command")
}

fn fault(error: &std::io::Error) -> Failure {
    Failure::new(Exit::Internal, format!("cannot stand beside a program: {error}"), "", "")
}

/// How often the caller is asked whether there is something to say.
const SECOND: Duration = Duration::from_secs(1);

/// What shells add to a signal's number (POSIX XCU 2.8.2: above 128).
const SIGNALLED: i32 = 128;

/// POSIX XCU, `env`: the utility could not be found.
const NOT_FOUND: u8 = 127;

/// POSIX XCU, `env`: it was found and could not be invoked.
const NOT_EXECUTABLE: u8 = 126;

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn the_programs_code_is_answered_and_a_signal_as_shells_say_it() {
        assert_eq!(run(shell("exit 0"), false, || {}).unwrap(), 0);
        assert_eq!(run(shell("exit 42"), false, || {}).unwrap(), 42);
        assert_eq!(run(shell("exit 255"), false, || {}).unwrap(), 255);
        assert_eq!(run(shell("kill -TERM $$"), false, || {}).unwrap(), 128 + 15);
    }

    #[test]
    fn what_is_not_there_or_not_a_program_ends_as_with_env() {
        let missing = run(Command::new("/nowhere/at all"), false, || {}).unwrap_err();
        assert_eq!(missing.exit().code(), 127);
        let folder = run(Command::new("/tmp"), false, || {}).unwrap_err();
        assert_eq!(folder.exit().code(), 126);
    }

    #[test]
    fn somebody_is_asked_each_second_while_it_runs() {
        let mut asked = 0;
        run(shell("sleep 2.5"), false, || asked += 1).unwrap();
        assert!((1..=2).contains(&asked), "{asked}");
    }
}
