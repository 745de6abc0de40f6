//! The list as `sshd` reads it (OpenSSH `PROTOCOL.krl`), read strictly: what the broker writes and
//! nothing else. Written from the format, sharing nothing with the broker.

use breakglass_ledger::time::Timestamp;

use crate::sshwire::Reader;

/// Largest list: the same as the broker's own limit, with room. 100,000 serials far apart have 0.8 MB.
pub(super) const LIST_MAX: usize = 32 * 1024 * 1024;

const MAGIC: &[u8] = b"SSHKRL\n\0";
const FORMAT: u32 = 1;
const CERTIFICATES: u8 = 1;
const SERIAL_LIST: u8 = 0x20;
const SERIAL_RANGE: u8 = 0x21;
const SERIAL_BITMAP: u8 = 0x22;

/// A list that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Krl {
    /// Its number; grows with every change.
    pub version: u64,
    /// When it was made.
    pub generated: Timestamp,
    /// Revoked serials, first and last of each run, ascending and apart.
    runs: Vec<(u64, u64)>,
}

#[cfg(test)]
impl Krl {
    /// One that names this serial.
    pub(super) fn naming(serial: u64) -> Self {
        let generated = Timestamp::from_unix_seconds(0);
        Self { version: 1, generated, runs: vec![(serial, serial)] }
    }
}

/// Why bytes are no list of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KrlError {
    /// No bytes at all: `sshd` would take it for a list that revokes nobody.
    #[error("it is empty")]
    Empty,
    /// Longer than any list.
    #[error("it is longer than any list of ours")]
    TooLong,
    /// It ends in the middle, or something follows.
    #[error("it is cut off, or something follows it")]
    Length,
    /// Something in it is never written by a broker.
    #[error("{0}")]
    Form(&'static str),
    /// It is about certificates of another authority.
    #[error("it is about another authority's certificates")]
    Authority,
}

impl Krl {
    /// Reads a list about certificates of `authority` (wire form of its public key).
    ///
    /// # Errors
    ///
    /// [`KrlError`] for anything but one whole list about this authority.
    pub fn read(bytes: &[u8], authority: &[u8]) -> Result<Self, KrlError> {
        Self::read_of(bytes, &[authority])
    }

    /// Reads a list about certificates of `authorities`, with at most one section for each: while one
    /// gives way to the next there are two. No serial is ever given twice, whoever signs.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_of(bytes: &[u8], authorities: &[&[u8]]) -> Result<Self, KrlError> {
        if bytes.is_empty() {
            return Err(KrlError::Empty);
        }
        if bytes.len() > LIST_MAX {
            return Err(KrlError::TooLong);
        }
        let body = bytes.strip_prefix(MAGIC).ok_or(KrlError::Form("it is no KRL"))?;
        let mut reader = Reader::new(body);
        if reader.uint32() != Some(FORMAT) {
            return Err(KrlError::Form("it has an unknown format version"));
        }
        let version = number(&mut reader)?;
        let generated = Timestamp::from_unix_seconds(number(&mut reader)?);
        if number(&mut reader)? != 0 || !string(&mut reader)?.is_empty() {
            return Err(KrlError::Form("it has flags or a reserved field that are not known"));
        }
        string(&mut reader)?;
        let mut runs = Vec::new();
        let mut left = authorities.to_vec();
        while !reader.is_empty() {
            if reader.byte() != Some(CERTIFICATES) {
                return Err(KrlError::Form("it has a section of another kind"));
            }
            let mut section = Reader::new(string(&mut reader)?);
            certificates(&mut section, &mut left, &mut runs)?;
        }
        Ok(Self { version, generated, runs: joined(runs) })
    }

    /// Whether the certificate with this serial is revoked.
    #[must_use]
    pub fn revokes(&self, serial: u64) -> bool {
        let at = self.runs.partition_point(|(first, _)| *first <= serial);
        let before = at.checked_sub(1).and_then(|at| self.runs.get(at));
        before.is_some_and(|(_, last)| serial <= *last)
    }
}

fn certificates(
    section: &mut Reader<'_>,
    left: &mut Vec<&[u8]>,
    runs: &mut Vec<(u64, u64)>,
) -> Result<(), KrlError> {
    // An empty authority would stand for every one.
    let authority = string(section)?;
    let known = left.iter().position(|one| *one == authority).ok_or(KrlError::Authority)?;
    left.swap_remove(known);
    if !string(section)?.is_empty() {
        return Err(KrlError::Form("a reserved field is not empty"));
    }
    while !section.is_empty() {
        let kind = section.byte().ok_or(KrlError::Length)?;
        let mut serials = Reader::new(string(section)?);
        match kind {
            SERIAL_LIST => {
                while !serials.is_empty() {
                    let serial = number(&mut serials)?;
                    runs.push((serial, serial));
                }
            }
            SERIAL_RANGE => {
                let run = (number(&mut serials)?, number(&mut serials)?);
                if run.0 > run.1 || !serials.is_empty() {
                    return Err(KrlError::Form("a range is none"));
                }
                runs.push(run);
            }
            SERIAL_BITMAP => bitmap(&mut serials, runs)?,
            _ => return Err(KrlError::Form("serials are listed in a way that is not known")),
        }
    }
    // sshd takes the whole list for broken if it names serial 0.
    if runs.iter().any(|(first, _)| *first == 0) {
        return Err(KrlError::Form("it names serial 0"));
    }
    Ok(())
}

fn bitmap(serials: &mut Reader<'_>, runs: &mut Vec<(u64, u64)>) -> Result<(), KrlError> {
    let offset = number(serials)?;
    let bits = string(serials)?;
    if !serials.is_empty() {
        return Err(KrlError::Length);
    }
    for (index, byte) in (0_u64..).zip(bits.iter().rev()) {
        let mut left = *byte;
        while left != 0 {
            let bit = u64::from(left.trailing_zeros());
            left &= left.wrapping_sub(1); // without its lowest bit
            let above = index.saturating_mul(8).saturating_add(bit);
            let serial = offset.checked_add(above);
            let serial = serial.ok_or(KrlError::Form("a bitmap reaches beyond the last serial"))?;
            runs.push((serial, serial));
        }
    }
    Ok(())
}

/// Runs ascending, those that touch joined.
fn joined(mut runs: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    runs.sort_unstable();
    runs.dedup_by(|run, before| {
        let joins = run.0 <= before.1.saturating_add(1);
        if joins {
            before.1 = before.1.max(run.1);
        }
        joins
    });
    runs
}

fn number(reader: &mut Reader<'_>) -> Result<u64, KrlError> {
    let (high, low) = (reader.uint32(), reader.uint32());
    let (high, low) = high.zip(low).ok_or(KrlError::Length)?;
    Ok(u64::from(high) << 32 | u64::from(low))
}

fn string<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], KrlError> {
    reader.string().ok_or(KrlError::Length)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One authority of these bytes, in wire form as far as this reader looks.
    const CA: &[u8] = b"ca";

    fn list(section: &[u8]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT.to_be_bytes());
        for number in [7_u64, 1_700_000_000, 0] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend([0; 8]);
        if !section.is_empty() {
            bytes.push(CERTIFICATES);
            bytes.extend(u32::try_from(section.len()).unwrap().to_be_bytes());
            bytes.extend(section);
        }
        bytes
    }

    fn part(kind: u8, data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [[kind].as_slice(), &length, data].concat()
    }

    fn section(authority: &[u8], parts: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = u32::try_from(authority.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(authority);
        bytes.extend([0; 4]);
        bytes.extend(parts.concat());
        bytes
    }

    #[test]
    fn serials_of_every_kind_of_section_are_revoked_and_no_others() {
        let numbers = |numbers: &[u64]| -> Vec<u8> {
            numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
        };
        let mut bits = numbers(&[100]);
        bits.extend([0, 0, 0, 2, 0x01, 0x05]);
        let parts = [
            part(SERIAL_LIST, &numbers(&[9, 3])),
            part(SERIAL_RANGE, &numbers(&[20, 22])),
            part(SERIAL_BITMAP, &bits),
        ];
        let krl = Krl::read(&list(&section(CA, &parts)), CA).unwrap();
        assert_eq!(krl.version, 7);
        let revoked: Vec<u64> = (1..200).filter(|serial| krl.revokes(*serial)).collect();
        assert_eq!(revoked, [3, 9, 20, 21, 22, 100, 102, 108]);
    }

    #[test]
    fn every_authority_has_one_section_at_most_and_no_stranger_has_any() {
        let part = |serial: u64| [part(SERIAL_LIST, &serial.to_be_bytes())];
        let mut both = list(&section(CA, &part(5)));
        let next = list(&section(b"next", &part(9)));
        both.extend_from_slice(&next[list(b"").len()..]);
        let krl = Krl::read_of(&both, &[CA, b"next"]).unwrap();
        assert!(krl.revokes(5) && krl.revokes(9) && !krl.revokes(7));
        assert_eq!(Krl::read(&both, CA), Err(KrlError::Authority));
        assert_eq!(Krl::read_of(&both, &[CA, b"other"]), Err(KrlError::Authority));
        both.extend_from_slice(&next[list(b"").len()..]);
        assert_eq!(Krl::read_of(&both, &[CA, b"next"]), Err(KrlError::Authority));
    }

    #[test]
    fn what_is_no_whole_list_of_ours_is_refused() {
        let good = list(&section(CA, &[part(SERIAL_LIST, &5_u64.to_be_bytes())]));
        assert!(Krl::read(&good, CA).is_ok());
        assert_eq!(Krl::read(b"", CA), Err(KrlError::Empty));
        for end in 1..good.len() {
            // The header alone is a whole list that revokes nobody; its signature tells.
            let is_header = end == list(b"").len();
            assert_eq!(Krl::read(&good[..end], CA).is_ok(), is_header, "{end}");
        }
        // What follows would have to be another section.
        let followed = Krl::read(&[good.as_slice(), b"x"].concat(), CA);
        assert_eq!(followed, Err(KrlError::Form("it has a section of another kind")));
        for foreign in [b"other".as_slice(), b""] {
            let list = list(&section(foreign, &[part(SERIAL_LIST, &5_u64.to_be_bytes())]));
            assert_eq!(Krl::read(&list, CA), Err(KrlError::Authority));
        }
        let zero = list(&section(CA, &[part(SERIAL_LIST, &0_u64.to_be_bytes())]));
        assert!(Krl::read(&zero, CA).is_err());
    }
}
