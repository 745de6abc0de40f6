//! What the entries say about requests, deadlines, statements and policies, kept in tables.
//!
//! Derived from the entry itself, inside the transaction that appends it, so that it can be neither
//! forgotten nor said differently. The same code derives it again for
//! [`Read::rebuild_and_compare`](super::Read::rebuild_and_compare).
//!
//! The rules of the house are judged before, in `rules`. What is refused here would make the tables
//! contradict themselves; it is a fault of ours, not of a person.

use data_encoding::BASE64;
use rusqlite::{Connection, ErrorCode, OptionalExtension};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{
    Body, ConfigChange, Drill, Entry, Issued, Link, Policy, Requested, Reviewed, Signed,
};
use breakglass_ledger::principal::{PrincipalId, ScopeId};
use breakglass_ledger::statement::{Lane, ReviewVerdict};
use breakglass_ledger::time::Timestamp;
use breakglass_rules::{CLOSE_AFTER_SECONDS, World};

use super::error::StoreError;
use super::standing::{State, lane_number, verdict_number};
use super::{keys, landing, tokens, world, x509};

/// Records in the derived tables what `entry` says.
pub(super) fn record(connection: &Connection, entry: &Entry) -> Result<(), StoreError> {
    if let Some(signed) = entry.body.signed() {
        remember(connection, entry.seq, signed)?;
    }
    landing::record(connection, entry)?;
    if let Body::Requested(requested) = &entry.body {
        return begin(connection, entry.seq, requested);
    }
    if let Body::Reviewed(reviewed) = &entry.body {
        return look_back(connection, entry.seq, reviewed);
    }
    if let Body::Drill(drill) = &entry.body {
        return practise(connection, entry, drill);
    }
    if let Some(link) = entry.grant() {
        return go_on(connection, entry, link);
    }
    if let Body::Policy(policy) = &entry.body {
        return put_in_force(connection, entry.seq, policy);
    }
    if let Body::Keys(named) = &entry.body {
        return keys::record(connection, entry, named);
    }
    if World::follows(&entry.body) {
        return world::record(connection, entry);
    }
    Ok(())
}

/// Deletes the text that `entry` says was erased. Answers whether there was one to delete.
pub(super) fn erase(connection: &Connection, entry: &Entry) -> Result<bool, StoreError> {
    let Body::Config(config) = &entry.body else { return Ok(false) };
    let ConfigChange::Erased { text } = &config.what else { return Ok(false) };
    let mut delete = connection.prepare_cached(
        "DELETE FROM text WHERE substr(digest, 1, 8) = substr(?1, 1, 8) AND digest = ?1",
    )?;
    Ok(delete.execute([text.as_bytes()])? > 0)
}

/// One statement makes one entry.
fn remember(connection: &Connection, seq: u64, signed: &Signed) -> Result<(), StoreError> {
    let expires: Timestamp = word(seq, &signed.statement, "expires")?;
    let mut insert = connection
        .prepare_cached("INSERT INTO statement(expires, digest, seq) VALUES (?1, ?2, ?3)")?;
    insert
        .execute((expires.unix_seconds(), signed.digest().as_bytes(), seq))
        .map_err(|error| or_taken(error, || StoreError::Repeated { seq }))?;
    Ok(())
}

fn begin(connection: &Connection, seq: u64, requested: &Requested) -> Result<(), StoreError> {
    let Requested { link, signed, lapses, .. } = requested;
    let refused = |rule| StoreError::Grant { seq, request: link.grant, rule };
    if link.gseq != 0 {
        return Err(refused("a request is the first of its grant"));
    }
    let scope: ScopeId = word(seq, &signed.statement, "scope")?;
    let by: PrincipalId = word(seq, &signed.statement, "by")?;
    let lane: Lane = word(seq, &signed.statement, "lane")?;
    let subject = subject(seq, &signed.statement)?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO request(seq, id, digest, subject, scope, by, state, due, lane)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    insert
        .execute((
            seq,
            link.grant.as_bytes(),
            signed.digest().as_bytes(),
            subject.as_ref().map(Digest::as_bytes),
            scope.as_str(),
            by.as_str(),
            State::Open.number(),
            lapses.unix_seconds(),
            lane_number(lane),
        ))
        .map_err(|error| or_taken(error, || refused("its id is new")))?;
    enlist(connection, seq, link.gseq, seq)
        .map_err(|error| or_taken(error, || refused("its id is new")))?;
    Ok(())
}

fn go_on(connection: &Connection, entry: &Entry, link: &Link) -> Result<(), StoreError> {
    let refused = |rule| StoreError::Grant { seq: entry.seq, request: link.grant, rule };
    let grant = Grant::find(connection, link)?.ok_or_else(|| refused("it was requested before"))?;
    if grant.state == State::Closed.number() {
        return Err(refused("nothing follows `closed`"));
    }
    enlist(connection, grant.seq, link.gseq, entry.seq)
        .map_err(|error| or_taken(error, || refused("its place in the grant is free")))?;
    match &entry.body {
        Body::Issued(issued) => {
            if issued.serial != entry.seq {
                return Err(refused("a credential's serial is the seq of its entry"));
            }
            x509::issued(connection, grant.seq, issued)?;
            tokens::issued(connection, grant.seq, issued, entry.time.second())?;
            if grant.state == State::Live.number() && grant.may_add(connection, issued)? {
                return grant.add(connection, issued.serial);
            }
            if grant.state != State::Open.number() {
                return Err(refused("a credential of a kind is issued once, and none after the end"));
            }
            grant.go_live(connection, issued, entry.time.second())
        }
        Body::Revoked(revoked) => {
            if grant.state != State::Live.number() {
                return Err(refused("only what is live is revoked"));
            }
            x509::revoked(connection, revoked, entry.time.second())?;
            tokens::revoked(connection, revoked, entry.time.second())?;
            let due = revoked.valid_before.plus(CLOSE_AFTER_SECONDS);
            grant.leave(connection, State::Ended, Some(due), Some(entry.time.second()))
        }
        Body::Closed(_) => grant.leave(connection, State::Closed, None, None),
        // Denied, withdrawn and lapsed are followed by `closed` in the same transaction.
        Body::Approved(_)
        | Body::Denied(_)
        | Body::Withdrawn(_)
        | Body::Escalated(_)
        | Body::Lapsed(_)
        | Body::PickedUp(_)
        | Body::Used(_)
        // The rest belongs to no grant, or was dealt with before.
        | Body::Requested(_)
        | Body::Genesis(_)
        | Body::Policy(_)
        | Body::Applied(_)
        | Body::Refused(_)
        | Body::Locked(_)
        | Body::Unlocked(_)
        | Body::OutageBegan(_)
        | Body::OutageEnded(_)
        | Body::Reviewed(_)
        | Body::Drill(_)
        | Body::Anchor(_)
        | Body::Keys(_)
        | Body::Reconciled(_)
        | Body::Config(_) => Ok(()),
    }
}

/// Where a request stands before the entry.
struct Grant {
    seq: u64,
    state: i64,
    scope: String,
}

impl Grant {
    fn find(connection: &Connection, link: &Link) -> Result<Option<Self>, StoreError> {
        let mut select =
            connection.prepare_cached("SELECT seq, state, scope FROM request WHERE id = ?1")?;
        let grant = select.query_row([link.grant.as_bytes()], |row| {
            Ok(Self { seq: row.get(0)?, state: row.get(1)?, scope: row.get(2)? })
        });
        Ok(grant.optional()?)
    }

    fn go_live(
        &self,
        connection: &Connection,
        issued: &Issued,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let mut update = connection.prepare_cached(
            "UPDATE request SET state = ?2, due = ?3, serial = ?4, issued = ?5 WHERE seq = ?1",
        )?;
        let (due, at) = (issued.grant_ends().unix_seconds(), at.unix_seconds());
        update.execute((self.seq, State::Live.number(), due, issued.serial, at))?;
        let mut count = connection.prepare_cached(
            "INSERT INTO scope(id, live) VALUES (?1, 1)
             ON CONFLICT(id) DO UPDATE SET live = live + 1",
        )?;
        count.execute([&self.scope])?;
        Ok(())
    }

    /// Whether `issued` ends with the grant. That it is another kind, or a token in the place of the
    /// one before, is for the rules, which fold the grant's entries.
    fn may_add(&self, connection: &Connection, issued: &Issued) -> Result<bool, StoreError> {
        let mut select =
            connection.prepare_cached("SELECT 1 FROM request WHERE seq = ?1 AND due = ?2")?;
        Ok(select.exists((self.seq, issued.grant_ends().unix_seconds()))?)
    }

    fn add(&self, connection: &Connection, serial: u64) -> Result<(), StoreError> {
        connection
            .prepare_cached("INSERT INTO further(serial, request) VALUES (?1, ?2)")?
            .execute((serial, self.seq))?;
        Ok(())
    }

    fn leave(
        &self,
        connection: &Connection,
        state: State,
        due: Option<Timestamp>,
        ended: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let mut update = connection.prepare_cached(
            "UPDATE request SET state = ?2, due = ?3, ended = coalesce(?4, ended) WHERE seq = ?1",
        )?;
        let seconds = |at: Option<Timestamp>| at.map(Timestamp::unix_seconds);
        update.execute((self.seq, state.number(), seconds(due), seconds(ended)))?;
        if self.state == State::Live.number() {
            let mut count =
                connection.prepare_cached("UPDATE scope SET live = live - 1 WHERE id = ?1")?;
            count.execute([&self.scope])?;
        }
        Ok(())
    }
}

fn enlist(
    connection: &Connection,
    request: u64,
    gseq: u64,
    seq: u64,
) -> Result<usize, rusqlite::Error> {
    connection
        .prepare_cached("INSERT INTO grant_entry(request, gseq, seq) VALUES (?1, ?2, ?3)")?
        .execute((request, gseq, seq))
}

/// The newest review is what counts.
fn look_back(connection: &Connection, seq: u64, reviewed: &Reviewed) -> Result<(), StoreError> {
    let verdict: ReviewVerdict = word(seq, &reviewed.signed.statement, "verdict")?;
    let mut update = connection.prepare_cached(
        "UPDATE request SET review = ?2 WHERE id = ?1 AND issued IS NOT NULL AND state > 2",
    )?;
    if update.execute((reviewed.request.as_bytes(), verdict_number(verdict)))? == 0 {
        let (request, rule) = (reviewed.request, "only a use that is over is reviewed");
        return Err(StoreError::Grant { seq, request, rule });
    }
    Ok(())
}

fn practise(connection: &Connection, entry: &Entry, drill: &Drill) -> Result<(), StoreError> {
    if !drill.passed {
        return Ok(());
    }
    let mut update = connection.prepare_cached(
        "INSERT INTO scope(id, live, drilled) VALUES (?1, 0, ?2)
         ON CONFLICT(id) DO UPDATE SET drilled = ?2",
    )?;
    update.execute((drill.scope.as_str(), entry.time.second().unix_seconds()))?;
    Ok(())
}

fn put_in_force(connection: &Connection, seq: u64, policy: &Policy) -> Result<(), StoreError> {
    let mut insert = connection
        .prepare_cached("INSERT INTO policy(version, digest, seq) VALUES (?1, ?2, ?3)")?;
    insert
        .execute((policy.version, policy.digest.as_bytes(), seq))
        .map_err(|error| or_taken(error, || StoreError::Repeated { seq }))?;
    Ok(())
}

/// `taken` if the row's key was there already.
fn or_taken(error: rusqlite::Error, taken: impl FnOnce() -> StoreError) -> StoreError {
    if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) {
        taken()
    } else {
        error.into()
    }
}

/// The value of a line of a statement, read as `T`.
///
/// The statement was parsed strictly before it was recorded: every line is there once, and no value
/// holds a line feed. So it is enough to find the line again; parsing the whole of it here would
/// cost more than the row.
pub(super) fn word<T: std::str::FromStr>(
    seq: u64,
    statement: &str,
    key: &str,
) -> Result<T, StoreError> {
    let value = line(statement, key).ok_or(StoreError::Statement { seq })?;
    value.parse().map_err(|_| StoreError::Statement { seq })
}

/// The number on a line that may be absent.
pub(super) fn number(seq: u64, statement: &str, key: &str) -> Result<Option<u64>, StoreError> {
    let value = line(statement, key);
    value.map(|value| value.parse().map_err(|_| StoreError::Statement { seq })).transpose()
}

/// SHA-256 of the subject key's wire form, from the line `key: <type> <base64>`.
fn subject(seq: u64, statement: &str) -> Result<Option<Digest>, StoreError> {
    let unreadable = || StoreError::Statement { seq };
    let key = line(statement, "key").ok_or_else(unreadable)?;
    if key == "none" {
        return Ok(None);
    }
    let (_, base64) = key.split_once(' ').ok_or_else(unreadable)?;
    let wire = BASE64.decode(base64.as_bytes()).map_err(|_| unreadable())?;
    Ok(Some(Digest::of(&wire)))
}

fn line<'a>(statement: &'a str, key: &str) -> Option<&'a str> {
    statement.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "))
}
