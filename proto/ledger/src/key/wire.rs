//! The SSH wire encoding (RFC 4251, section 5), read strictly.

/// What is left of some SSH wire bytes. Every read is `None` once the bytes do not suffice.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads `bytes` from their beginning.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `count` bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    /// `byte`.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    /// `uint32`, big endian.
    pub(crate) fn uint32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    /// `string`: a length and that many bytes.
    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.uint32()?).ok()?;
        self.bytes(length)
    }

    /// `mpint` that is positive, in its shortest form and at most 32 bytes, as 32 bytes.
    pub(crate) fn scalar(&mut self) -> Option<[u8; 32]> {
        let encoded = self.string()?;
        let magnitude = match encoded {
            // A leading zero is there only to keep a set top bit from meaning "negative".
            [0, rest @ ..] if rest.first().is_some_and(|first| *first >= 0x80) => rest,
            [1..=0x7f, ..] => encoded,
            _ => return None,
        };
        let mut fixed = [0; 32];
        let start = fixed.len().checked_sub(magnitude.len())?;
        fixed.get_mut(start..)?.copy_from_slice(magnitude);
        Some(fixed)
    }

    /// `Some` if nothing is left.
    pub(crate) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// Appends `bytes` as an SSH `string`.
pub(crate) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    // Everything written here is bounded far below 4 GiB, so the length always fits.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}
