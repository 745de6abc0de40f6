//! The two integers and the string of which every SSH structure is made (RFC 4251, section 5).
//!
//! Strict and without allocation; what the parts mean is the caller's business.

/// The bytes end before the value does, or go on after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bytes end too early, or go on after the end")]
pub struct WireError;

/// What is left to read.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// At the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left.
    #[must_use]
    pub const fn is_done(self) -> bool {
        self.0.is_empty()
    }

    /// All that is left.
    #[must_use]
    pub const fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Fails if anything is left.
    ///
    /// # Errors
    ///
    /// [`WireError`] if something is.
    pub const fn finish(self) -> Result<(), WireError> {
        if self.0.is_empty() { Ok(()) } else { Err(WireError) }
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    ///
    /// [`WireError`] if fewer are left.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(WireError)?;
        self.0 = rest;
        Ok(head)
    }

    /// The next byte.
    ///
    /// # Errors
    ///
    /// [`WireError`] if none is left.
    pub fn u8(&mut self) -> Result<u8, WireError> {
        let (head, rest) = self.0.split_first().ok_or(WireError)?;
        self.0 = rest;
        Ok(*head)
    }

    /// Four bytes, big-endian.
    ///
    /// # Errors
    ///
    /// [`WireError`] if fewer are left.
    pub fn u32(&mut self) -> Result<u32, WireError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(WireError)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*head))
    }

    /// Eight bytes, big-endian.
    ///
    /// # Errors
    ///
    /// [`WireError`] if fewer are left.
    pub fn u64(&mut self) -> Result<u64, WireError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(WireError)?;
        self.0 = rest;
        Ok(u64::from_be_bytes(*head))
    }

    /// A length in four bytes, and that many bytes.
    ///
    /// # Errors
    ///
    /// [`WireError`] if fewer are left.
    pub fn string(&mut self) -> Result<&'a [u8], WireError> {
        let length = usize::try_from(self.u32()?).map_err(|_| WireError)?;
        self.bytes(length)
    }

    /// A string that is UTF-8.
    ///
    /// # Errors
    ///
    /// [`WireError`] if fewer are left, or they are something else.
    pub fn text(&mut self) -> Result<&'a str, WireError> {
        std::str::from_utf8(self.string()?).map_err(|_| WireError)
    }
}

/// Appends `bytes` with their length before them.
///
/// Everything written here is bounded far below 4 GiB by its caller's limits; were it not, the
/// length would be wrong and reading back, which precedes every release, would refuse it.
pub fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_that_claims_more_than_there_is_is_refused() {
        assert_eq!(Reader::new(&[0, 0, 0, 2, 7]).string(), Err(WireError));
        assert_eq!(Reader::new(&[0xff; 7]).string(), Err(WireError));
        assert_eq!(Reader::new(&[0, 0, 0]).string(), Err(WireError));
    }

    #[test]
    fn what_was_put_is_read_and_the_rest_is_noticed() {
        let mut out = Vec::new();
        put_string(&mut out, b"abc");
        out.push(9);
        let mut reader = Reader::new(&out);
        assert_eq!(reader.text(), Ok("abc"));
        assert_eq!(reader.finish(), Err(WireError));
        assert_eq!(reader.u8(), Ok(9));
        assert_eq!(reader.finish(), Ok(()));
    }
}
