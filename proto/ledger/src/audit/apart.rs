//! What can be said of a line by itself: its hashes, its form, and whether its signature is right.
//! That is nearly all the work, and no line waits for another, so it is done on every core.

use std::num::NonZero;
use std::thread::{Builder, ScopedJoinHandle, available_parallelism, scope};

use super::form::code_of_entry;
use super::spoken::{self, Fault, Heard};
use crate::audit::Code;
use crate::bytes::Digest;
use crate::chain::entry_hash;
use crate::entry::{Entry, Form, check_form};
use crate::principal::Origin;
use crate::tree::leaf_hash;

/// Lines looked at together: some milliseconds of work for each of a few cores, so that starting
/// the threads costs little beside it.
pub(super) const LINES_MAX: usize = 512;

/// Bytes of those lines after which no more are added: the usual lines have less.
pub(super) const BYTES_MAX: usize = 1 << 20;

/// Fewest lines worth a thread of their own: a millisecond or two of work.
const SHARE_MIN: usize = 32;

/// Most threads: beyond that the one that judges is what the others wait for.
const THREADS_MAX: usize = 16;

/// One line, looked at.
pub(super) struct Apart<'a> {
    /// Its hash in the tree.
    pub(super) leaf: Digest,
    /// Its name in the chain.
    pub(super) hash: Digest,
    /// What it holds, if it is an entry of this ledger.
    pub(super) read: Result<Content<'a>, Fault>,
}

/// An entry in form.
pub(super) struct Content<'a> {
    pub(super) form: Form<'a>,
    pub(super) entry: Entry,
    pub(super) heard: Heard,
}

/// Looks at every line, on as many threads as there are cores. The answers are in the lines' order.
pub(super) fn look<'a>(lines: &'a [Vec<u8>], log: &Origin) -> Vec<Apart<'a>> {
    let threads = available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
    let share = lines.len().div_ceil(threads).max(SHARE_MIN);
    let mut shares = lines.chunks(share);
    let own = shares.next().unwrap_or_default();
    scope(|scope| {
        let others: Vec<_> = shares
            .map(|share| {
                let thread = Builder::new().spawn_scoped(scope, move || look_at_all(share, log));
                (share, thread)
            })
            .collect();
        let mut all = look_at_all(own, log);
        for (share, thread) in others {
            match thread.map(ScopedJoinHandle::join) {
                Ok(Ok(found)) => all.extend(found),
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                // There is no thread to be had.
                Err(_) => all.extend(look_at_all(share, log)),
            }
        }
        all
    })
}

fn look_at_all<'a>(lines: &'a [Vec<u8>], log: &Origin) -> Vec<Apart<'a>> {
    lines.iter().map(|line| look_at(line, log)).collect()
}

fn look_at<'a>(line: &'a [u8], log: &Origin) -> Apart<'a> {
    Apart { leaf: leaf_hash(line), hash: entry_hash(line), read: read(line, log) }
}

fn read<'a>(line: &'a [u8], log: &Origin) -> Result<Content<'a>, Fault> {
    let form = check_form(line).map_err(|error| (code_of_entry(&error), error.to_string()))?;
    if form.log != log.as_str() {
        return Err((Code::LogIdMismatch, format!("the entry is of {}", form.log)));
    }
    let entry =
        Entry::from_form(form, line).map_err(|error| (code_of_entry(&error), error.to_string()))?;
    let heard = spoken::hear(&entry.body, log);
    Ok(Content { form, entry, heard })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the number of threads, the answers are those of the lines one by one.
    #[test]
    fn answers_come_in_the_order_of_the_lines() {
        let log = Origin::new("test", &[7; 32]).unwrap();
        let lines: Vec<_> = (0..3 * SHARE_MIN + 1).map(|n| n.to_string().into_bytes()).collect();
        let found = look(&lines, &log);
        assert_eq!(found.len(), lines.len());
        for (line, found) in lines.iter().zip(&found) {
            assert_eq!(found.hash, entry_hash(line));
            assert_eq!(found.leaf, leaf_hash(line));
            assert!(found.read.is_err());
        }
        assert!(look(&[], &log).is_empty());
    }
}
