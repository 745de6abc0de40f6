//! The checks of a start: the newest end of the ledger, in O(log n) reads.

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::note::{Checkpoint, VerifierKey, open_checkpoint};
use breakglass_ledger::tree::{Frontier, root_at};

use super::error::StoreError;
use super::head::{Edge, Head, Stored};
use super::read::{Read, Record};

/// Checks that head row, newest entry, tree and signed checkpoint agree, and answers where to go on
/// and the checkpoint's note (`None` for an empty ledger).
pub(super) fn check(read: &Read, key: &VerifierKey) -> Result<(Edge, Option<String>), StoreError> {
    let Stored { head, note } = Stored::read(read.connection()?)?;
    let newest = check_newest(read, &head)?;
    let frontier = Frontier::load(read, head.size)?;
    if frontier.root() != head.root {
        return Err(StoreError::Root { size: head.size });
    }
    if let Some(newest) = newest {
        read.prove(&newest, &head)?;
    }
    match &note {
        None if head.size == 0 => {}
        None => return Err(StoreError::Damaged { what: "the checkpoint" }),
        Some(note) => {
            let signed = open_checkpoint(note, key)
                .map_err(|_| StoreError::CheckpointSignature { key: key.to_string() })?;
            if (signed.size, signed.root) != (head.size, head.root) {
                return Err(StoreError::Root { size: signed.size });
            }
        }
    }
    Ok((Edge { frontier, hash: head.hash, time: head.time }, note))
}

/// The newest entry is the one that the head row speaks of.
fn check_newest(read: &Read, head: &Head) -> Result<Option<Record>, StoreError> {
    let mut select = read.connection()?.prepare_cached("SELECT max(seq) FROM entry")?;
    let newest: Option<u64> = select.query_row((), |row| row.get(0))?;
    let expected = head.size.checked_sub(1);
    if newest > expected {
        let seq = newest.unwrap_or_default();
        return Err(StoreError::Corrupt { seq, rule: "no entry is beyond the head" });
    }
    let Some(seq) = expected else { return Ok(None) };
    let missing = StoreError::Corrupt { seq, rule: "no entry is missing" };
    let record = read.entry(seq)?.ok_or(missing)?;
    if Digest::of(&record.bytes) != head.hash {
        return Err(StoreError::Corrupt { seq, rule: "its hash is the one in the head" });
    }
    if record.parse()?.time != head.time {
        return Err(StoreError::Corrupt { seq, rule: "its time is the one in the head" });
    }
    Ok(Some(record))
}

/// The database extends what the guard has `seen`.
pub(super) fn compare(read: &Read, edge: &Edge, seen: &Checkpoint) -> Result<(), StoreError> {
    extends(read, edge, seen.size, seen.root)
}

/// The tree up to `edge` extends the one of `size` entries and this `root`.
pub(super) fn extends(read: &Read, edge: &Edge, size: u64, root: Digest) -> Result<(), StoreError> {
    let reached = edge.frontier.size();
    if size > reached || root_at(read, size)? != root {
        return Err(StoreError::Rollback { size: reached, guard_size: size, guard_root: root });
    }
    Ok(())
}
