//! `breakglassd rotate status`: which keys there are, and what may be done with them.

use std::fmt::Write as _;
use std::path::Path;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::KeyRole;
use breakglass_ledger::time::Timestamp;

use super::{PUBLISHED_SECONDS, RotateError, open};
use crate::house;
use crate::mint::{Custody, OtherKey, PublicParts, RoleKey, Stage};
use crate::store::Reader;

/// One key.
struct Row {
    role: KeyRole,
    stage: &'static str,
    key: String,
    /// Since when it is next; the entry that ended it.
    mark: String,
    until: Option<Timestamp>,
    what: &'static str,
}

/// Every key below `state`, as a table or as JSON. With a running daemon it does not say how long old
/// keys are needed.
///
/// # Errors
///
/// [`RotateError`].
pub fn status(state: &Path, custody: &Custody, json: bool) -> Result<String, RotateError> {
    let (public, reader) = match open(state, custody) {
        Ok(parts) => (parts.mint.public().clone(), Some(parts.store.reader()?)),
        Err(RotateError::Running) => (house::existing_keys(state, custody)?.public().clone(), None),
        Err(error) => return Err(error),
    };
    let mut rows = Vec::new();
    for role in KeyRole::ALL {
        rows.extend(rows_of(&public, reader.as_ref(), role)?);
    }
    Ok(if json { as_json(&rows) } else { as_table(&rows) })
}

fn rows_of(
    public: &PublicParts,
    reader: Option<&Reader>,
    role: KeyRole,
) -> Result<Vec<Row>, RotateError> {
    let mut rows = Vec::new();
    let (mark, until) = (String::new(), None);
    match public.current(role) {
        Some(key) => {
            let key = short(&key)?;
            rows.push(Row { role, stage: "current", key, mark, until, what: "" });
        }
        None => {
            let (key, what) = (String::new(), "rotate prepare");
            rows.push(Row { role, stage: "none", key, mark, until, what });
        }
    }
    for other in public.others_of(role) {
        rows.push(row(other, reader)?);
    }
    Ok(rows)
}

fn row(other: &OtherKey, reader: Option<&Reader>) -> Result<Row, RotateError> {
    let (role, key) = (other.key.role(), short(&other.key)?);
    Ok(match other.stage {
        Stage::Next { since } => Row {
            role,
            stage: "next",
            key,
            mark: format!("made {since}"),
            until: Some(since.plus(PUBLISHED_SECONDS)),
            what: "then rotate switch",
        },
        Stage::Old { until } => {
            let counts = reader.map(|reader| reader.outlived(role, until)).transpose()?.flatten();
            let mark = format!("until entry {until}");
            Row { role, stage: "old", key, mark, until: counts, what: "then rotate retire" }
        }
    })
}

fn as_table(rows: &[Row]) -> String {
    let mut text = String::from(
        "ROLE     STAGE    KEY               SINCE, UNTIL               NOT BEFORE            THEN\n",
    );
    for Row { role, stage, key, mark, until, what } in rows {
        let until = until.map(|until| until.to_string()).unwrap_or_default();
        let name = role.name();
        let what = what.strip_prefix("then ").unwrap_or(what);
        let line = format!("{name:<8} {stage:<8} {key:<17} {mark:<26} {until:<21} {what}");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text.push_str("The log's key is the ledger's identity and is never replaced.");
    text
}

fn as_json(rows: &[Row]) -> String {
    let objects = rows.iter().map(|row| {
        let until = row.until.map(|until| until.to_string());
        let next = row.what.strip_prefix("then ").unwrap_or(row.what);
        serde_json::json!({
            "role": row.role.name(),
            "stage": row.stage,
            "key": row.key,
            "mark": row.mark,
            "not-before": until,
            "then": next,
        })
    });
    serde_json::Value::Array(objects.collect()).to_string()
}

/// The first 16 hex digits of SHA-256 of what the ledger calls it: enough to tell keys apart.
fn short(key: &RoleKey) -> Result<String, RotateError> {
    let digest = Digest::of(key.named()?.as_bytes()).to_string();
    Ok(digest.get(..16).unwrap_or_default().to_owned())
}
