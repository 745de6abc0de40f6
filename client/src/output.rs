//! Where words go: what scripts need alone on stdout, prose on stderr.
//!
//! Everything a verb says passes here, so that `-o json`, `NO_COLOR` and "is this a terminal?" are
//! decided once.

mod table;
mod words;
mod wrap;

use std::io::{IsTerminal, Write};

pub use table::Table;
pub use words::{clean, duration, json_text, parse_duration, short_duration, time_of_day, when};
use wrap::wrap;

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
    may_draw: bool,
    /// Width of the terminal that is stderr; `None` where there is none.
    columns: Option<usize>,
    /// The same of stdout.
    result_columns: Option<usize>,
    /// Lines of progress that the cursor stands in the last of.
    open_lines: usize,
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
            may_draw: format == Format::Text
                && !is_dumb
                && is_terminal
                && std::io::stdin().is_terminal()
                && std::io::stdout().is_terminal(),
            columns: columns(std::io::stderr()).filter(|_| !is_dumb),
            result_columns: columns(std::io::stdout()),
            open_lines: 0,
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
            may_draw: false,
            columns: None,
            result_columns: None,
            open_lines: 0,
        }
    }

    /// How results are printed.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Prints a result: `text`, or `json` on one line; neither can steer a terminal.
    ///
    /// # Errors
    ///
    /// [`Failure`] if stdout cannot be written; a result that nobody got was not delivered.
    pub fn result(&mut self, text: &str, json: &serde_json::Value) -> Result<(), Failure> {
        self.close_line();
        let written = match self.format {
            Format::Text if text.is_empty() => Ok(()),
            Format::Text => writeln!(self.stdout, "{}", safe(text.trim_end_matches('\n'))),
            Format::Json => writeln!(self.stdout, "{}", json_text(&json.to_string())),
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

    /// A screen of labelled lines on stderr: what does not fit goes on under its own column.
    pub fn say_screen(&mut self, text: &str) {
        let text = fitted(&safe(text), self.columns);
        self.line(&text);
    }

    /// A screen of labelled lines that is the result itself, as it goes to [`Output::result`].
    #[must_use]
    pub fn screen(&self, text: &str) -> String {
        fitted(&safe(text), self.result_columns)
    }

    /// Width of the terminal that results go to; `None` where there is none.
    #[must_use]
    pub const fn result_columns(&self) -> Option<usize> {
        self.result_columns
    }

    /// Progress: on a terminal rewritten in place, elsewhere a line of its own.
    pub fn progress(&mut self, text: &str) {
        let text = clean(text);
        if self.is_terminal {
            let columns = self.columns.unwrap_or(COLUMNS);
            // The last column stays free: having written it, terminals disagree where they are.
            let text = wrap(&text, columns.saturating_sub(1), PROGRESS_HANG);
            // ECMA-48: up to the first line of what stands there, to column one, erase from there.
            let up = self.open_lines.saturating_sub(1);
            let up = if up > 0 { format!("\u{1b}[{up}A") } else { String::new() };
            let _ = write!(self.stderr, "{up}\r\u{1b}[J{text}");
            let _ = self.stderr.flush();
            self.open_lines = text.split('\n').count();
        } else {
            let _ = writeln!(self.stderr, "{text}");
        }
    }

    /// One line on stderr while another program has the terminal: it may be in raw mode, where a
    /// line feed alone does not go back to column one.
    pub fn interrupt(&mut self, line: &str) {
        let (line, end) = (clean(line), if self.is_terminal { "\r\n" } else { "\n" });
        let begin = if self.is_terminal { end } else { "" };
        let _ = write!(self.stderr, "{begin}{line}{end}");
        let _ = self.stderr.flush();
    }

    /// Whether there is a person to ask.
    #[must_use]
    pub const fn may_ask(&self) -> bool {
        self.may_ask
    }

    /// Whether progress lines are rewritten in place.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.is_terminal
    }

    /// Whether a person sits at a terminal that can be drawn on.
    #[must_use]
    pub const fn may_draw(&self) -> bool {
        self.may_draw
    }

    /// Whether colour is allowed.
    #[must_use]
    pub const fn is_colour(&self) -> bool {
        self.is_colour
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
            Format::Json => self.line(&json_text(&failure.to_json().to_string())),
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
        if std::mem::take(&mut self.open_lines) > 0 {
            let _ = writeln!(self.stderr);
        }
    }
}

/// Width of the terminal that `stream` is.
fn columns(stream: impl std::os::fd::AsFd + IsTerminal) -> Option<usize> {
    if !stream.is_terminal() {
        return None;
    }
    let size = terminal_size::terminal_size_of(stream);
    Some(size.map_or(COLUMNS, |(width, _)| width.0.into()))
}

fn fitted(text: &str, columns: Option<usize>) -> String {
    columns.map_or_else(|| text.to_owned(), |columns| wrap(text, columns, SCREEN_HANG))
}

/// A screen of labelled lines for a terminal of `columns`, made safe to show.
#[must_use]
pub fn wrapped(text: &str, columns: usize) -> String {
    wrap(&safe(text), columns, SCREEN_HANG)
}

/// Where a terminal does not say how wide it is.
const COLUMNS: usize = 80;

/// The column in which values stand: after two blanks, a label of ten and one more.
const SCREEN_HANG: usize = 13;

/// Progress that goes on below begins a little further in.
const PROGRESS_HANG: usize = 2;

/// [`clean`], line by line.
fn safe(text: &str) -> String {
    text.split('\n').map(clean).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
