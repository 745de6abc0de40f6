//! The data types of SSH on the wire (RFC 4251, section 5), as far as an agent needs them.

/// Builds a message.
#[derive(Default)]
pub struct Builder(Vec<u8>);

impl Builder {
    /// An empty message.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One byte.
    #[must_use]
    pub fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    /// `uint32`, big-endian.
    #[must_use]
    pub fn uint32(mut self, number: u32) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// `string`: a length and that many bytes. What is longer than `u32` can say becomes empty,
    /// which every reader of a bounded message refuses.
    #[must_use]
    pub fn string(self, bytes: &[u8]) -> Self {
        let Ok(length) = u32::try_from(bytes.len()) else { return self.uint32(0) };
        let mut longer = self.uint32(length);
        longer.0.extend_from_slice(bytes);
        longer
    }

    /// `mpint` of an unsigned big-endian number: no leading zeros, one before a set high bit.
    #[must_use]
    pub fn unsigned(self, number: &[u8]) -> Self {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let digits = number.get(zeros..).unwrap_or_default();
        let mut padded = Vec::with_capacity(digits.len().saturating_add(1));
        if digits.first().is_some_and(|byte| *byte >= 0x80) {
            padded.push(0);
        }
        padded.extend_from_slice(digits);
        self.string(&padded)
    }

    /// `mpint` of a private number of 32 bytes in its full length, as `ssh-key` wants to read it: one
    /// zero before a set high bit, and no zero less than there is.
    #[must_use]
    pub fn scalar(self, number: &[u8; 32]) -> Self {
        if number.first().is_some_and(|byte| *byte >= 0x80) {
            return self.unsigned(number);
        }
        self.string(number)
    }

    /// The message.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The SSH signature blob of a P-256 signature whose `raw` form is r and s, 32 bytes each (RFC 5656,
/// 3.1.2: a string that holds both as mpints).
#[must_use]
pub fn p256_signature_blob(raw: &[u8]) -> Vec<u8> {
    let (r, s) = raw.split_at_checked(32).unwrap_or_default();
    let both = Builder::new().unsigned(r).unsigned(s).into_bytes();
    Builder::new().string(b"ecdsa-sha2-nistp256").string(&both).into_bytes()
}

/// Reads a message from the front. Every method answers `None` once the message is too short.
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads `bytes` from their beginning.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// One byte.
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// `uint32`, big-endian.
    pub fn uint32(&mut self) -> Option<u32> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*number))
    }

    /// `string`: a length and that many bytes.
    pub fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.uint32()?).ok()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    /// Whether everything was read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_read_back() {
        let bytes = Builder::new().byte(7).uint32(9).string(b"abc").into_bytes();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.byte(), Some(7));
        assert_eq!(reader.uint32(), Some(9));
        assert_eq!(reader.string(), Some(&b"abc"[..]));
        assert!(reader.is_empty());
    }

    #[test]
    fn a_length_beyond_the_message_is_refused() {
        let mut reader = Reader::new(&[0, 0, 0, 5, 1, 2]);
        assert_eq!(reader.string(), None);
        let mut reader = Reader::new(&[255, 255, 255, 255]);
        assert_eq!(reader.string(), None);
    }

    /// RFC 4251, section 5, the examples of `mpint`.
    #[test]
    fn big_numbers_have_no_needless_zeros_and_stay_positive() {
        let mpint = |number: &[u8]| Builder::new().unsigned(number).into_bytes();
        assert_eq!(mpint(&[0, 0]), [0, 0, 0, 0]);
        assert_eq!(mpint(&[0, 0x80]), [0, 0, 0, 2, 0, 0x80]);
        assert_eq!(mpint(&[0, 0x12, 0]), [0, 0, 0, 2, 0x12, 0]);
    }
}
