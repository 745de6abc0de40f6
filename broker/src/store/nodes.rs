//! The tree's hashes on disk: leaves beside their entries, and every fourth level above.

use rusqlite::{Connection, OptionalExtension};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::tree::{Frontier, Nodes, root_of};

use super::error::StoreError;
use super::read::Read;
use super::readers::Reader;
use super::write::Write;

/// Levels between kept ones. A hash between them is recombined from at most 8; keeping them costs
/// one small row per 15 entries. Wider (8 levels, 256-ary) would save 2 bytes per entry and make
/// every start and every proof read some fifty pages of entries for their leaf hashes.
const STRIDE: u8 = 4;

/// Appends `leaf` to `frontier` and keeps the inner hashes that this completes.
pub(super) fn push(
    connection: &Connection,
    frontier: &mut Frontier,
    leaf: Digest,
) -> Result<(), StoreError> {
    let mut completed = Vec::new();
    frontier.push_with(leaf, |level, place, hash| {
        if level > 0 && level % STRIDE == 0 {
            completed.push((level, place, hash));
        }
    });
    for (level, place, hash) in completed {
        let mut insert = connection
            .prepare_cached("INSERT INTO node(level, place, hash) VALUES (?1, ?2, ?3)")?;
        insert.execute((level, place, hash.as_bytes()))?;
    }
    Ok(())
}

/// The hash of the complete subtree of `2^level` leaves at leaf `place * 2^level`.
fn node(connection: &Connection, level: u8, place: u64) -> Result<Digest, StoreError> {
    let missing = || StoreError::Damaged { what: "a hash of the tree" };
    let above = level % STRIDE;
    let kept_level = level.checked_sub(above).ok_or_else(missing)?;
    if above == 0 && kept_level > 0 {
        let mut select =
            connection.prepare_cached("SELECT hash FROM node WHERE level = ?1 AND place = ?2")?;
        let hash = select.query_row((level, place), |row| row.get(0)).optional()?;
        return hash.map(Digest::from_bytes).ok_or_else(missing);
    }
    let count = 1_u64.checked_shl(u32::from(above)).ok_or_else(missing)?;
    let start = place.checked_mul(count).ok_or_else(missing)?;
    let end = start.checked_add(count).ok_or_else(missing)?;
    let hashes = row_of_hashes(connection, kept_level, start, end)?;
    if u64::try_from(hashes.len()) != Ok(count) {
        return Err(missing());
    }
    Ok(root_of(&hashes))
}

/// The kept hashes `start..end` of a level: at most 2^3, the widest gap between kept levels.
fn row_of_hashes(
    connection: &Connection,
    level: u8,
    start: u64,
    end: u64,
) -> Result<Vec<Digest>, StoreError> {
    let digest = |row: &rusqlite::Row<'_>| row.get(0).map(Digest::from_bytes);
    let hashes = if level == 0 {
        let mut select = connection
            .prepare_cached("SELECT leaf FROM entry WHERE seq >= ?1 AND seq < ?2 ORDER BY seq")?;
        select.query_map((start, end), digest)?.collect::<Result<_, _>>()?
    } else {
        let mut select = connection.prepare_cached(
            "SELECT hash FROM node WHERE level = ?1 AND place >= ?2 AND place < ?3 ORDER BY place",
        )?;
        select.query_map((level, start, end), digest)?.collect::<Result<_, _>>()?
    };
    Ok(hashes)
}

impl Nodes for Read {
    type Error = StoreError;

    fn node(&self, level: u8, index: u64) -> Result<Digest, StoreError> {
        node(self.connection()?, level, index)
    }
}

impl Nodes for Reader {
    type Error = StoreError;

    fn node(&self, level: u8, index: u64) -> Result<Digest, StoreError> {
        node(self.connection()?, level, index)
    }
}

impl Nodes for Write<'_> {
    type Error = StoreError;

    fn node(&self, level: u8, index: u64) -> Result<Digest, StoreError> {
        node(self.connection()?, level, index)
    }
}
