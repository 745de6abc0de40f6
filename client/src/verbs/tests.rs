use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use clap::ValueEnum;

use super::*;
use crate::output::Format;

/// A stream whose text can be had afterwards.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What `say` prints on stdout.
fn printed(say: impl FnOnce(&mut Output) -> Result<Exit, Failure>) -> String {
    let (kept, prose) = (Kept::default(), Box::new(Kept::default()));
    let mut out = Output::to_streams(Format::Text, Box::new(kept.clone()), prose);
    say(&mut out).unwrap();
    let bytes = kept.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn completions_know_every_verb_in_every_shell_and_bash_loads_them() {
    let verbs = Cli::command();
    for shell in clap_complete::Shell::value_variants() {
        let script = printed(|out| completions(*shell, out));
        for verb in verbs.get_subcommands() {
            assert!(script.contains(verb.get_name()), "{shell}: {}", verb.get_name());
        }
    }
    let script = printed(|out| completions(clap_complete::Shell::Bash, out));
    let mut bash = Command::new("bash");
    let bash = bash.args(["-c", "set -e; . /dev/stdin; complete -p breakglass"]);
    let mut bash = bash.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
}

#[test]
fn manual_pages_are_plain_roff_and_describe_the_flags_that_only_short_help_leaves_out() {
    for verb in [vec![], vec!["approve"], vec!["audit", "verify"]] {
        let verb: Vec<String> = verb.into_iter().map(ToOwned::to_owned).collect();
        let page = printed(|out| manual(&verb, out));
        assert!(page.is_ascii(), "{verb:?}: {:?}", page.chars().find(|c| !c.is_ascii()));
        assert!(page.contains("several are tried at once"), "{verb:?}: --broker is described");
        assert!(page.contains(SOURCE), "{verb:?}");
    }
}
