//! Lines that fit the terminal.
//!
//! What a terminal wraps by itself goes on in column one, where somebody's reason for a request
//! could pass for a line of the screen that it is shown on. What is wrapped here never does.

/// `text` in lines of at most `columns`, broken at blanks where there are any. What is broken off
/// goes on under column `hang`, counted from 0.
#[must_use]
pub(super) fn wrap(text: &str, columns: usize, hang: usize) -> String {
    // A terminal too narrow for its margin gets text and no margin.
    let hang = if hang < columns / 2 { hang } else { 0 };
    let wrapped = text.split('\n').map(|line| Line::new(columns, hang).broken(line));
    wrapped.collect::<Vec<_>>().join("\n")
}

/// A line of text while it is broken.
struct Line {
    text: String,
    used: usize,
    columns: usize,
    hang: usize,
}

impl Line {
    const fn new(columns: usize, hang: usize) -> Self {
        Self { text: String::new(), used: 0, columns, hang }
    }

    fn broken(mut self, line: &str) -> String {
        for word in line.split_inclusive(' ') {
            let wide = word.trim_end().chars().map(width).sum::<usize>();
            if self.used.saturating_add(wide) > self.columns && self.used > self.hang {
                self.go_on_below();
            }
            for c in word.chars() {
                // Only a word that is longer than a line comes to this.
                if c != ' ' && self.used.saturating_add(width(c)) > self.columns {
                    self.go_on_below();
                }
                self.text.push(c);
                self.used = self.used.saturating_add(width(c));
            }
        }
        self.text.truncate(self.text.trim_end().len());
        self.text
    }

    fn go_on_below(&mut self) {
        self.text.truncate(self.text.trim_end().len());
        self.text.push('\n');
        self.text.extend(std::iter::repeat_n(' ', self.hang));
        self.used = self.hang;
    }
}

/// Columns that `c` takes, at most: Hangul begins the wide ones, and of the others up there, many
/// are wide in some terminals (Unicode Standard Annex 11). Better a line too short than one that
/// the terminal breaks.
const fn width(c: char) -> usize {
    if c < HANGUL { 1 } else { 2 }
}

const HANGUL: char = '\u{1100}';
