//! What hosts reported: which lists are in force where, and which credentials were seen.

use rusqlite::{Connection, OptionalExtension, Row};

use breakglass_ledger::entry::{Applied, Body, ConfigChange, Entry, Overdue, Signed};
use breakglass_ledger::principal::{PrincipalId, TargetId};
use breakglass_ledger::statement::{Canary, Kind, List};
use breakglass_ledger::time::Timestamp;

use super::derive::{number, word};
use super::error::StoreError;
use super::read::Read;
use super::standing::State;

/// Most targets in one answer: more than one deployment's broker serves.
const TARGETS_MAX: usize = 4096;

/// A target's report of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LandingRow {
    /// Where.
    pub target: TargetId,
    /// Who reported.
    pub by: PrincipalId,
    /// The list's version.
    pub version: u64,
    /// What became of the canary there.
    pub canary: Canary,
    /// When it was recorded.
    pub at: Timestamp,
    /// From when the list was made until it was in force, in milliseconds by the host's clock.
    pub latency: Option<u64>,
    /// Sessions that the host ended since its report before.
    pub ended: Option<u64>,
    /// Its entry.
    pub seq: u64,
    /// The revocation for which the target is late, and was said to be.
    pub overdue: Option<u64>,
}

impl Read {
    /// What `target` last reported of `list`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn reported(
        &self,
        target: &TargetId,
        list: List,
    ) -> Result<Option<LandingRow>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT target.name, target.by, version, canary, at, latency, ended, landing.seq, overdue
             FROM target JOIN landing ON landing.seq = target.seq
             WHERE target.name = ?1 AND target.list = ?2",
        )?;
        let key = (target.as_str(), list_number(list));
        select.query_row(key, Raw::read).optional()?.map(Raw::parse).transpose()
    }

    /// What every target last reported of `list`, by name; at most `TARGETS_MAX`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn targets(&self, list: List) -> Result<Vec<LandingRow>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT target.name, target.by, version, canary, at, latency, ended, landing.seq, overdue
             FROM target JOIN landing ON landing.seq = target.seq
             WHERE target.list = ?1 ORDER BY target.name LIMIT ?2",
        )?;
        let rows = select.query_map((list_number(list), TARGETS_MAX), Raw::read)?;
        rows.map(|row| row?.parse()).collect()
    }

    /// The first report by which `target` has the revocation of entry `revoked` in force; the first
    /// with a refused canary if `verified`.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn landed(
        &self,
        target: &TargetId,
        list: List,
        revoked: u64,
        verified: bool,
    ) -> Result<Option<LandingRow>, StoreError> {
        // A list's version is the ledger's size when it was made.
        let mut select = self.connection()?.prepare_cached(
            "SELECT target, by, version, canary, at, latency, ended, seq, NULL FROM landing
             WHERE list = ?1 AND target = ?2 AND version > ?3 AND (canary = 1 OR NOT ?4)
             ORDER BY version, seq LIMIT 1",
        )?;
        let key = (list_number(list), target.as_str(), revoked, verified);
        select.query_row(key, Raw::read).optional()?.map(Raw::parse).transpose()
    }

    /// What `target` reported of `list` before entry `seq`, at last.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn reported_before(
        &self,
        target: &TargetId,
        list: List,
        seq: u64,
    ) -> Result<Option<LandingRow>, StoreError> {
        // Versions of one target never go back.
        let mut select = self.connection()?.prepare_cached(
            "SELECT target, by, version, canary, at, latency, ended, seq, NULL FROM landing
             WHERE list = ?1 AND target = ?2 AND seq < ?3 ORDER BY version DESC, seq DESC LIMIT 1",
        )?;
        let key = (list_number(list), target.as_str(), seq);
        select.query_row(key, Raw::read).optional()?.map(Raw::parse).transpose()
    }

    /// Targets that have not reported a list with the revocation of entry `revoked` and were not yet
    /// said to be late.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] if a row holds what it cannot hold; [`StoreError::Database`].
    pub fn late(
        &self,
        list: List,
        revoked: u64,
        limit: usize,
    ) -> Result<Vec<LandingRow>, StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT target.name, target.by, version, canary, at, latency, ended, landing.seq, overdue
             FROM target JOIN landing ON landing.seq = target.seq
             WHERE target.list = ?1 AND overdue IS NULL AND version <= ?2
             ORDER BY target.name LIMIT ?3",
        )?;
        let rows = select.query_map((list_number(list), revoked, limit), Raw::read)?;
        rows.map(|row| row?.parse()).collect()
    }

    /// How many targets `by` reports of.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn targets_of(&self, by: &PrincipalId) -> Result<u32, StoreError> {
        let mut count = self
            .connection()?
            .prepare_cached("SELECT count(DISTINCT name) FROM target WHERE by = ?1")?;
        Ok(count.query_row([by.as_str()], |row| row.get(0))?)
    }

    /// Whether any target ever reported.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn has_targets(&self) -> Result<bool, StoreError> {
        Ok(self.connection()?.prepare_cached("SELECT 1 FROM target LIMIT 1")?.exists(())?)
    }

    /// When `target` last saw `serial` used, by its own clock, and the entry that says so.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn sighting(
        &self,
        target: &TargetId,
        serial: u64,
    ) -> Result<Option<(Timestamp, u64)>, StoreError> {
        let mut select = self
            .connection()?
            .prepare_cached("SELECT at, seq FROM sighting WHERE serial = ?1 AND target = ?2")?;
        let found = select.query_row((serial.to_be_bytes(), target.as_str()), |row| {
            Ok((Timestamp::from_unix_seconds(row.get(0)?), row.get(1)?))
        });
        Ok(found.optional()?)
    }

    /// How many serials that the ledger does not know `target` saw since `since`, and the newest entry
    /// about one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn strangers(
        &self,
        target: &TargetId,
        since: Timestamp,
    ) -> Result<(u32, Option<u64>), StoreError> {
        let mut select = self.connection()?.prepare_cached(
            "SELECT count(*), max(seq) FROM sighting
             WHERE target = ?1 AND known = 0 AND recorded >= ?2",
        )?;
        let key = (target.as_str(), since.unix_seconds());
        Ok(select.query_row(key, |row| Ok((row.get(0)?, row.get(1)?)))?)
    }

    /// The newest `revoked` entry of a grant that is not closed and has a credential of this kind, and
    /// its second.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`]; [`StoreError::Database`].
    pub fn newest_revocation(&self, kind: Kind) -> Result<Option<(Timestamp, u64)>, StoreError> {
        let (first, other) = (is_of(kind, "request.serial"), is_of(kind, "further.serial"));
        let mut select = self.connection()?.prepare_cached(&format!(
            "SELECT id FROM request WHERE state = ?1 AND ({first} OR EXISTS (
                 SELECT 1 FROM further WHERE further.request = request.seq AND {other}))
             ORDER BY ended DESC, request.seq DESC LIMIT 1",
        ))?;
        let newest = select
            .query_row([State::Ended.number()], |row| row.get::<_, [u8; 16]>(0))
            .optional()?;
        let Some(id) = newest.map(super::standing::id).transpose()? else { return Ok(None) };
        for record in self.grant_entries(id)? {
            let entry = record.parse()?;
            if let Body::Revoked(_) = entry.body {
                return Ok(Some((entry.time.second(), entry.seq)));
            }
        }
        Ok(None)
    }
}

/// The condition that the serial in this column is of a credential of this `kind`. By a look-up of each,
/// because these tables keep what is closed.
pub(super) fn is_of(kind: Kind, column: &str) -> String {
    match kind {
        Kind::Ssh => format!(
            "({column} NOT IN (SELECT seq FROM x509) AND {column} NOT IN (SELECT seq FROM token))"
        ),
        Kind::X509 => format!("{column} IN (SELECT seq FROM x509)"),
        Kind::Jwt => format!("{column} IN (SELECT seq FROM token)"),
    }
}

/// Records what a host reported.
pub(super) fn record(connection: &Connection, entry: &Entry) -> Result<(), StoreError> {
    if let Body::Applied(applied) = &entry.body {
        return land(connection, entry, applied);
    }
    if let Body::Used(used) = &entry.body {
        return see(connection, entry, &used.signed, true);
    }
    if let Body::Reconciled(body) = &entry.body
        && let Some(signed) = &body.signed
    {
        return see(connection, entry, signed, body.matched > 0);
    }
    if let Body::Config(config) = &entry.body
        && let ConfigChange::Overdue(Overdue { entry, target, version }) = &config.what
    {
        // The list is the one that was last reported in this version: a target goes by one.
        let mut update = connection.prepare_cached(
            "UPDATE target SET overdue = ?2 WHERE name = ?1 AND overdue IS NULL
             AND (SELECT version FROM landing WHERE landing.seq = target.seq) = ?3",
        )?;
        update.execute((target.as_str(), entry, version))?;
    }
    Ok(())
}

fn land(connection: &Connection, entry: &Entry, applied: &Applied) -> Result<(), StoreError> {
    let (seq, said) = (entry.seq, applied.signed.statement.as_str());
    let target: TargetId = word(seq, said, "target")?;
    let by: PrincipalId = word(seq, said, "by")?;
    let list = list_number(word(seq, said, "list")?);
    let version: u64 = word(seq, said, "version")?;
    let canary = canary_number(word(seq, said, "canary")?);
    let (latency, ended) = (number(seq, said, "latency")?, number(seq, said, "ended")?);
    let at = entry.time.second().unix_seconds();
    let mut insert = connection.prepare_cached(
        "INSERT INTO landing(seq, target, by, list, version, canary, at, latency, ended)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    insert.execute((
        seq,
        target.as_str(),
        by.as_str(),
        list,
        version,
        canary,
        at,
        latency,
        ended,
    ))?;
    let mut newest = connection.prepare_cached(
        "INSERT INTO target(name, list, by, seq) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT(name, list) DO UPDATE SET by = ?3, seq = ?4,
             overdue = CASE WHEN overdue < ?5 THEN NULL ELSE overdue END",
    )?;
    newest.execute((target.as_str(), list, by.as_str(), seq, version))?;
    Ok(())
}

fn see(
    connection: &Connection,
    entry: &Entry,
    signed: &Signed,
    known: bool,
) -> Result<(), StoreError> {
    let (seq, said) = (entry.seq, signed.statement.as_str());
    let target: TargetId = word(seq, said, "target")?;
    let serial: u64 = word(seq, said, "serial")?;
    let at: Timestamp = word(seq, said, "at")?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO sighting(serial, target, known, at, recorded, seq)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT(serial, target) DO UPDATE SET known = ?3, at = ?4, recorded = ?5, seq = ?6",
    )?;
    let recorded = entry.time.second().unix_seconds();
    let serial = serial.to_be_bytes();
    insert.execute((serial, target.as_str(), known, at.unix_seconds(), recorded, seq))?;
    Ok(())
}

struct Raw {
    target: String,
    by: String,
    version: u64,
    canary: i64,
    at: u64,
    latency: Option<u64>,
    ended: Option<u64>,
    seq: u64,
    overdue: Option<u64>,
}

impl Raw {
    fn read(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            target: row.get(0)?,
            by: row.get(1)?,
            version: row.get(2)?,
            canary: row.get(3)?,
            at: row.get(4)?,
            latency: row.get(5)?,
            ended: row.get(6)?,
            seq: row.get(7)?,
            overdue: row.get(8)?,
        })
    }

    fn parse(self) -> Result<LandingRow, StoreError> {
        let damaged = |what| move |_| StoreError::Damaged { what };
        let canary = match self.canary {
            0 => Canary::Untried,
            1 => Canary::Refused,
            2 => Canary::Accepted,
            _ => return Err(StoreError::Damaged { what: "landing.canary" }),
        };
        Ok(LandingRow {
            target: self.target.parse().map_err(damaged("landing.target"))?,
            by: self.by.parse().map_err(damaged("landing.by"))?,
            version: self.version,
            canary,
            at: Timestamp::from_unix_seconds(self.at),
            latency: self.latency,
            ended: self.ended,
            seq: self.seq,
            overdue: self.overdue,
        })
    }
}

const fn list_number(list: List) -> i64 {
    match list {
        List::Krl => 1,
        List::Crl => 2,
        List::Deny => 3,
    }
}

const fn canary_number(canary: Canary) -> i64 {
    match canary {
        Canary::Untried => 0,
        Canary::Refused => 1,
        Canary::Accepted => 2,
    }
}
