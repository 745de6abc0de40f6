//! Serials → the fewest bytes that say them.

use super::{
    BITMAP_BITS_MAX, CERTIFICATES, COMMENT_MAX, FORMAT, Header, KrlError, MAGIC, Run,
    SERIAL_BITMAP, SERIAL_LIST, SERIAL_RANGE, runs_of,
};
use crate::sshwire::put_string;

/// The list that revokes exactly `serials` (ascending, none 0, none twice) of one authority.
///
/// With no serials it is a header alone: a list of zero bytes would also revoke nobody, but it is
/// what a failed write looks like.
///
/// # Errors
///
/// [`KrlError`] if the serials do not ascend, include 0 or are too many, or the comment is not
/// printable.
pub fn write(header: &Header<'_>, serials: &[u64]) -> Result<Vec<u8>, KrlError> {
    let printable = header.comment.bytes().all(|b| matches!(b, b' '..=b'~'));
    if !printable || header.comment.len() > COMMENT_MAX {
        return Err(KrlError::Comment);
    }
    let runs = runs_of(serials)?;
    let mut out = Vec::new();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&FORMAT.to_be_bytes());
    out.extend_from_slice(&header.version.to_be_bytes());
    out.extend_from_slice(&header.generated.unix_seconds().to_be_bytes());
    out.extend_from_slice(&0_u64.to_be_bytes()); // flags: none are defined
    put_string(&mut out, b""); // reserved
    put_string(&mut out, header.comment.as_bytes());
    if !runs.is_empty() {
        let mut body = Vec::new();
        put_string(&mut body, header.authority);
        put_string(&mut body, b""); // reserved
        put_runs(&mut body, &runs);
        put_section(&mut out, CERTIFICATES, &body);
    }
    Ok(out)
}

/// Writes the runs: far-reaching ones as ranges, neighbours as whatever is smallest.
fn put_runs(out: &mut Vec<u8>, runs: &[Run]) {
    let mut single = Vec::new();
    let mut rest = runs;
    while let Some(count) = neighbours(rest) {
        let (group, after) = rest.split_at_checked(count).unwrap_or((rest, &[]));
        put_group(out, &mut single, group);
        rest = after;
    }
    if !single.is_empty() {
        put_section(out, SERIAL_LIST, &single);
    }
}

/// How many of the first runs are best looked at together; `None` if there are none.
fn neighbours(runs: &[Run]) -> Option<usize> {
    let first = runs.first()?;
    if first.len() >= LONE_RUN {
        return Some(1);
    }
    let fits = |pair: &&[Run]| match pair {
        [before, run] => {
            run.len() < LONE_RUN
                && run.first.saturating_sub(before.last) <= WIDEST_GAP
                && run.last.saturating_sub(first.first) < BITMAP_BITS_MAX
        }
        _ => false,
    };
    Some(runs.windows(2).take_while(fits).count().saturating_add(1))
}

/// Writes one group in the smallest of the three forms; serials to list are left in `single`.
fn put_group(out: &mut Vec<u8>, single: &mut Vec<u8>, group: &[Run]) {
    let serials = group.iter().fold(0_u64, |sum, run| sum.saturating_add(run.len()));
    let ranges = group.iter().fold(0_u64, |sum, _| sum.saturating_add(RANGE_BYTES));
    let list = serials.saturating_mul(8);
    let bitmap = bitmap_bytes(group);
    if list <= ranges && list <= bitmap {
        let each = group.iter().flat_map(|run| run.first..=run.last);
        single.extend(each.flat_map(u64::to_be_bytes));
    } else if ranges <= bitmap {
        group.iter().for_each(|run| put_range(out, *run));
    } else {
        put_bitmap(out, group);
    }
}

fn put_range(out: &mut Vec<u8>, run: Run) {
    let mut body = Vec::with_capacity(16);
    body.extend_from_slice(&run.first.to_be_bytes());
    body.extend_from_slice(&run.last.to_be_bytes());
    put_section(out, SERIAL_RANGE, &body);
}

/// Bit *i* stands for the group's first serial + *i*, in an `mpint` (RFC 4251, section 5).
fn put_bitmap(out: &mut Vec<u8>, group: &[Run]) {
    let Some(offset) = group.first().map(|run| run.first) else { return };
    let width = usize::try_from(span(group).div_ceil(8)).unwrap_or(0);
    let mut little_endian = vec![0_u8; width];
    for serial in group.iter().flat_map(|run| run.first..=run.last) {
        let bit = serial.saturating_sub(offset);
        let byte = usize::try_from(bit / 8).ok().and_then(|at| little_endian.get_mut(at));
        if let Some(byte) = byte {
            *byte |= 1 << (bit % 8);
        }
    }
    // A number whose top bit is set would read as negative without a zero byte before it.
    if little_endian.last().is_some_and(|top| top & 0x80 != 0) {
        little_endian.push(0);
    }
    little_endian.reverse();
    let mut body = Vec::with_capacity(little_endian.len().saturating_add(12));
    body.extend_from_slice(&offset.to_be_bytes());
    put_string(&mut body, &little_endian);
    put_section(out, SERIAL_BITMAP, &body);
}

pub(super) fn put_section(out: &mut Vec<u8>, kind: u8, body: &[u8]) {
    out.push(kind);
    put_string(out, body);
}

/// From the group's first serial to its last.
fn span(group: &[Run]) -> u64 {
    match (group.first(), group.last()) {
        (Some(first), Some(last)) => Run { first: first.first, last: last.last }.len(),
        _ => 0,
    }
}

/// Size of the group as a bitmap section; its last bit is always set.
fn bitmap_bytes(group: &[Run]) -> u64 {
    BITMAP_OVERHEAD.saturating_add(span(group) / 8).saturating_add(1)
}

/// A range section: kind, length, two serials.
const RANGE_BYTES: u64 = 1 + 4 + 16;
/// A bitmap section without its bits: kind, length, offset, length.
const BITMAP_OVERHEAD: u64 = 1 + 4 + 8 + 4;
/// A longer gap costs more zero bits than the overhead of a new bitmap.
const WIDEST_GAP: u64 = BITMAP_OVERHEAD * 8;
/// A run this long is cheaper as a range of its own, even where it cuts a bitmap in two.
const LONE_RUN: u64 = (RANGE_BYTES + BITMAP_OVERHEAD) * 8;
