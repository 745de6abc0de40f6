//! `require-incident`: what an incident number looks like.

use std::fmt;
use std::iter::Peekable;
use std::str::{Bytes, FromStr};

/// Longest pattern, in bytes; incident numbers have at most 64 characters themselves.
const PATTERN_MAX_BYTES: usize = 128;

/// A pattern that the whole incident number has to match.
///
/// The part of regular expressions that incident numbers need, meaning the same as in any regex
/// engine: literal characters, `\` before a sign, `.`, classes such as `[A-Z0-9_]`, each optionally
/// followed by `?`, `*` or `+`. Groups, alternatives and everything else are refused by name, not
/// misread. Matching takes time in proportion to pattern times number, whatever they are.
#[derive(Clone, PartialEq, Eq)]
pub struct IncidentPattern {
    text: Box<str>,
    pieces: Vec<Piece>,
}

/// What one place may hold, as inclusive ranges, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    ranges: Vec<(u8, u8)>,
    times: Times,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Times {
    Once,
    AtMostOnce,
    Any,
}

impl IncidentPattern {
    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the whole of `incident` matches.
    #[must_use]
    pub fn matches(&self, incident: &str) -> bool {
        let start = std::iter::once(true).chain(self.pieces.iter().map(|_| false)).collect();
        let mut reached = self.skipping(start);
        for byte in incident.bytes() {
            reached = self.after(&reached, byte);
        }
        reached.last().copied().unwrap_or(false)
    }

    /// The places reached by reading `byte`. Place `n` is the one before piece `n`.
    fn after(&self, reached: &[bool], byte: u8) -> Vec<bool> {
        let mut next = vec![false];
        for (piece, here) in self.pieces.iter().zip(reached) {
            let taken =
                *here && piece.ranges.iter().any(|(low, high)| (*low..=*high).contains(&byte));
            let stays = taken && piece.times == Times::Any;
            if let Some(place) = next.last_mut() {
                *place |= stays;
            }
            next.push(taken && !stays);
        }
        self.skipping(next)
    }

    /// `reached`, and what follows from it by leaving out pieces that may be left out.
    fn skipping(&self, mut reached: Vec<bool>) -> Vec<bool> {
        let mut carried = false;
        let optional = self.pieces.iter().map(|piece| piece.times != Times::Once);
        for (place, optional) in reached.iter_mut().zip(optional.chain([false])) {
            *place |= carried;
            carried = *place && optional;
        }
        reached
    }
}

impl fmt::Debug for IncidentPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for IncidentPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The text is no such pattern; the rule that it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an incident pattern: {0}")]
pub struct ParsePatternError(pub &'static str);

impl FromStr for IncidentPattern {
    type Err = ParsePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text.len() > PATTERN_MAX_BYTES {
            return Err(ParsePatternError("it has 1 to 128 characters"));
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ParsePatternError("it is printable ASCII without blanks"));
        }
        let mut pieces = Vec::new();
        let mut bytes = text.bytes().peekable();
        while let Some(first) = bytes.next() {
            let ranges = ranges(first, &mut bytes)?;
            let times = match bytes.next_if(|b| matches!(b, b'?' | b'*' | b'+')) {
                None => Times::Once,
                Some(b'?') => Times::AtMostOnce,
                Some(b'+') => {
                    pieces.push(Piece { ranges: ranges.clone(), times: Times::Once });
                    Times::Any
                }
                Some(_) => Times::Any,
            };
            pieces.push(Piece { ranges, times });
        }
        Ok(Self { text: text.into(), pieces })
    }
}

/// What the piece beginning with `first` may hold.
fn ranges(first: u8, bytes: &mut Peekable<Bytes<'_>>) -> Result<Vec<(u8, u8)>, ParsePatternError> {
    match first {
        b'[' => class(bytes),
        b'.' => Ok(vec![(b' ', b'~')]),
        b'\\' => bytes
            .next_if(u8::is_ascii_punctuation)
            .map(|sign| vec![(sign, sign)])
            .ok_or(ParsePatternError("a backslash stands before a sign")),
        b'?' | b'*' | b'+' => Err(ParsePatternError("? * + follow what they repeat, once")),
        b'(' | b')' | b'{' | b'}' | b'|' | b'^' | b'$' | b']' => {
            Err(ParsePatternError("( ) { } | ^ $ are not supported; the whole number is matched"))
        }
        plain => Ok(vec![(plain, plain)]),
    }
}

/// The rest of a class, after its `[`.
fn class(bytes: &mut Peekable<Bytes<'_>>) -> Result<Vec<(u8, u8)>, ParsePatternError> {
    const RULE: ParsePatternError =
        ParsePatternError("a class holds letters, digits, . _ : / # and ranges such as 0-9");
    let is_plain =
        |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'/' | b'#');
    let mut ranges = Vec::new();
    loop {
        let low = bytes.next().ok_or(RULE)?;
        if low == b']' && !ranges.is_empty() {
            return Ok(ranges);
        }
        if low == b'-' && bytes.peek() == Some(&b']') {
            ranges.push((low, low));
            continue;
        }
        if !is_plain(&low) {
            return Err(RULE);
        }
        let mut high = low;
        let mut ahead = bytes.clone();
        if ahead.next() == Some(b'-') && ahead.peek() != Some(&b']') {
            high = ahead.next().filter(|high| is_plain(high) && low <= *high).ok_or(RULE)?;
            *bytes = ahead;
        }
        ranges.push((low, high));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, incident: &str) -> bool {
        pattern.parse::<IncidentPattern>().unwrap().matches(incident)
    }

    #[test]
    fn the_whole_number_has_to_match() {
        assert!(matches("INC-[0-9]+", "INC-4711"));
        assert!(!matches("INC-[0-9]+", "INC-"));
        assert!(!matches("INC-[0-9]+", "XINC-4711"));
        assert!(!matches("INC-[0-9]+", "INC-4711x"));
        assert!(!matches("INC-[0-9]+", "inc-4711"));
        assert!(!matches("INC-[0-9]+", ""));
    }

    #[test]
    fn repetition_means_what_it_means_elsewhere() {
        assert!(matches("A*B?C", "C") && matches("A*B?C", "AAABC") && !matches("A*B?C", "BBC"));
        assert!(
            matches("[A-Z]+-[0-9][0-9]?", "OPS-1") && !matches("[A-Z]+-[0-9][0-9]?", "OPS-123")
        );
        assert!(matches("A+A", "AA") && !matches("A+A", "A"));
        assert!(matches(".+", "x/y#1") && !matches(".+", ""));
        assert!(matches(r"a\.b", "a.b") && !matches(r"a\.b", "axb"));
        assert!(matches("[a-]+", "a-a") && matches("[._:/#0-9]", ":"));
    }

    #[test]
    fn what_is_not_supported_is_refused_and_not_misread() {
        for bad in [
            "", "a|b", "(a)", "a{2}", "^a", "a$", "[^a]", "[]", "[a", "[z-a]", "a**", "+a", r"\d",
            "a b", "]", "é", r"a\",
        ] {
            assert!(bad.parse::<IncidentPattern>().is_err(), "{bad}");
        }
        assert!("a".repeat(129).parse::<IncidentPattern>().is_err());
    }

    /// A backtracking matcher would take 2^64 steps here.
    #[test]
    fn no_pattern_is_slow() {
        assert!(!matches(&"a*".repeat(64), &format!("{}b", "a".repeat(64))));
    }
}
