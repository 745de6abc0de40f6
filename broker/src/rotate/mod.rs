//! `breakglassd rotate`: one of the broker's keys gives way to the next, and both are trusted meanwhile.
//!
//! *next* (published, signs nothing) → current (an entry `keys` says so) → *old* (until the last thing it
//! signed is over) → gone. The log's key is not among them: it is the ledger's identity. It needs a
//! stopped daemon; a crash between any two steps is finished by the next start.

pub(crate) mod agreed;
mod table;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

use breakglass_ledger::entry::KeyRole;
use breakglass_ledger::time::Timestamp;

use crate::clock::{Clock, SystemClock};
use crate::config::Layout;
use crate::desk::{Desk, DeskError, Parts};
use crate::entropy::SystemEntropy;
use crate::house::{self, HouseError};
use crate::init::write_trusted;
use crate::mint::{Custody, Found, Held, Mint, MintError, NextKey, PublicParts, Stage};
use crate::store::{GuardPolicy, StoreError};

pub use self::agreed::Disagreement;
use self::agreed::Named;
pub use self::table::status;

/// How long a next key is published before it signs, in seconds: AWS keeps a key set for 24 hours, and
/// whoever copies keys to hosts by hand does it within a day.
pub const PUBLISHED_SECONDS: u64 = 24 * 60 * 60;

/// One step in the life of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make the next key.
    Prepare {
        /// In a file, though the configuration names tokens for this role.
        in_file: bool,
    },
    /// The next key becomes the current one.
    Switch {
        /// Although it was not published for a day: the current one is known to others.
        now: bool,
    },
    /// Old keys are trusted no longer.
    Retire {
        /// Although something they signed still counts: why.
        forced: Option<String>,
    },
    /// A next key is not wanted after all.
    Abandon,
}

/// A key was not rotated. What the ledger says holds; running the same step again is always safe.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The daemon has the state directory.
    #[error("the daemon is running; stop it, run this again, and start it")]
    Running,
    /// The state directory cannot be used.
    #[error("the state directory cannot be used")]
    House(#[from] HouseError),
    /// The keys cannot be used.
    #[error("the keys cannot be changed")]
    Mint(#[from] MintError),
    /// The entry was not written.
    #[error("the ledger was not told; the keys are as before")]
    Desk(#[from] DeskError),
    /// The ledger cannot be read.
    #[error("the ledger cannot be read")]
    Store(#[from] StoreError),
    /// What hosts and clients are given could not be written.
    #[error("the files for hosts and clients could not be written; run the same step again")]
    Papers(#[source] HouseError),
    /// There is a next key already.
    #[error("there is a next key for {} already; go on with `rotate switch`", .0.name())]
    Prepared(KeyRole),
    /// There is no next key.
    #[error("there is no next key for {}; make one with `rotate prepare`", .0.name())]
    Unprepared(KeyRole),
    /// Those who trust the current key may not know the next one yet.
    #[error(
        "the next key for {} is published since {since}; who keeps keys for a day knows it at {from}. \
         If others know the current key, do not wait: --now", role.name()
    )]
    TooEarly {
        /// Which key.
        role: KeyRole,
        /// When it was made.
        since: Timestamp,
        /// First second at which it may sign.
        from: Timestamp,
    },
    /// The next key could sign nothing.
    #[error(
        "the next key for {} is in a token that cannot be used: {why}. Put that right first; the key of \
         now goes on signing", role.name()
    )]
    Away {
        /// Which key.
        role: KeyRole,
        /// What the token said.
        why: String,
    },
    /// There is no old key.
    #[error("there is no old key for {}", .0.name())]
    NoneOld(KeyRole),
    /// Something that an old key signed still counts.
    #[error(
        "something that the old key for {} signed counts until {until}; while it is trusted its \
         revocations are published. If others know it, take it from every host first, then \
         --force REASON", role.name()
    )]
    StillCounts {
        /// Which key.
        role: KeyRole,
        /// First second at which nothing counts any more.
        until: Timestamp,
    },
}

/// Takes one step with the key of `role` below `state` and says what is to be done next.
///
/// # Errors
///
/// [`RotateError`].
pub fn run(
    state: &Path,
    custody: &Custody,
    role: KeyRole,
    step: &Step,
) -> Result<String, RotateError> {
    // Nor does `breakglassd keys` encrypt meanwhile what is moved here.
    let _alone = house::alone(state)?;
    let parts = open(state, custody)?;
    // A step before may have been interrupted between the keys and these files; to repeat it is refused.
    give_out(state, parts.mint.public())?;
    let now = SystemClock.now().second();
    let done = match step {
        Step::Prepare { in_file } => {
            let named = Named::read(&parts.store.reader()?).map_err(HouseError::Keys)?;
            let spent = named.keys();
            let wanted = NextKey { role, custody, in_file: *in_file, spent: &spent, now };
            prepare(state, &parts, &wanted)?
        }
        Step::Switch { now: at_once } => switch(state, parts, role, now, *at_once)?,
        Step::Retire { forced } => retire(state, &parts, role, now, forced.as_deref())?,
        Step::Abandon => abandon(state, &parts, role)?,
    };
    give_out(state, house::existing_keys(state, custody)?.public())?;
    Ok(done)
}

/// What hosts and clients trust from here on, as files.
fn give_out(state: &Path, public: &PublicParts) -> Result<(), RotateError> {
    write_trusted(&Layout::of(state), public).map_err(RotateError::Papers)
}

fn open(state: &Path, custody: &Custody) -> Result<Parts, RotateError> {
    match house::open(state, custody, Arc::new(SystemClock), GuardPolicy::Require, false) {
        Err(HouseError::Store(StoreError::Locked(_))) => Err(RotateError::Running),
        opened => Ok(opened?),
    }
}

fn prepare(state: &Path, parts: &Parts, wanted: &NextKey<'_>) -> Result<String, RotateError> {
    let (role, now) = (wanted.role, wanted.now);
    if next(parts.mint.public(), role).is_some() {
        return Err(RotateError::Prepared(role));
    }
    parts.mint.prepare(state, wanted, &SystemEntropy::new())?;
    let from = now.plus(PUBLISHED_SECONDS);
    let name = role.name();
    if parts.mint.public().current(role).is_none() {
        return Ok(format!(
            "the first key for {name} is made. It signs nothing before\n  breakglassd rotate switch {name}"
        ));
    }
    Ok(format!(
        "the next key for {name} is made; the daemon publishes it beside the current one from its next \
         start on.\nGive it to everybody who trusts the current one. From {from} on:\n  \
         breakglassd rotate switch {name}"
    ))
}

fn switch(
    state: &Path,
    parts: Parts,
    role: KeyRole,
    now: Timestamp,
    at_once: bool,
) -> Result<String, RotateError> {
    let public = parts.mint.public();
    let (since, key) = next(public, role).ok_or(RotateError::Unprepared(role))?;
    let from = since.plus(PUBLISHED_SECONDS);
    // A first key replaces none, so nobody could have kept another.
    if now < from && !at_once && public.current(role).is_some() {
        return Err(RotateError::TooEarly { role, since, from });
    }
    if let Held::Token(Found::Away(why)) = parts.mint.held(role, Some(Stage::Next { since })) {
        return Err(RotateError::Away { role, why });
    }
    let desk = Desk::start(parts)?;
    let (answer, told) = channel();
    // The receiver waits below; it cannot be gone.
    desk.rekey(role, key, Box::new(move |written| drop(answer.send(written))))?;
    let seq = told.recv().map_err(|_| DeskError::Stopped)??.seq;
    // Its lock goes with it: no daemon starts between the entry and the files and finds them apart,
    // and if one did, it would finish this.
    drop(desk);
    Mint::switch(state, role, seq)?;
    let name = role.name();
    Ok(format!(
        "entry {seq}: from here on the key for {name} is the one that was next. The one of before stays \
         trusted.\nWhen `breakglassd rotate status` says that nothing it signed counts any more:\n  \
         breakglassd rotate retire {name}"
    ))
}

fn retire(
    state: &Path,
    parts: &Parts,
    role: KeyRole,
    now: Timestamp,
    forced: Option<&str>,
) -> Result<String, RotateError> {
    let old: Vec<(Stage, u64)> = parts
        .mint
        .public()
        .others_of(role)
        .filter_map(|other| match other.stage {
            Stage::Old { until } => Some((other.stage, until)),
            Stage::Next { .. } => None,
        })
        .collect();
    if old.is_empty() {
        return Err(RotateError::NoneOld(role));
    }
    let reader = parts.store.reader()?;
    // Of all before any is removed: what is refused has changed nothing.
    for (_, seq) in &old {
        let until = reader.outlived(role, *seq)?;
        if let (Some(until), None) = (until.filter(|until| now < *until), forced) {
            return Err(RotateError::StillCounts { role, until });
        }
    }
    let mut not_in_files = 0_usize;
    for (stage, seq) in &old {
        if let Some(reason) = forced {
            tracing::warn!(role = role.name(), seq, reason, "an old key is retired by force");
        }
        let is_file = parts.mint.held(role, Some(*stage)) == Held::File;
        not_in_files = not_in_files.saturating_add(usize::from(!is_file));
        Mint::remove_key(state, role, *stage)?;
    }
    Ok(format!(
        "{} old for {} removed. Take it from hosts, servers and clients as well: the files in {} no \
         longer have it{}",
        old.len(),
        role.name(),
        state.display(),
        if not_in_files == 0 { "" } else { LEFT_BEHIND }
    ))
}

fn abandon(state: &Path, parts: &Parts, role: KeyRole) -> Result<String, RotateError> {
    let (since, _) = next(parts.mint.public(), role).ok_or(RotateError::Unprepared(role))?;
    let stage = Stage::Next { since };
    let is_file = parts.mint.held(role, Some(stage)) == Held::File;
    Mint::remove_key(state, role, stage)?;
    let name = role.name();
    let more = if is_file { "" } else { LEFT_BEHIND };
    Ok(format!("the next key for {name} is removed; it never signed anything{more}"))
}

/// When the next key of `role` was made, and what the ledger would call it.
fn next(public: &PublicParts, role: KeyRole) -> Option<(Timestamp, String)> {
    public.others_of(role).find_map(|other| match other.stage {
        Stage::Next { since } => Some((since, other.key.named().ok()?)),
        Stage::Old { .. } => None,
    })
}

/// What only the owner of a token can do, and what the configuration must not say any more.
const LEFT_BEHIND: &str = ".\nThe key itself is still in its token: destroy it there, with the token's own tool, and take its \
                              place out of the configuration";

#[cfg(test)]
mod tests;
