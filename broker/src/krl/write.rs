//! Serials → the fewest bytes that say them.

use super::{
    BITMAP_BITS_MAX, CERTIFICATES, COMMENT_MAX, FORMAT, Header, KrlError, MAGIC, Run, Runs,
    SERIAL_BITMAP, SERIAL_LIST, SERIAL_RANGE, SERIALS_MAX, check,
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
    write_of(header, &[], serials)
}

/// An authority before the one in the header, and what is revoked of what it signed.
#[derive(Clone, Copy, Debug)]
pub struct Older<'a> {
    /// Wire form of its public key.
    pub authority: &'a [u8],
    /// Ascending.
    pub serials: &'a [u64],
}

/// As [`write()`], with a section for each `older` authority that signed what is revoked.
///
/// # Errors
///
/// As [`write()`].
pub fn write_of(
    header: &Header<'_>,
    older: &[Older<'_>],
    serials: &[u64],
) -> Result<Vec<u8>, KrlError> {
    let printable = header.comment.bytes().all(|b| matches!(b, b' '..=b'~'));
    if !printable || header.comment.len() > COMMENT_MAX {
        return Err(KrlError::Comment);
    }
    let newest = Older { authority: header.authority, serials };
    let sections = || older.iter().chain([&newest]);
    let count = sections().fold(0_usize, |sum, one| sum.saturating_add(one.serials.len()));
    if count > SERIALS_MAX {
        return Err(KrlError::TooMany);
    }
    sections().try_for_each(|one| check(one.serials))?;
    let mut out = Vec::new();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&FORMAT.to_be_bytes());
    out.extend_from_slice(&header.version.to_be_bytes());
    out.extend_from_slice(&header.generated.unix_seconds().to_be_bytes());
    out.extend_from_slice(&0_u64.to_be_bytes()); // flags: none are defined
    put_string(&mut out, b""); // reserved
    put_string(&mut out, header.comment.as_bytes());
    for one in sections().filter(|one| !one.serials.is_empty()) {
        put_section(&mut out, CERTIFICATES, |body| {
            put_string(body, one.authority);
            put_string(body, b""); // reserved
            put_serials(body, one.serials);
        });
    }
    Ok(out)
}

/// Writes the serials group by group, and those that stand alone in one list at the end.
fn put_serials(out: &mut Vec<u8>, serials: &[u64]) {
    let mut single = Vec::new();
    let mut rest = serials;
    while let Some(group) = Group::first_of(rest) {
        group.put(out, &mut single);
        rest = rest.get(group.serials.len()..).unwrap_or_default();
    }
    if !single.is_empty() {
        put_section(out, SERIAL_LIST, |body| body.extend_from_slice(&single));
    }
}

/// Serials that are best looked at together: neighbours, or one long run.
struct Group<'a> {
    serials: &'a [u64],
    /// From the first to the last.
    span: Run,
    /// How many runs they make.
    runs: u64,
}

impl<'a> Group<'a> {
    /// The first group of `serials`; `None` if there are none.
    fn first_of(serials: &'a [u64]) -> Option<Self> {
        let mut runs = Runs::of(serials);
        let first = runs.next()?;
        let (mut span, mut count, mut length) = (first, 1_u64, first.len());
        for run in runs {
            let is_near = run.first.saturating_sub(span.last) <= WIDEST_GAP;
            let is_narrow = run.last.saturating_sub(first.first) < BITMAP_BITS_MAX;
            if first.len() >= LONE_RUN || run.len() >= LONE_RUN || !is_near || !is_narrow {
                break;
            }
            span.last = run.last;
            count = count.saturating_add(1);
            length = length.saturating_add(run.len());
        }
        let serials = serials.get(..usize::try_from(length).ok()?)?;
        Some(Self { serials, span, runs: count })
    }

    /// Writes it in the smallest of the three forms; serials to list are left in `single`.
    fn put(&self, out: &mut Vec<u8>, single: &mut Vec<u8>) {
        let list = u64::try_from(self.serials.len()).unwrap_or(u64::MAX).saturating_mul(8);
        let ranges = self.runs.saturating_mul(RANGE_BYTES);
        // The last bit is always set, so a width of whole bytes needs one more for the sign.
        let bitmap = BITMAP_OVERHEAD.saturating_add(self.span.len() / 8).saturating_add(1);
        if list <= ranges && list <= bitmap {
            for serial in self.serials {
                single.extend_from_slice(&serial.to_be_bytes());
            }
        } else if ranges <= bitmap {
            Runs::of(self.serials).for_each(|run| put_range(out, run));
        } else {
            put_section(out, SERIAL_BITMAP, |body| self.put_bits(body));
        }
    }

    /// Bit *i* stands for the first serial + *i*, in an `mpint` (RFC 4251, section 5).
    fn put_bits(&self, out: &mut Vec<u8>) {
        let offset = self.span.first;
        let width = usize::try_from(self.span.len().div_ceil(8)).unwrap_or(0);
        let mut little_endian = vec![0_u8; width];
        for serial in self.serials {
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
        out.extend_from_slice(&offset.to_be_bytes());
        put_string(out, &little_endian);
    }
}

fn put_range(out: &mut Vec<u8>, run: Run) {
    put_section(out, SERIAL_RANGE, |body| {
        body.extend_from_slice(&run.first.to_be_bytes());
        body.extend_from_slice(&run.last.to_be_bytes());
    });
}

/// Writes a section in place: its length is filled in when its body is known.
pub(super) fn put_section(out: &mut Vec<u8>, kind: u8, body: impl FnOnce(&mut Vec<u8>)) {
    out.push(kind);
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    let body_at = out.len();
    body(out);
    // A body of 4 GiB cannot be: the limits of the list are far below.
    let length = u32::try_from(out.len().saturating_sub(body_at)).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(length_at..body_at) {
        place.copy_from_slice(&length.to_be_bytes());
    }
}

/// A range section: kind, length, two serials.
const RANGE_BYTES: u64 = 1 + 4 + 16;
/// A bitmap section without its bits: kind, length, offset, length.
const BITMAP_OVERHEAD: u64 = 1 + 4 + 8 + 4;
/// A longer gap costs more zero bits than the overhead of a new bitmap.
const WIDEST_GAP: u64 = BITMAP_OVERHEAD * 8;
/// A run this long is cheaper as a range of its own, even where it cuts a bitmap in two.
const LONE_RUN: u64 = (RANGE_BYTES + BITMAP_OVERHEAD) * 8;
