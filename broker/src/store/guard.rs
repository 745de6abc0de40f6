//! The guard file: the newest signed checkpoint, kept beside the database so that an older copy of
//! the database is noticed.
//!
//! Two slots of 512 bytes are written in turn, after every commit: a write torn by a power cut
//! spoils one slot (a disk sector, at most) and leaves the other. It is deliberately not
//! synchronised to disk: the database is, *before* the guard is written, so a lost guard write only
//! leaves a guard that is a little behind, which is no contradiction, and every commit is spared a
//! second wait for the disk.
//!
//! What it cannot do: whoever can replace the database *and* the guard goes unnoticed here. That is
//! what witnesses and the checkpoints in clients' statements are for.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::note::{Checkpoint, VerifierKey, open_checkpoint};

use super::error::StoreError;

/// What a start does without a readable guard file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardPolicy {
    /// Refuses, unless the ledger is empty.
    Require,
    /// Goes on and writes a new one: only on the operator's explicit word, after comparing the head
    /// with what others saw. A guard that *contradicts* the database is refused even so.
    Recreate,
}

/// The open guard file.
#[derive(Debug)]
pub(super) struct Guard {
    file: File,
    /// Which slot is written next: never the one with the newest checkpoint.
    next: Slot,
}

#[derive(Clone, Copy, Debug)]
enum Slot {
    First,
    Second,
}

impl Slot {
    const fn offset(self) -> u64 {
        match self {
            Self::First => 0,
            Self::Second => SLOT_BYTES,
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

impl Guard {
    /// Opens the guard at `path` and answers the newest checkpoint in it, `None` if the file is
    /// missing, or holds none that `key` signed.
    ///
    /// # Errors
    ///
    /// [`StoreError::File`] or [`StoreError::ReadOnly`] if the file cannot be opened.
    pub(super) fn open(
        path: &Path,
        key: &VerifierKey,
    ) -> Result<(Self, Option<Checkpoint>), StoreError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|source| StoreError::file(path, source))?;
        let first = read_slot(&file, Slot::First, key);
        let second = read_slot(&file, Slot::Second, key);
        let size = |slot: &Option<Checkpoint>| slot.as_ref().map(|checkpoint| checkpoint.size);
        let (next, newest) = if size(&first) > size(&second) {
            (Slot::Second, first)
        } else {
            (Slot::First, second)
        };
        Ok((Self { file, next }, newest))
    }

    /// Writes `note` over the older slot.
    ///
    /// # Errors
    ///
    /// [`StoreError::Guard`]; the other slot is untouched.
    pub(super) fn write(&mut self, note: &str) -> Result<(), StoreError> {
        let slot = encode(note).ok_or_else(|| StoreError::Guard(ErrorKind::InvalidInput.into()))?;
        self.file.write_all_at(&slot, self.next.offset()).map_err(StoreError::Guard)?;
        self.next = self.next.other();
        Ok(())
    }

    /// Makes the file and its contents survive a power cut: once, when it is created, so that the
    /// later writes never have to extend it.
    ///
    /// # Errors
    ///
    /// [`StoreError::Guard`].
    pub(super) fn settle(&self) -> Result<(), StoreError> {
        let length = SLOT_BYTES.saturating_mul(2);
        let extend = |file: &File| -> io::Result<()> {
            if file.metadata()?.len() >= length {
                return Ok(());
            }
            file.set_len(length)?;
            file.sync_all()
        };
        extend(&self.file).map_err(StoreError::Guard)
    }
}

/// Digest of what follows, length of the note, the note, zeros.
fn encode(note: &str) -> Option<Vec<u8>> {
    let mut content = u16::try_from(note.len()).ok()?.to_be_bytes().to_vec();
    content.extend_from_slice(note.as_bytes());
    if content.len() > CONTENT_BYTES {
        return None;
    }
    content.resize(CONTENT_BYTES, 0);
    Some([Digest::of(&content).as_bytes().as_slice(), &content].concat())
}

/// The checkpoint in a slot, unless it is torn, empty, or not signed by `key`.
fn read_slot(file: &File, slot: Slot, key: &VerifierKey) -> Option<Checkpoint> {
    let mut digest = [0; 32];
    let mut content = [0; CONTENT_BYTES];
    file.read_exact_at(&mut digest, slot.offset()).ok()?;
    file.read_exact_at(&mut content, slot.offset().checked_add(DIGEST_BYTES)?).ok()?;
    if Digest::of(&content) != Digest::from_bytes(digest) {
        return None;
    }
    let (length, rest) = content.split_first_chunk()?;
    let note = rest.get(..usize::from(u16::from_be_bytes(*length)))?;
    open_checkpoint(std::str::from_utf8(note).ok()?, key).ok()
}

/// One disk sector, the smallest unit a disk writes whole. A note with the longest origin and one
/// signature has about 340 bytes.
const SLOT_BYTES: u64 = 512;
const DIGEST_BYTES: u64 = 32;
const CONTENT_BYTES: usize = 480;

#[cfg(test)]
impl Guard {
    /// So that a test can take the disk away.
    pub(super) fn replace_file(&mut self, file: File) {
        self.file = file;
    }
}
