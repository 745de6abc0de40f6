//! Another program, asked something: no shell, a limit on its time and on what it says.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Most bytes of an answer: 16,384 sessions of some 250 bytes.
const ANSWER_MAX: u64 = 4 * 1024 * 1024;

/// Most characters of what a program says when something is wrong.
const SAID_MAX: usize = 300;

/// How often it is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(2);

/// For what it said to arrive, once it has ended.
const DRAIN: Duration = Duration::from_secs(1);

/// What a program said, and how it ended.
#[derive(Debug)]
pub(super) struct Said {
    /// `None` if a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

/// What `command` says, if it ends within this time, well or not.
///
/// # Errors
///
/// A sentence on what is wrong.
pub(super) fn ask(mut command: Command, within: Duration) -> Result<Said, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = quiet.spawn().map_err(|error| format!("`{name}` cannot be run: {error}"))?;
    let (out, err) = (heard(child.stdout.take()), heard(child.stderr.take()));
    let code = wait(&mut child, within).map_err(|why| format!("`{name}` {why}"))?;
    let said = |from: Receiver<String>| from.recv_timeout(DRAIN).unwrap_or_default();
    Ok(Said { code, out: said(out), err: said(err) })
}

/// What `command` prints, if it ends well within this time.
///
/// # Errors
///
/// A sentence on what is wrong, with the program's own words where there are any.
pub(super) fn answer(command: Command, within: Duration) -> Result<String, String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let Said { code, out, err } = ask(command, within)?;
    if code == Some(0) {
        return Ok(out);
    }
    let words: String = err.split_whitespace().collect::<Vec<_>>().join(" ");
    Err(format!("`{name}` failed: {}", words.chars().take(SAID_MAX).collect::<String>()))
}

fn wait(child: &mut Child, within: Duration) -> Result<Option<i32>, String> {
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.code()),
            Ok(None) if begun.elapsed() < within => std::thread::park_timeout(LOOK),
            Ok(None) => {
                // It ends in between: then there is nothing to end.
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("has not ended within {} s", within.as_secs()));
            }
            Err(error) => return Err(format!("is lost: {error}")),
        }
    }
}

/// What comes out of a pipe, read beside us: a program that meets a full pipe would never end.
fn heard(pipe: Option<impl Read + Send + 'static>) -> Receiver<String> {
    let (hand, heard) = channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            // What came until then is what there is.
            let _ = pipe.take(ANSWER_MAX).read_to_end(&mut bytes);
        }
        let _ = hand.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    heard
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, within: u64) -> Result<String, String> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        answer(command, Duration::from_millis(within))
    }

    #[test]
    fn a_program_answers_in_time_or_says_what_is_wrong() {
        assert_eq!(shell("echo in", 5000), Ok("in\n".to_owned()));
        assert_eq!(
            shell("echo 'no such role' >&2; exit 2", 5000).unwrap_err(),
            "`sh` failed: no such role"
        );
        assert!(shell("exec sleep 60", 100).unwrap_err().contains("has not ended"));
        let none = answer(Command::new("/nowhere/psql"), Duration::from_secs(1));
        assert!(none.unwrap_err().contains("cannot be run"));
    }
}
