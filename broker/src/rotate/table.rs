//! `breakglassd rotate status`: which keys there are, and what may be done with them.

use std::fmt::Write as _;
use std::path::Path;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::KeyRole;
use breakglass_ledger::time::Timestamp;

use super::{PUBLISHED_SECONDS, RotateError, open};
use crate::house;
use crate::mint::{Custody, Found, Held, Mint, OtherKey, RoleKey, Stage};
use crate::store::Reader;

/// One key.
struct Row {
    role: KeyRole,
    stage: &'static str,
    key: String,
    held: Held,
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
    let (mint, reader) = match open(state, custody) {
        Ok(parts) => {
            let reader = parts.store.reader()?;
            (parts.mint, Some(reader))
        }
        Err(RotateError::Running) => (house::existing_keys(state, custody)?, None),
        Err(error) => return Err(error),
    };
    let mut rows = Vec::new();
    for role in KeyRole::ALL {
        rows.extend(rows_of(&mint, reader.as_ref(), role)?);
    }
    Ok(if json { as_json(&rows) } else { as_table(&rows) })
}

fn rows_of(mint: &Mint, reader: Option<&Reader>, role: KeyRole) -> Result<Vec<Row>, RotateError> {
    let mut rows = Vec::new();
    let (mark, until, held) = (String::new(), None, mint.held(role, None));
    match mint.public().current(role) {
        Some(key) => {
            let key = short(&key)?;
            rows.push(Row { role, stage: "current", key, held, mark, until, what: "" });
        }
        None => {
            let (key, what) = (String::new(), "rotate prepare");
            rows.push(Row { role, stage: "none", key, held, mark, until, what });
        }
    }
    for other in mint.public().others_of(role) {
        rows.push(row(other, mint.held(role, Some(other.stage)), reader)?);
    }
    Ok(rows)
}

fn row(other: &OtherKey, held: Held, reader: Option<&Reader>) -> Result<Row, RotateError> {
    let (role, key) = (other.key.role(), short(&other.key)?);
    Ok(match other.stage {
        Stage::Next { since } => Row {
            role,
            stage: "next",
            key,
            held,
            mark: format!("made {since}"),
            until: Some(since.plus(PUBLISHED_SECONDS)),
            what: "then rotate switch",
        },
        Stage::Old { until } => {
            let counts = reader.map(|reader| reader.outlived(role, until)).transpose()?.flatten();
            let mark = format!("until entry {until}");
            Row { role, stage: "old", key, held, mark, until: counts, what: "then rotate retire" }
        }
    })
}

/// Where a key is, in one word or two.
fn place(held: &Held) -> String {
    match held {
        Held::File => "file".to_owned(),
        Held::Token(Found::At { token, key }) => format!("{token}: {key}"),
        Held::Token(Found::Unasked) => "a token".to_owned(),
        Held::Token(Found::Away(_)) => "a token, away".to_owned(),
    }
}

fn as_table(rows: &[Row]) -> String {
    let kept = |row: &Row| if row.stage == "none" { String::new() } else { place(&row.held) };
    let wide = rows.iter().map(|row| kept(row).chars().count()).chain([KEPT.len()]).max();
    let wide = wide.unwrap_or_default();
    let mut text = format!(
        "ROLE     STAGE    KEY               {KEPT:<wide$} SINCE, UNTIL               NOT BEFORE            THEN\n",
    );
    for row in rows {
        let Row { role, stage, key, mark, until, what, .. } = row;
        let until = until.map(|until| until.to_string()).unwrap_or_default();
        let (name, kept) = (role.name(), kept(row));
        let what = what.strip_prefix("then ").unwrap_or(what);
        let line =
            format!("{name:<8} {stage:<8} {key:<17} {kept:<wide$} {mark:<26} {until:<21} {what}");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    for Row { role, stage, held, .. } in rows {
        if let Held::Token(Found::Away(why)) = held {
            let _ = writeln!(text, "The token of the {stage} {} is away: {why}.", role.name());
        }
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
            "kept": place(&row.held),
        })
    });
    serde_json::Value::Array(objects.collect()).to_string()
}

/// The first 16 hex digits of SHA-256 of what the ledger calls it: enough to tell keys apart.
fn short(key: &RoleKey) -> Result<String, RotateError> {
    let digest = Digest::of(key.named()?.as_bytes()).to_string();
    Ok(digest.get(..16).unwrap_or_default().to_owned())
}

/// Heading of where a key is.
const KEPT: &str = "KEPT";
