//! The grammar of lists: within one line, on an optional line, over several lines.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::error::{Rule, StatementError};
use super::field::{Field, INTEGER_MAX, Value, decimal};
use super::lines::{Lines, put_line};
use super::words::Kind;
use crate::bytes::Digest;
use crate::principal::PrincipalId;

/// Most principals in `on-behalf-of`: a longer chain is nobody's responsibility any more.
pub const DELEGATION_MAX: usize = 8;

/// Most `file` lines of a manifest; a policy has four files.
pub const FILES_MAX: usize = 16;

/// Longest file name in a manifest, in bytes.
pub const FILE_NAME_MAX: usize = 64;

impl Value for Vec<Kind> {
    const RULE: &'static str = "some of ssh,x509,jwt in this order, comma separated, each once";

    fn read(text: &str) -> Option<Self> {
        let kinds: Self = read_list(text)?;
        kinds.is_sorted_by(|one, next| one < next).then_some(kinds)
    }

    fn write(&self) -> String {
        write_list(self)
    }
}

/// The chain of principals behind an agent: one line, or none if it is empty.
impl Field for Vec<PrincipalId> {
    fn take(lines: &mut Lines<'_>, key: &'static str) -> Result<Self, StatementError> {
        const RULE: &str = "1 to 8 principals, comma separated, each once";
        let Some(text) = lines.take_if(key) else { return Ok(Self::new()) };
        let wrong = StatementError::new(key, Rule::Value(RULE));
        let chain: Self = read_list(text).ok_or(wrong.clone())?;
        let each_once = chain.iter().collect::<BTreeSet<_>>().len() == chain.len();
        if each_once && chain.len() <= DELEGATION_MAX { Ok(chain) } else { Err(wrong) }
    }

    fn put(&self, key: &'static str, out: &mut String) {
        if !self.is_empty() {
            put_line(out, key, &write_list(self));
        }
    }
}

/// A number from 0 to [`INTEGER_MAX`] on a line of its own, or no line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Maybe(pub Option<u64>);

impl Field for Maybe {
    fn take(lines: &mut Lines<'_>, key: &'static str) -> Result<Self, StatementError> {
        const RULE: &str = "a decimal number from 0 to 2^53 - 1, without leading zeros";
        let Some(text) = lines.take_if(key) else { return Ok(Self(None)) };
        let number = decimal(text).filter(|number| *number <= INTEGER_MAX);
        number.map(|number| Self(Some(number))).ok_or(StatementError::new(key, Rule::Value(RULE)))
    }

    fn put(&self, key: &'static str, out: &mut String) {
        if let Some(number) = self.0 {
            put_line(out, key, &number.to_string());
        }
    }
}

/// The files of a policy: one line each, names ascending.
impl Field for Vec<(String, Digest)> {
    fn take(lines: &mut Lines<'_>, key: &'static str) -> Result<Self, StatementError> {
        const RULE: &str = "a file name (1 to 64 of a-z 0-9 . _ -, beginning with a letter or \
             digit), a blank and its digest, in ascending order of names, at most 16";
        let mut files = Self::new();
        while let Some(text) = lines.take_if(key) {
            let wrong = StatementError::new(key, Rule::Value(RULE));
            let file = read_file(text).ok_or(wrong.clone())?;
            let ascends = files.last().is_none_or(|(before, _)| *before < file.0);
            if !ascends || files.len() >= FILES_MAX {
                return Err(wrong);
            }
            files.push(file);
        }
        if files.is_empty() { Err(StatementError::new(key, Rule::Missing)) } else { Ok(files) }
    }

    fn put(&self, key: &'static str, out: &mut String) {
        for (name, digest) in self {
            put_line(out, key, &format!("{name} {}", digest.write()));
        }
    }
}

fn read_file(text: &str) -> Option<(String, Digest)> {
    let (name, digest) = text.split_once(' ')?;
    // Names become paths in a bundle: no `..`, no hidden file, nothing that looks like an option.
    let begins =
        name.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit());
    let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    let fits = begins && name.len() <= FILE_NAME_MAX && name.bytes().all(allowed);
    Some((fits.then(|| name.to_owned())?, Digest::read(digest)?))
}

fn read_list<T: FromStr>(text: &str) -> Option<Vec<T>> {
    text.split(',').map(|item| item.parse().ok()).collect()
}

fn write_list<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}
