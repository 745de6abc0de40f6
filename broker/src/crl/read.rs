//! A list → what it says. Strict DER, and nothing that [`write`](super::write()) would not write.

use breakglass_ledger::time::Timestamp;
use time::{Date, Month};

use super::{Crl, CrlError, DER_MAX, ENTRIES_MAX, Number, SerialNumber};

/// Reads a list. Whose signature it is, is the caller's to check.
///
/// # Errors
///
/// [`CrlError`] if it is not whole, not DER, or has anything in it that is never written here.
pub fn read(der: &[u8]) -> Result<Crl<'_>, CrlError> {
    let Frame { crl, entries: content } = frame(der)?;
    Ok(Crl { revoked: content.map(entries).transpose()?.unwrap_or_default(), ..crl })
}

/// A list whose entries were not looked at.
pub(crate) struct Frame<'a> {
    /// What stands around them; says that nobody is revoked.
    pub(crate) crl: Crl<'a>,
    /// The entries, if there are any.
    pub(crate) entries: Option<&'a [u8]>,
}

/// Reads what stands around the entries of a list.
pub(crate) fn frame(der: &[u8]) -> Result<Frame<'_>, CrlError> {
    if der.len() > DER_MAX {
        return Err(CrlError::TooMany);
    }
    let mut outside = Reader(der);
    let mut list = Reader(outside.take(SEQUENCE)?);
    outside.finish()?;
    let before = list.0;
    let mut tbs = Reader(list.take(SEQUENCE)?);
    let signed = prefix(before, list.0);
    list.expect(ECDSA_SHA256, "signature algorithm")?;
    let signature = list.take(BIT_STRING)?.strip_prefix(&[0]).ok_or(form("signature"))?;
    list.finish()?;

    tbs.expect(VERSION_2, "version")?;
    tbs.expect(ECDSA_SHA256, "signature algorithm")?;
    let before = tbs.0;
    tbs.take(SEQUENCE)?;
    let issuer = prefix(before, tbs.0);
    let (this_update, next_update) = (tbs.time()?, tbs.time()?);
    let is_there = tbs.0.first() == Some(&SEQUENCE);
    let entries = if is_there { Some(tbs.take(SEQUENCE)?) } else { None };
    let mut extensions = Reader(tbs.take(EXPLICIT_0)?);
    tbs.finish()?;
    let mut all = Reader(extensions.take(SEQUENCE)?);
    extensions.finish()?;
    let mut key_id = Reader(Reader(all.extension(AUTHORITY_KEY_ID)?).only(SEQUENCE)?);
    let number = Reader(all.extension(NUMBER)?).only(INTEGER)?;
    all.finish()?;
    let of_issuer = key_id.take(KEY_ID)?;
    key_id.finish()?;
    let crl = Crl {
        issuer,
        key_id: of_issuer,
        number: Number(unsigned(number)?),
        this_update,
        next_update,
        revoked: Vec::new(),
        signed,
        signature,
    };
    Ok(Frame { crl, entries })
}

fn entries(content: &[u8]) -> Result<Vec<(SerialNumber, Timestamp)>, CrlError> {
    let mut all = Reader(content);
    if all.0.is_empty() {
        return Err(form("an empty list of entries"));
    }
    let mut revoked = Vec::new();
    while !all.0.is_empty() {
        if revoked.len() >= ENTRIES_MAX {
            return Err(CrlError::TooMany);
        }
        revoked.push(next_entry(&mut all)?);
    }
    Ok(revoked)
}

/// Reads one entry, with nothing behind it.
pub(super) fn entry(der: &[u8]) -> Result<(SerialNumber, Timestamp), CrlError> {
    let mut reader = Reader(der);
    let read = next_entry(&mut reader)?;
    reader.finish()?;
    Ok(read)
}

fn next_entry(all: &mut Reader<'_>) -> Result<(SerialNumber, Timestamp), CrlError> {
    let mut entry = Reader(all.take(SEQUENCE)?);
    let number = unsigned(entry.take(INTEGER)?)?.to_be_bytes();
    let serial = SerialNumber::from_number(&number).ok_or(form("a serial number"))?;
    let since = entry.time()?;
    entry.expect(BECAUSE_IT_IS_OVER, "entry extensions")?;
    entry.finish()?;
    Ok((serial, since))
}

/// What is left of DER.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    /// The content of the next element, which has this tag.
    pub(crate) fn take(&mut self, tag: u8) -> Result<&'a [u8], CrlError> {
        let cut = form("cut off");
        let (&found, rest) = self.0.split_first().ok_or(cut)?;
        if found != tag {
            return Err(form("an element of another kind"));
        }
        let (&first, mut rest) = rest.split_first().ok_or(cut)?;
        let mut length = usize::from(first);
        if first >= LONG_FORM {
            let count = usize::from(first & !LONG_FORM);
            let bytes = rest.get(..count).ok_or(cut)?;
            rest = rest.get(count..).ok_or(cut)?;
            // X.690, 10.1: the fewest bytes.
            let shortest = bytes.first().is_some_and(|byte| *byte != 0) && count <= 4;
            length = bytes.iter().fold(0, |all, byte| (all << 8) | usize::from(*byte));
            if !shortest || length < usize::from(LONG_FORM) {
                return Err(form("a length"));
            }
        }
        let (content, rest) = rest.split_at_checked(length).ok_or(cut)?;
        self.0 = rest;
        Ok(content)
    }

    /// The content of the only element.
    pub(crate) fn only(mut self, tag: u8) -> Result<&'a [u8], CrlError> {
        let content = self.take(tag)?;
        self.finish()?;
        Ok(content)
    }

    pub(crate) fn expect(&mut self, bytes: &[u8], what: &'static str) -> Result<(), CrlError> {
        self.0 = self.0.strip_prefix(bytes).ok_or(form(what))?;
        Ok(())
    }

    /// The value of the next extension, which is this one and not critical.
    pub(crate) fn extension(&mut self, id: &[u8]) -> Result<&'a [u8], CrlError> {
        let mut extension = Reader(self.take(SEQUENCE)?);
        extension.expect(id, "extensions")?;
        extension.only(OCTET_STRING)
    }

    /// RFC 5280, 5.1.2.4: whole seconds, UTC, two digits for a year before 2050.
    pub(crate) fn time(&mut self) -> Result<Timestamp, CrlError> {
        let wrong = form("a date");
        let (century, text) = match self.0.first() {
            Some(&UTC_TIME) => (b"20".as_slice(), self.take(UTC_TIME)?),
            _ => (b"".as_slice(), self.take(GENERALIZED_TIME)?),
        };
        let digits = text.strip_suffix(b"Z").ok_or(wrong)?;
        let digits = [century, digits].concat();
        if digits.len() != 14 || !digits.iter().all(u8::is_ascii_digit) {
            return Err(wrong);
        }
        instant(&digits).ok_or(wrong)
    }

    pub(crate) fn finish(&self) -> Result<(), CrlError> {
        if self.0.is_empty() { Ok(()) } else { Err(form("something follows")) }
    }
}

/// The instant of `YYYYMMDDhhmmss`.
fn instant(digits: &[u8]) -> Option<Timestamp> {
    let mut pairs = digits.chunks_exact(2).map(|pair| {
        pair.iter().fold(0_u8, |all, digit| all.wrapping_mul(10).wrapping_add(digit & 0x0f))
    });
    let mut next = || pairs.next();
    let year = i32::from(next()?).checked_mul(100)?.checked_add(i32::from(next()?))?;
    let day = Date::from_calendar_date(year, Month::try_from(next()?).ok()?, next()?).ok()?;
    let at = day.with_hms(next()?, next()?, next()?).ok()?.assume_utc();
    Some(Timestamp::from_unix_seconds(u64::try_from(at.unix_timestamp()).ok()?))
}

/// A number that is not negative, in the fewest bytes (X.690, 8.3.2).
fn unsigned(bytes: &[u8]) -> Result<u128, CrlError> {
    let shortest = match bytes {
        [] => false,
        [0, next, ..] => *next >= 0x80,
        [first, ..] => *first < 0x80,
    };
    let digits = bytes.strip_prefix(&[0]).unwrap_or(bytes);
    if !shortest || digits.len() > 16 {
        return Err(form("a number"));
    }
    Ok(digits.iter().fold(0, |all, byte| (all << 8) | u128::from(*byte)))
}

/// What of `before` is not in its tail `after`.
pub(crate) fn prefix<'a>(before: &'a [u8], after: &[u8]) -> &'a [u8] {
    before.get(..before.len().saturating_sub(after.len())).unwrap_or_default()
}

const fn form(what: &'static str) -> CrlError {
    CrlError::Form(what)
}

/// Tags (X.690, 8.1.2).
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
const KEY_ID: u8 = 0x80;
pub(crate) const EXPLICIT_0: u8 = 0xa0;
/// From here on a length says how many bytes it has.
const LONG_FORM: u8 = 0x80;
/// INTEGER 1: version 2.
const VERSION_2: &[u8] = &[2, 1, 1];
/// ecdsa-with-SHA256, without parameters.
pub(crate) const ECDSA_SHA256: &[u8] = &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
/// Object identifiers 2.5.29.35 and 2.5.29.20.
const AUTHORITY_KEY_ID: &[u8] = &[6, 3, 0x55, 0x1d, 35];
const NUMBER: &[u8] = &[6, 3, 0x55, 0x1d, 20];
/// One extension: reasonCode (2.5.29.21) is cessationOfOperation (5).
const BECAUSE_IT_IS_OVER: &[u8] = &[0x30, 12, 0x30, 10, 6, 3, 0x55, 0x1d, 21, 4, 3, 0x0a, 1, 5];
