//! Running a document: its commands in order, in one shell, in an empty directory, with the real
//! programs; then what it says they print is compared with what they printed.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::daemon::program;
use crate::paper::{Paper, Step, What, missing};

/// A place to run a document in: an empty directory, and nothing of this user's own settings.
pub struct Rehearsal {
    dir: tempfile::TempDir,
    path: Vec<PathBuf>,
    variables: Vec<(String, OsString)>,
}

impl Rehearsal {
    /// An empty place, with the programs of this build first in `PATH`.
    ///
    /// # Panics
    ///
    /// Panics if the programs are not built.
    #[must_use]
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join(HOME)).expect("a home");
        fs::create_dir(dir.path().join(OUTPUTS)).expect("a directory");
        Self { dir, path: vec![programs()], variables: Vec::new() }
    }

    /// The directory that commands run in.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Sets a variable for all commands.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.variables.push((name.to_owned(), value.into()));
    }

    /// Puts a program of the test in front of those of this machine.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be written.
    pub fn program(&mut self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = self.dir().join("programs");
        fs::create_dir_all(&folder).expect("a directory");
        fs::write(folder.join(name), script).expect("written");
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.join(name), mode).expect("executable");
        self.path.push(folder);
    }

    /// Runs `paper` to its end.
    ///
    /// # Errors
    ///
    /// Everything that is not as the document says, each with its line; after a command that ended
    /// otherwise than it should, nothing further was tried.
    pub fn run(&self, paper: &Paper) -> Result<(), Vec<String>> {
        fs::write(self.dir().join(SCRIPT), script(paper)).expect("written");
        let mut path: Vec<PathBuf> = self.path.clone();
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let mut shell = Command::new("bash");
        shell.arg(SCRIPT).current_dir(self.dir()).env_clear().stdin(Stdio::null());
        shell.env("PATH", std::env::join_paths(path).expect("a path"));
        shell.env("HOME", self.dir().join(HOME)).env("LANG", "C.UTF-8").env("TZ", "UTC");
        shell.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let output = shell.output().expect("bash runs");
        if !output.status.success() {
            return Err(vec![self.stumble(paper, &output)]);
        }
        let faults: Vec<String> = self.differences(paper).collect();
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// What every command printed.
    #[must_use]
    pub fn printed(&self, paper: &Paper) -> String {
        let runs = paper.steps.iter().enumerate().filter(|(_, step)| step.what.prints());
        runs.map(|(number, _)| self.output(number)).collect()
    }

    fn stumble(&self, paper: &Paper, output: &std::process::Output) -> String {
        let at = fs::read_to_string(self.dir().join(AT)).unwrap_or_default();
        let at: usize = at.trim().parse().unwrap_or_default();
        let stderr = String::from_utf8_lossy(&output.stderr);
        let Some(Step { line, text, .. }) = paper.steps.get(at) else { return stderr.into_owned() };
        format!(
            "line {line}: this did not go as it should ({}):\n{text}\nIt printed:\n{}{stderr}",
            output.status,
            self.output(at),
        )
    }

    fn differences<'a>(&'a self, paper: &'a Paper) -> impl Iterator<Item = String> {
        let pairs = paper.steps.iter().enumerate().zip(paper.steps.iter().skip(1));
        let quoted = pairs.filter(|(_, next)| next.what == What::Output);
        quoted.filter_map(|((number, _), Step { line, text, .. })| {
            let printed = self.output(number);
            let missing = missing(text, &printed)?;
            Some(format!("line {line}: not printed: {missing}\nbut:\n{printed}"))
        })
    }

    fn output(&self, number: usize) -> String {
        fs::read_to_string(self.dir().join(OUTPUTS).join(number.to_string())).unwrap_or_default()
    }
}

impl Default for Rehearsal {
    fn default() -> Self {
        Self::new()
    }
}

/// The folder of this build's programs.
///
/// # Panics
///
/// Panics if they are not built.
#[must_use]
pub fn programs() -> PathBuf {
    let client = program("breakglass");
    let folder = client.parent().expect("a folder");
    assert_eq!(program("breakglassd").parent(), Some(folder), "programs of two builds");
    folder.to_owned()
}

/// All steps as one script, so that what one block sets the next one knows.
fn script(paper: &Paper) -> String {
    let mut script = BEGIN.to_owned();
    for (number, Step { what, text, .. }) in paper.steps.iter().enumerate() {
        let to = format!(">\"$REHEARSAL/{OUTPUTS}/{number}\" 2>&1");
        let text = text.trim_end();
        let part = match what {
            What::Set => text.to_owned(),
            What::Run { exit: 0 } => format!("{{\n{text}\n}} {to}"),
            // Not `( … ) || …`: there the shell would not stop at a failing command inside.
            What::Run { exit } => format!(
                "set +e\n(\nset -e\n{text}\n) {to}\nREHEARSAL_EXIT=$?\nset -e\n\
                 [ $REHEARSAL_EXIT = {exit} ] || {{ echo \"exit code $REHEARSAL_EXIT\" >&2; exit 1; }}"
            ),
            What::Serve => format!("{text} {to} &\nserves $! \"$REHEARSAL/{OUTPUTS}/{number}\""),
            What::Aside { who } if who.is_empty() => format!("{{\n{text}\n}} {to}"),
            What::Aside { who } => format!(
                "REHEARSAL_READER=$BREAKGLASS_CONFIG\nBREAKGLASS_CONFIG=$DIR/config/{who}.toml\n\
                 {{\n{text}\n}} {to}\nBREAKGLASS_CONFIG=$REHEARSAL_READER"
            ),
            What::Output => continue,
        };
        // Writing to a String cannot fail.
        let _ = writeln!(script, "echo {number} >\"$REHEARSAL/{AT}\"\n{part}");
    }
    script
}

/// What every script begins with. A command that serves says so; until then nothing goes on.
const BEGIN: &str = r#"set -eu
REHEARSAL=$PWD
REHEARSAL_SERVING=
trap '[ -z "$REHEARSAL_SERVING" ] || kill $REHEARSAL_SERVING; wait' EXIT
serves() {
  REHEARSAL_SERVING="$REHEARSAL_SERVING $1"
  SERVED=$2
  for _ in $(seq 1200); do
    if grep -qE 'ready|serving' "$2"; then return 0; fi
    kill -0 "$1" || return 1
    sleep 0.05
  done
  return 1
}
"#;

/// Files and folders of a rehearsal, beside what its commands make.
const SCRIPT: &str = ".script";
const AT: &str = ".at";
const OUTPUTS: &str = ".outputs";
const HOME: &str = ".home";

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> Result<(), Vec<String>> {
        // The shell alone is tried here, so the programs need not be built.
        let dir = tempfile::tempdir().unwrap();
        for folder in [HOME, OUTPUTS] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let place = Rehearsal { dir, path: Vec::new(), variables: Vec::new() };
        place.run(&Paper::read(text).unwrap())
    }

    #[test]
    fn blocks_share_one_shell_and_their_output_is_compared() {
        let text =
            "```sh run\nA=5\n```\n```sh run\necho \"it is $A\"\n```\n```text\nit is 5\n```\n";
        assert_eq!(run(text), Ok(()));
        let faults = run(&text.replace("it is 5", "it is 6")).unwrap_err();
        assert!(faults[0].starts_with("line 7: not printed: it is 6"), "{faults:?}");
    }

    #[test]
    fn a_failing_command_ends_it_wherever_it_stands() {
        for block in ["false\necho on", "echo \"$NOWHERE\"", "cat /nowhere | false", "exit 7"] {
            let faults = run(&format!("# T\n```sh run\n{block}\n```\n")).unwrap_err();
            assert!(faults[0].starts_with("line 2: "), "{faults:?}");
        }
    }

    #[test]
    fn an_exit_code_that_is_promised_has_to_come() {
        assert_eq!(
            run("```sh run exit=3\necho a\n(exit 3)\necho b\n```\n```text\na\n```\n"),
            Ok(())
        );
        assert!(run("```sh run exit=3\ntrue\n```\n").is_err());
        assert!(run("```sh run exit=3\nfalse\n```\n").is_err());
    }

    #[test]
    fn what_does_not_come_to_serve_ends_it() {
        assert!(run("```sh serve\nfalse\n```\n").is_err());
        assert_eq!(run("```sh serve\nbash -c 'echo ready; exec sleep 60'\n```\n"), Ok(()));
    }
}
