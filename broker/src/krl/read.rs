//! Bytes → serials, strictly: only what `write` writes, every byte of it accounted for.

use breakglass_ledger::time::Timestamp;

use super::{
    BITMAP_BITS_MAX, CERTIFICATES, COMMENT_MAX, FORMAT, Krl, KrlError, LIST_MAX, MAGIC, Run,
    SERIAL_BITMAP, SERIAL_LIST, SERIAL_RANGE,
};
use crate::sshwire::Reader;

/// Reads a list about certificates of `authority` (wire form of its public key).
///
/// # Errors
///
/// [`KrlError`] if `bytes` are anything but one well-formed list about this authority's serials:
/// cut off, followed by something, of another format, or with a section of a kind that is never
/// written here.
pub fn read(bytes: &[u8], authority: &[u8]) -> Result<Krl, KrlError> {
    read_of(bytes, &[authority])
}

/// Reads a list about certificates of `authorities`: at most one section for each. No serial is ever
/// given twice, whoever signs, so the serials of all of them are one set.
///
/// # Errors
///
/// As [`read`].
pub fn read_of(bytes: &[u8], authorities: &[&[u8]]) -> Result<Krl, KrlError> {
    if bytes.len() > LIST_MAX {
        return Err(KrlError::TooMany);
    }
    let mut reader = Reader::new(bytes);
    let mut krl = read_header(&mut reader)?;
    let mut left = authorities.to_vec();
    let mut runs = Vec::new();
    while !reader.is_done() {
        let mut section = read_section(&mut reader, CERTIFICATES)?;
        let authority = section.string()?;
        let known = left.iter().position(|one| *one == authority).ok_or(KrlError::Authority)?;
        left.swap_remove(known);
        runs.extend(read_certificates(&mut section)?);
    }
    reader.finish()?;
    krl.runs = merge(runs);
    Ok(krl)
}

fn read_header(reader: &mut Reader<'_>) -> Result<Krl, KrlError> {
    if reader.bytes(MAGIC.len())? != MAGIC {
        return Err(KrlError::Header("it does not begin with SSHKRL"));
    }
    if reader.u32()? != FORMAT {
        return Err(KrlError::Header("unknown format version"));
    }
    let version = reader.u64()?;
    let seconds = reader.u64()?;
    let generated = Timestamp::from_unix_seconds(seconds);
    if generated.unix_seconds() != seconds {
        return Err(KrlError::Header("made after the year 9999"));
    }
    if reader.u64()? != 0 {
        return Err(KrlError::Header("flags are set"));
    }
    if !reader.string()?.is_empty() {
        return Err(KrlError::Header("the reserved field is not empty"));
    }
    let comment = reader.text()?;
    if comment.len() > COMMENT_MAX || !comment.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return Err(KrlError::Comment);
    }
    Ok(Krl { version, generated, comment: comment.to_owned(), runs: Vec::new() })
}

fn read_section<'a>(reader: &mut Reader<'a>, expected: u8) -> Result<Reader<'a>, KrlError> {
    let kind = reader.u8()?;
    if kind != expected {
        return Err(KrlError::Section(kind));
    }
    Ok(Reader::new(reader.string()?))
}

fn read_certificates(body: &mut Reader<'_>) -> Result<Vec<Run>, KrlError> {
    if !body.string()?.is_empty() {
        return Err(KrlError::Header("the reserved field is not empty"));
    }
    let mut runs = Vec::new();
    while !body.is_done() {
        let kind = body.u8()?;
        let serials = Reader::new(body.string()?);
        match kind {
            SERIAL_LIST => read_list(serials, &mut runs)?,
            SERIAL_RANGE => read_range(serials, &mut runs)?,
            SERIAL_BITMAP => read_bitmap(serials, &mut runs)?,
            other => return Err(KrlError::Section(other)),
        }
    }
    if runs.is_empty() {
        return Err(KrlError::Serials("no serial at all"));
    }
    Ok(runs)
}

fn read_list(mut serials: Reader<'_>, runs: &mut Vec<Run>) -> Result<(), KrlError> {
    if serials.is_done() {
        return Err(KrlError::Serials("an empty list"));
    }
    while !serials.is_done() {
        let serial = serials.u64()?;
        push(runs, serial, serial)?;
    }
    Ok(())
}

fn read_range(mut serials: Reader<'_>, runs: &mut Vec<Run>) -> Result<(), KrlError> {
    let (first, last) = (serials.u64()?, serials.u64()?);
    serials.finish()?;
    if first > last {
        return Err(KrlError::Serials("a range that ends before it begins"));
    }
    push(runs, first, last)
}

fn read_bitmap(mut serials: Reader<'_>, runs: &mut Vec<Run>) -> Result<(), KrlError> {
    let offset = serials.u64()?;
    let bits = bitmap_bits(serials.string()?)?;
    serials.finish()?;
    for (index, byte) in (0_u64..).zip(bits.iter().rev()) {
        let mut bits = *byte;
        while bits != 0 {
            let bit = u64::from(bits.trailing_zeros());
            bits &= bits.wrapping_sub(1); // without its lowest bit
            let above = index.saturating_mul(8).saturating_add(bit);
            let serial = offset.checked_add(above);
            let serial = serial.ok_or(KrlError::Serials("a bitmap beyond the last serial"))?;
            push(runs, serial, serial)?;
        }
    }
    Ok(())
}

/// The bits of a positive `mpint`, big-endian, without the zero byte that shows its sign.
fn bitmap_bits(mpint: &[u8]) -> Result<&[u8], KrlError> {
    let (bits, padded) = match mpint {
        [0, bits @ ..] => (bits, true),
        bits => (bits, false),
    };
    let top = bits.first().copied().ok_or(KrlError::Serials("an empty bitmap"))?;
    // RFC 4251, section 5: the zero byte stands there exactly if the number would else be negative.
    if top == 0 || padded != (top & 0x80 != 0) {
        return Err(KrlError::Serials("a bitmap that is not a shortest positive number"));
    }
    if u64::try_from(bits.len()).is_ok_and(|bytes| bytes <= BITMAP_BITS_MAX / 8) {
        Ok(bits)
    } else {
        Err(KrlError::Serials("a bitmap wider than OpenSSH reads"))
    }
}

/// Adds a run, joined to the one before where they touch, so that a bitmap stays small in memory.
fn push(runs: &mut Vec<Run>, first: u64, last: u64) -> Result<(), KrlError> {
    if first == 0 {
        return Err(KrlError::SerialZero);
    }
    match runs.last_mut() {
        Some(run) if run.last.checked_add(1) == Some(first) => run.last = last,
        _ => runs.push(Run { first, last }),
    }
    Ok(())
}

/// Sorts the runs and joins those that touch or overlap.
pub(super) fn merge(mut runs: Vec<Run>) -> Vec<Run> {
    runs.sort_unstable();
    runs.dedup_by(|run, before| {
        let joins = run.first <= before.last.saturating_add(1);
        if joins {
            before.last = before.last.max(run.last);
        }
        joins
    });
    runs
}
