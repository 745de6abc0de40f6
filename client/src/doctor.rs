//! What works right now, and what only seems to: of this machine, and of a server that credentials open.
//!
//! Each look answers with findings and changes nothing. What could not be looked at is said to be so,
//! never passed over: a check that was not made is no comfort.

pub mod lists;
pub mod machine;
pub mod nginx;
pub mod postgresql;
pub mod sshd;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::failure::Exit;
use crate::output::Table;

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It does what it should.
    Good,
    /// It was not looked at, and why is said.
    NotTried,
    /// It works, and may not when it is needed.
    Warning,
    /// It does not work, or what it seems to hold back it lets through.
    Fault,
}

impl Standing {
    /// One word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::NotTried => "not-tried",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// One thing looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: a setting, a file, a server block.
    pub about: String,
    /// How it stands.
    pub standing: Standing,
    /// What was found and what follows from it.
    pub said: String,
    /// What to do; empty where nothing is.
    pub remedy: String,
}

impl Finding {
    /// It is as it should be.
    pub fn good(about: impl Into<String>, said: impl Into<String>) -> Self {
        Self::new(about, Standing::Good, said, "")
    }

    /// It could not be looked at.
    pub fn not_tried(about: impl Into<String>, said: impl Into<String>) -> Self {
        Self::new(about, Standing::NotTried, said, "")
    }

    /// It works, for now or for some.
    pub fn warning(
        about: impl Into<String>,
        said: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(about, Standing::Warning, said, remedy)
    }

    /// It does not work, or does not hold.
    pub fn fault(
        about: impl Into<String>,
        said: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(about, Standing::Fault, said, remedy)
    }

    fn new(
        about: impl Into<String>,
        standing: Standing,
        said: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { about: about.into(), standing, said: said.into(), remedy: remedy.into() }
    }
}

/// The findings as a table, what is to be done below it.
#[must_use]
pub fn text(findings: &[Finding], columns: Option<usize>) -> String {
    let mut table = Table::new(&["STANDING", "OF", "FOUND"]);
    for finding in findings {
        let name = finding.standing.name().to_owned();
        table.row(&[name, finding.about.clone(), finding.said.clone()]);
    }
    let mut text = table.render(columns);
    let remedies = findings.iter().filter(|finding| !finding.remedy.is_empty());
    let remedies: Vec<_> =
        remedies.map(|finding| format!("\n  {}: {}", finding.about, finding.remedy)).collect();
    if !remedies.is_empty() {
        text.push_str("\n\nTo do:");
        text.push_str(&remedies.concat());
    }
    text
}

/// The same for scripts.
#[must_use]
pub fn json(findings: &[Finding]) -> Value {
    let rows = findings.iter().map(|finding| {
        json!({
            "of": finding.about,
            "standing": finding.standing.name(),
            "found": finding.said,
            "remedy": finding.remedy,
        })
    });
    json!({ "standing": worst(findings).name(), "findings": rows.collect::<Vec<_>>() })
}

/// [`Exit::Suspect`] if there is a fault. A warning is no reason for a script to stop.
#[must_use]
pub fn exit(findings: &[Finding]) -> Exit {
    if worst(findings) == Standing::Fault { Exit::Suspect } else { Exit::Done }
}

fn worst(findings: &[Finding]) -> Standing {
    findings.iter().map(|finding| finding.standing).max().unwrap_or(Standing::NotTried)
}

/// The program `name`: where it was named to be, else along `PATH` and where servers are kept.
fn program(given: Option<&Path>, name: &str) -> Option<PathBuf> {
    if let Some(given) = given {
        return given.is_file().then(|| given.to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(SERVERS.iter().map(PathBuf::from));
    dirs.map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// What `command` says; nobody types at it. `Err` with what it complained of.
fn said(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(complaint(&output))
}

/// The last lines of what a program complained of, on one line.
fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = lines.get(lines.len().saturating_sub(COMPLAINT_LINES)..).unwrap_or_default();
    if last.is_empty() { output.status.to_string() } else { last.join("; ") }
}

/// Where Debian, Fedora and those who build for themselves keep servers, which a user's `PATH` omits.
const SERVERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/sbin"];

/// Enough of a complaint to know the file and the line.
const COMPLAINT_LINES: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_ends_otherwise_than_a_warning_and_nothing_tried_is_not_good() {
        let warning = Finding::warning("a", "b", "c");
        let fault = Finding::fault("a", "b", "c");
        assert_eq!(exit(&[Finding::good("a", "b"), warning.clone()]), Exit::Done);
        assert_eq!(exit(&[warning, fault, Finding::good("a", "b")]), Exit::Suspect);
        assert_eq!(json(&[]).get("standing"), Some(&json!("not-tried")));
    }

    #[test]
    fn what_is_to_be_done_stands_below_the_table() {
        let text = text(&[Finding::good("x", "fine"), Finding::fault("y", "bad", "mend it")], None);
        assert_eq!(
            text,
            "STANDING  OF  FOUND\ngood      x   fine\nfault     y   bad\n\nTo do:\n  y: mend it"
        );
    }

    #[test]
    fn a_program_that_fails_is_quoted() {
        let mut shell = Command::new("sh");
        let error = said(shell.args(["-c", "echo no such thing >&2; exit 3"])).unwrap_err();
        assert_eq!(error, "no such thing");
        assert!(said(&mut Command::new("/nowhere")).is_err());
    }
}
