//! A real terminal, driven by keys and read from its screen: tmux.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::wait::{SOON, nap};

/// A tmux server of its own with one window. Ended when dropped.
pub struct Terminal {
    dir: tempfile::TempDir,
}

impl Terminal {
    /// Runs `command` (program, arguments, environment, directory) in a new terminal of this many
    /// columns and rows. When it has ended the screen says with which code, and how the terminal was
    /// left.
    ///
    /// # Panics
    ///
    /// Panics if tmux does not start.
    #[must_use]
    pub fn of(command: &Command, (columns, rows): (u16, u16)) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let script = dir.path().join("script");
        let mut text = String::from("cd ");
        text.push_str(&quoted(&command.get_current_dir().expect("named").to_string_lossy()));
        // As `env_clear` would leave it, but for what a terminal says of itself.
        text.push_str("\nenv -i TERM=\"$TERM\"");
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                text.push(' ');
                text.push_str(&quoted(&format!(
                    "{}={}",
                    name.to_string_lossy(),
                    value.to_string_lossy()
                )));
            }
        }
        for word in [command.get_program()].into_iter().chain(command.get_args()) {
            text.push(' ');
            text.push_str(&quoted(&word.to_string_lossy()));
        }
        text.push_str(
            "\necho \"ended with $?\"\nstty -a | grep -ow -e '-*echo' -e '-*icanon'\nsleep 600\n",
        );
        std::fs::write(&script, text).expect("a script");
        let terminal = Self { dir };
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let script = script.to_string_lossy().into_owned();
        terminal.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-s",
            "w",
            "-x",
            &columns,
            "-y",
            &rows,
            "sh",
            &script,
        ]);
        terminal
    }

    /// What stands on the screen, as text.
    #[must_use]
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-t", "w"])
    }

    /// Presses keys, each named as tmux names it (`Enter`, `Down`, `C-c`) or a character.
    pub fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys", "-t", "w"], keys].concat());
    }

    /// Sends `signal` (`TERM`, `HUP`) to the program, from outside.
    ///
    /// # Panics
    ///
    /// Panics if there is no such program any more.
    pub fn signal(&self, signal: &str) {
        let shell = self.tmux(&["display-message", "-p", "-t", "w", "#{pane_pid}"]);
        let shell = shell.trim();
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"));
        let children = children.expect("the shell runs");
        let program = children.split_whitespace().next().expect("and the program in it");
        let sent = Command::new("kill").args(["-s", signal, program]).status();
        assert!(sent.expect("kill runs").success(), "{program} is there");
    }

    /// Waits until the screen has every one of `parts`; answers the screen.
    ///
    /// # Panics
    ///
    /// Panics with the last screen if it never has.
    #[must_use]
    pub fn shows(&self, parts: &[&str]) -> String {
        self.comes_to(&format!("{parts:?}"), |screen| {
            parts.iter().all(|part| screen.contains(part))
        })
    }

    /// Waits until the screen `is_so`; answers it.
    ///
    /// # Panics
    ///
    /// Panics with the last screen if it never is.
    #[must_use]
    pub fn comes_to(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(begun.elapsed() < SOON, "the screen never shows {what}:\n{screen}");
            nap();
        }
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(self.socket()).args(arguments).env_remove("TMUX");
        let output = command.output().expect("tmux");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "tmux {arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let mut command = Command::new("tmux");
        let _ = command.arg("-S").arg(self.socket()).arg("kill-server").output();
    }
}

/// `word` for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
