//! Where words go: what scripts need alone on stdout, prose on stderr.
//!
//! Everything a verb says passes here, so that `-o json`, `NO_COLOR` and "is this a terminal?" are
//! decided once.

mod table;
mod words;

use std::io::{IsTerminal, Write};

pub use table::Table;
pub use words::{clean, duration, parse_duration, short_duration, when};

use crate::failure::{Exit, Failure};

/// How results are printed on stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people, and the simplest scripts.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// The two streams of a command and what is known about them.
pub struct Output {
    format: Format,
    stdout: Box<dyn Write>,
    stderr: Box<dyn Write>,
    is_colour: bool,
    is_terminal: bool,
    may_ask: bool,
    line_is_open: bool,
}

impl Output {
    /// The process's own streams. Colour only where stderr is a terminal, `NO_COLOR` is not set
    /// (<https://no-color.org>) and the terminal is not `dumb`.
    #[must_use]
    pub fn of_process(format: Format) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self {
            format,
            stdout: Box::new(std::io::stdout()),
            stderr: Box::new(std::io::stderr()),
            is_colour: is_terminal && !no_colour && !is_dumb,
            is_terminal: is_terminal && !is_dumb,
            may_ask: is_terminal && std::io::stdin().is_terminal(),
            line_is_open: false,
        }
    }

    /// Two given streams that are no terminal. For tests and for steps inside `demo`.
    #[must_use]
    pub fn to_streams(format: Format, stdout: Box<dyn Write>, stderr: Box<dyn Write>) -> Self {
        Self {
            format,
            stdout,
            stderr,
            is_colour: false,
            is_terminal: false,
            may_ask: false,
            line_is_open: false,
        }
    }

    /// How results are printed.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Prints a result: `text` as it is, or `json` on one line.
    ///
    /// # Errors
    ///
    /// [`Failure`] if stdout cannot be written; a result that nobody got was not delivered.
    pub fn result(&mut self, text: &str, json: &serde_json::Value) -> Result<(), Failure> {
        self.close_line();
        let written = match self.format {
            Format::Text if text.is_empty() => Ok(()),
            Format::Text => writeln!(self.stdout, "{}", safe(text.trim_end_matches('\n'))),
            Format::Json => writeln!(self.stdout, "{json}"),
        };
        written.and_then(|()| self.stdout.flush()).map_err(|error| {
            Failure::new(Exit::Internal, format!("cannot write to stdout: {error}"), "", "")
        })
    }

    /// Prose on stderr, made safe to show: much of it was said by somebody else. A failing stderr
    /// is ignored: there is nowhere left to say so.
    pub fn say(&mut self, text: &str) {
        self.line(&safe(text));
    }

    /// The same, in bold where colour is allowed.
    pub fn say_strong(&mut self, text: &str) {
        let text = self.strong(&safe(text));
        self.line(&text);
    }

    /// The same, in green where colour is allowed.
    pub fn say_good(&mut self, text: &str) {
        let text = self.good(&safe(text));
        self.line(&text);
    }

    /// Progress: on a terminal one line that is rewritten, elsewhere a line of its own.
    pub fn progress(&mut self, text: &str) {
        let text = clean(text);
        if self.is_terminal {
            // ECMA-48: back to column one, and erase to the end of the line.
            let _ = write!(self.stderr, "\r\u{1b}[K{text}");
            let _ = self.stderr.flush();
            self.line_is_open = true;
        } else {
            let _ = writeln!(self.stderr, "{text}");
        }
    }

    /// Whether progress lines are rewritten in place.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.is_terminal
    }

    /// `text` in bold where colour is allowed.
    #[must_use]
    pub fn strong(&self, text: &str) -> String {
        self.paint("1", text)
    }

    /// `text` in red where colour is allowed.
    #[must_use]
    pub fn alarm(&self, text: &str) -> String {
        self.paint("31", text)
    }

    /// `text` in green where colour is allowed.
    #[must_use]
    pub fn good(&self, text: &str) -> String {
        self.paint("32", text)
    }

    /// A failure, on stderr; under `-o json` as one JSON object.
    pub fn failure(&mut self, failure: &Failure) {
        match self.format {
            Format::Text => {
                let words = safe(&failure.to_string());
                self.line(&format!("{} {words}", self.alarm("breakglass:")));
            }
            Format::Json => self.line(&failure.to_json().to_string()),
        }
    }

    /// Asks a yes-or-no question. Only a terminal is asked, and only `y` or `yes` is a yes.
    ///
    /// # Errors
    ///
    /// [`Failure`] with [`Exit::Usage`] where there is no terminal, naming `--yes`.
    pub fn ask(&mut self, question: &str) -> Result<bool, Failure> {
        if !self.may_ask {
            return Err(Failure::usage(
                "a yes is needed and there is no terminal to ask on",
                "read the text above, then run the same with --yes",
            ));
        }
        self.close_line();
        let _ = write!(self.stderr, "{} [y/N] ", self.strong(question));
        let _ = self.stderr.flush();
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).map_err(|error| {
            Failure::new(Exit::Internal, format!("cannot read the answer: {error}"), "", "")
        })?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.is_colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn line(&mut self, text: &str) {
        self.close_line();
        let _ = writeln!(self.stderr, "{text}");
    }

    fn close_line(&mut self) {
        if std::mem::take(&mut self.line_is_open) {
            let _ = writeln!(self.stderr);
        }
    }
}

/// [`clean`], line by line.
fn safe(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
