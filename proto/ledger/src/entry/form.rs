//! The form of an entry's bytes, checked in one pass and without allocating.
//!
//! The form is an ASCII-only subset of RFC 8785 (JCS) in which `jq -jcS .`, Python's
//! `json.dumps(sort_keys=True, separators=(",", ":"))` and JCS agree byte for byte. There is one
//! spelling of everything, so equal content means equal bytes.

use crate::entry::{ENTRY_MAX, EntryError};
use crate::note::SIZE_MAX;

/// Deepest nesting: an entry needs five (entry, body, decision, context, list).
pub const DEPTH_MAX: usize = 8;

/// Most entry types' names and times are short; the top level itself has exactly these keys.
const TOP: [&str; 8] = ["body", "log", "prev", "salt", "seq", "time", "type", "v"];

/// An entry whose bytes are in form: its top level, still as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form<'a> {
    /// The body, an object in form.
    pub body: &'a str,
    /// Origin of the ledger.
    pub log: &'a str,
    /// SHA-256 of the entry before, in hex.
    pub prev: &'a str,
    /// Salt in hex.
    pub salt: &'a str,
    /// Position, from 0.
    pub seq: u64,
    /// Time with milliseconds.
    pub time: &'a str,
    /// The `type`.
    pub kind: &'a str,
}

/// Checks that `bytes` are one entry in form and gives its top level.
///
/// Types, ids and times inside are not judged: that is [`crate::entry::Entry::parse`].
///
/// # Errors
///
/// [`EntryError::TooLarge`]; [`EntryError::Form`] with the offset and the rule broken;
/// [`EntryError::Schema`] if the top level is in form but not that of an entry.
pub fn check_form(bytes: &[u8]) -> Result<Form<'_>, EntryError> {
    if bytes.len() > ENTRY_MAX {
        return Err(EntryError::TooLarge { bytes: bytes.len() });
    }
    let mut scanner = Scanner::new(bytes)?;
    let mut found = [None; TOP.len()];
    let mut strange = false;
    scanner.object(1, &mut |key, value| match TOP.iter().position(|name| *name == key) {
        Some(at) => found.iter_mut().skip(at).take(1).for_each(|place| *place = Some(value)),
        None => strange = true,
    })?;
    scanner.end()?;
    if strange {
        return Err(schema("an entry has no other keys than body log prev salt seq time type v"));
    }
    let [
        Some(body),
        Some(log),
        Some(prev),
        Some(salt),
        Some(seq),
        Some(time),
        Some(kind),
        Some("1"),
    ] = found
    else {
        return Err(schema("an entry has body log prev salt seq time type and v, which is 1"));
    };
    if !body.starts_with('{') {
        return Err(schema("the body is an object"));
    }
    Ok(Form {
        body,
        log: plain(log)?,
        prev: plain(prev)?,
        salt: plain(salt)?,
        seq: seq.parse().map_err(|_| schema("seq is a number"))?,
        time: plain(time)?,
        kind: plain(kind)?,
    })
}

/// The keys and values (still as text) of an object in form, in order.
///
/// # Errors
///
/// [`EntryError::Form`] if `text` is not an object in form.
pub(super) fn split_object<'a>(
    text: &'a str,
    mut each: impl FnMut(&'a str, &'a str),
) -> Result<(), EntryError> {
    let mut scanner = Scanner::new(text.as_bytes())?;
    scanner.object(1, &mut each)?;
    scanner.end()
}

const fn schema(rule: &'static str) -> EntryError {
    EntryError::Schema { field: "entry", rule }
}

/// The content of a string value that needs no escapes, as all top-level ones do.
fn plain(value: &str) -> Result<&str, EntryError> {
    let content = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    content
        .filter(|content| !content.contains('\\'))
        .ok_or(schema("log prev salt time and type are strings without escapes"))
}

/// A place in the text. Every method leaves it behind what it accepted.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, EntryError> {
        // Strings are printable ASCII and so is everything outside them; as a str, slices of it
        // cost nothing.
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self { text, at: 0 }),
            Err(error) => Err(EntryError::Form { at: error.valid_up_to(), rule: "ASCII only" }),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn fail<T>(&self, rule: &'static str) -> Result<T, EntryError> {
        Err(EntryError::Form { at: self.at, rule })
    }

    fn expect(&mut self, byte: u8, rule: &'static str) -> Result<(), EntryError> {
        if self.peek() != Some(byte) {
            return self.fail(rule);
        }
        self.step();
        Ok(())
    }

    fn accept(&mut self, byte: u8) -> bool {
        let accepted = self.peek() == Some(byte);
        if accepted {
            self.step();
        }
        accepted
    }

    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn end(&self) -> Result<(), EntryError> {
        if self.at == self.text.len() { Ok(()) } else { self.fail("nothing follows the object") }
    }

    fn object(
        &mut self,
        depth: usize,
        each: &mut dyn FnMut(&'a str, &'a str),
    ) -> Result<(), EntryError> {
        if depth > DEPTH_MAX {
            return self.fail("at most 8 levels");
        }
        self.expect(b'{', "an object begins with {")?;
        if self.accept(b'}') {
            return Ok(());
        }
        let mut before = "";
        loop {
            let key = self.key()?;
            // Keys are not empty, so the first is above "".
            if key <= before {
                return self.fail("keys are sorted and each stands once");
            }
            before = key;
            self.expect(b':', "a colon follows the key")?;
            let start = self.at;
            self.value(depth)?;
            each(key, self.since(start));
            if !self.accept(b',') {
                return self.expect(b'}', "a comma or } follows a value");
            }
        }
    }

    fn key(&mut self) -> Result<&'a str, EntryError> {
        self.expect(b'"', "a key is a string")?;
        let start = self.at;
        while let Some(b'a'..=b'z' | b'0'..=b'9' | b'-') = self.peek() {
            self.step();
        }
        let key = self.since(start);
        self.expect(b'"', "a key holds a-z 0-9 and - only")?;
        if key.is_empty() { self.fail("a key is not empty") } else { Ok(key) }
    }

    fn value(&mut self, depth: usize) -> Result<(), EntryError> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'0'..=b'9') => self.number(),
            Some(b'{') => self.object(depth.saturating_add(1), &mut |_, _| ()),
            Some(b'[') => self.array(depth.saturating_add(1)),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            _ => self.fail("a value is a string, a whole number, true, false, a list or an object"),
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), EntryError> {
        if depth > DEPTH_MAX {
            return self.fail("at most 8 levels");
        }
        self.expect(b'[', "a list begins with [")?;
        if self.accept(b']') {
            return Ok(());
        }
        loop {
            self.value(depth)?;
            if !self.accept(b',') {
                return self.expect(b']', "a comma or ] follows a list item");
            }
        }
    }

    fn string(&mut self) -> Result<(), EntryError> {
        self.step();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.step();
                    return Ok(());
                }
                Some(b'\\') => {
                    self.step();
                    let Some(b'n' | b'"' | b'\\') = self.peek() else {
                        return self.fail("the only escapes are \\n \\\" and \\\\");
                    };
                    self.step();
                }
                Some(b' '..=b'~') => self.step(),
                _ => return self.fail("a string holds U+0020 to U+007E"),
            }
        }
    }

    fn number(&mut self) -> Result<(), EntryError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.step();
        }
        let digits = self.since(start);
        if digits.len() > 1 && digits.starts_with('0') {
            return self.fail("a number has no leading zero");
        }
        if !digits.parse::<u64>().is_ok_and(|number| number <= SIZE_MAX) {
            return self.fail("a number is at most 2^53 - 1");
        }
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), EntryError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return self.fail("the only words are true and false");
        }
        self.at = self.at.saturating_add(word.len());
        Ok(())
    }
}
