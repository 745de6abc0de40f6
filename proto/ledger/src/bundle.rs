//! The export: what its files are called, how their lines are written and read.
//!
//! ```text
//! bundle/
//!   entries.jsonl      entries in order, each followed by LF
//!   checkpoint         newest signed note
//!   openings.jsonl     texts that were not erased, each with its salt
//!   blobs/<sha256>     policy files
//! ```
//!
//! The export of one grant, a *case*, holds that grant's entries only, and besides `proofs.jsonl`.
//!
//! This module reads and writes through what it is handed; directories are the caller's business,
//! and with them every trick an archive can play. Nothing here ever holds more than one line.

mod case;

pub use case::{CaseBundle, PROOF_LINE_MAX, PROOFS, ParseProofError, Proof};

use std::fmt;
use std::io::{self, BufRead, Write};
use std::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::bytes::Digest;
use crate::statement::{TEXT_MAX, commitment};

/// File of the entries.
pub const ENTRIES: &str = "entries.jsonl";
/// File of the newest checkpoint.
pub const CHECKPOINT: &str = "checkpoint";
/// File of the texts.
pub const OPENINGS: &str = "openings.jsonl";
/// Directory of the policy files, each named by its SHA-256 in hex.
pub const BLOBS: &str = "blobs";

/// Longest line of [`OPENINGS`]: a text of [`TEXT_MAX`] bytes, each of which JSON may write with
/// six, and the two hex values.
pub const OPENING_LINE_MAX: usize = 6 * TEXT_MAX + 256;

/// An export, as handed to a verifier.
pub struct Bundle<'a> {
    /// Content of [`ENTRIES`].
    pub entries: &'a mut dyn BufRead,
    /// Content of [`CHECKPOINT`].
    pub checkpoint: &'a str,
    /// Content of [`OPENINGS`].
    pub openings: &'a mut dyn BufRead,
    /// The file in [`BLOBS`] of this SHA-256, if there is one. What it answers is hashed again.
    pub blobs: &'a dyn Fn(Digest) -> Option<Vec<u8>>,
}

/// Writes one entry as a line of [`ENTRIES`].
///
/// # Errors
///
/// What `out` answers.
pub fn write_entry(out: &mut dyn Write, entry: &[u8]) -> io::Result<()> {
    out.write_all(entry)?;
    out.write_all(b"\n")
}

/// A text with the salt that opens its commitment.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Opening {
    digest: Digest,
    salt: TextSalt,
    text: String,
}

impl Opening {
    /// The opening of the commitment made of `salt` and `text`.
    #[must_use]
    pub fn new(salt: &[u8; 32], text: &str) -> Self {
        Self { digest: commitment(salt, text), salt: TextSalt(*salt), text: text.to_owned() }
    }

    /// Reads a line of [`OPENINGS`] without its line feed. Whether it opens its commitment is
    /// [`Opening::is_true`].
    ///
    /// # Errors
    ///
    /// [`ParseOpeningError`] if it is not in the one form, or the text is above [`TEXT_MAX`] bytes.
    pub fn parse(line: &[u8]) -> Result<Self, ParseOpeningError> {
        let opening: Self = serde_json::from_slice(line).map_err(|_| ParseOpeningError)?;
        let same = opening.to_line().is_ok_and(|written| written == line);
        if same && opening.text.len() <= TEXT_MAX { Ok(opening) } else { Err(ParseOpeningError) }
    }

    /// The line, without its line feed.
    ///
    /// # Errors
    ///
    /// None in practice: a text always has a JSON form.
    pub fn to_line(&self) -> Result<Vec<u8>, ParseOpeningError> {
        serde_json::to_vec(self).map_err(|_| ParseOpeningError)
    }

    /// Whether salt and text make the digest.
    #[must_use]
    pub fn is_true(&self) -> bool {
        commitment(&self.salt.0, &self.text) == self.digest
    }

    /// The commitment it claims to open.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Not the text: it may be long, and personal.
impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "opening of {}", self.digest)
    }
}

/// The line is not an opening in its one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an opening: {{\"digest\":…,\"salt\":…,\"text\":…}}, text of at most {TEXT_MAX} bytes")]
pub struct ParseOpeningError;

/// 32 bytes in lower-case hex.
#[derive(Clone, PartialEq, Eq)]
struct TextSalt([u8; 32]);

impl fmt::Display for TextSalt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl FromStr for TextSalt {
    type Err = ParseOpeningError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| ParseOpeningError)?;
        bytes.try_into().map(Self).map_err(|_| ParseOpeningError)
    }
}

crate::bytes::text_serde!(TextSalt);

/// What comes next in a file of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// A line, without its line feed.
    Line(&'a [u8]),
    /// Bytes after the last line feed.
    Torn,
    /// A line over the limit; the rest is not read.
    TooLong,
    /// The end, after a line feed or of an empty file.
    End,
}

/// Reads lines of at most `limit` bytes, and never keeps more than that.
pub(crate) struct Lines<'a> {
    source: &'a mut dyn BufRead,
    limit: usize,
    line: Vec<u8>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(source: &'a mut dyn BufRead, limit: usize) -> Self {
        Self { source, limit, line: Vec::new() }
    }

    pub(crate) fn step(&mut self) -> io::Result<Step<'_>> {
        self.line.clear();
        loop {
            let available = self.source.fill_buf()?;
            if available.is_empty() {
                return Ok(if self.line.is_empty() { Step::End } else { Step::Torn });
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let piece = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
            if self.line.len().saturating_add(piece.len()) > self.limit {
                return Ok(Step::TooLong);
            }
            self.line.extend_from_slice(piece);
            let used = piece.len().saturating_add(usize::from(end.is_some()));
            self.source.consume(used);
            if end.is_some() {
                return Ok(Step::Line(&self.line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read as _};

    use super::*;

    #[test]
    fn lines_end_with_a_line_feed_and_nothing_else() {
        let mut source = &b"one\n\ntwo\r\nthr"[..];
        let mut lines = Lines::new(&mut source, 10);
        assert_eq!(lines.step().unwrap(), Step::Line(b"one"));
        assert_eq!(lines.step().unwrap(), Step::Line(b""));
        assert_eq!(lines.step().unwrap(), Step::Line(b"two\r"));
        assert_eq!(lines.step().unwrap(), Step::Torn);
    }

    #[test]
    fn a_line_across_buffers_is_one_line() {
        let mut source = BufReader::with_capacity(2, &b"abcdefg\nh\n"[..]);
        let mut lines = Lines::new(&mut source, 7);
        assert_eq!(lines.step().unwrap(), Step::Line(b"abcdefg"));
        assert_eq!(lines.step().unwrap(), Step::Line(b"h"));
        assert_eq!(lines.step().unwrap(), Step::End);
    }

    /// Gigabytes without a line feed cost one buffer.
    #[test]
    fn an_endless_line_is_given_up_at_the_limit() {
        let mut source = BufReader::new(io::repeat(b'x').take(1 << 40));
        assert_eq!(Lines::new(&mut source, 100).step().unwrap(), Step::TooLong);
    }

    #[test]
    fn an_opening_is_read_as_it_was_written() {
        let opening = Opening::new(&[7; 32], "Schlüssel \"42\"\n\tverloren\u{7f}");
        let line = opening.to_line().unwrap();
        assert_eq!(Opening::parse(&line), Ok(opening.clone()));
        assert!(opening.is_true());
        let forged = String::from_utf8(line).unwrap().replace("42", "43");
        assert!(!Opening::parse(forged.as_bytes()).unwrap().is_true());
    }

    #[test]
    fn an_opening_has_one_form() {
        let line = String::from_utf8(Opening::new(&[7; 32], "abc").to_line().unwrap()).unwrap();
        for bad in [
            line.replace("\"abc\"", "\"\\u0061bc\""),
            line.replace("\"abc\"", "\"abc\",\"more\":1"),
            line.replace("\"abc\"", &format!("\"{}\"", "a".repeat(TEXT_MAX + 1))),
            line.replace("0707", "07"),
            line.replace(",\"text\"", ", \"text\""),
            String::new(),
        ] {
            assert_eq!(Opening::parse(bad.as_bytes()), Err(ParseOpeningError), "{bad}");
        }
    }
}
