//! The state directory, opened: what every verb of the daemon begins with.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::{AHEAD_MAX_SECONDS, Clock, SystemClock};
use crate::config::Layout;
use crate::desk::Parts;
use crate::entropy::SystemEntropy;
use crate::mint::{Custody, Mint, MintError};
use crate::rotate::agreed::{Disagreement, Named};
use crate::store::{GuardPolicy, Store, StoreError};

/// Longest deployment name with its line feed, and a little room to say that there is too much.
const NAME_FILE_MAX_BYTES: u64 = 128;

/// The state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    /// A file cannot be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// `init` has not been here.
    #[error("{} is not a state directory; make one with `breakglassd init`", .0.display())]
    NotFounded(PathBuf),
    /// Another `init`, `keys` or `rotate` is under way.
    #[error("another init, keys or rotate is at work in {}; let it end, then look what it said", .0.display())]
    Busy(PathBuf),
    /// The keys cannot be used.
    #[error("the keys cannot be opened")]
    Mint(#[from] MintError),
    /// The ledger cannot be used.
    #[error("the ledger cannot be opened")]
    Store(#[from] StoreError),
    /// The key files are not those that the ledger names.
    #[error("the keys are not those of this ledger")]
    Keys(#[from] Disagreement),
    /// The clock is a month or more ahead of the ledger.
    #[error(
        "the clock says {now} and the newest entry is of {head}; if the daemon really stood still \
         for that long, start it once with --accept-clock; if not, set the clock first"
    )]
    ClockAhead {
        /// What the clock says.
        now: String,
        /// The time of the newest entry.
        head: String,
    },
}

/// Makes the state directory with mode 0700 if it is missing.
///
/// # Errors
///
/// [`HouseError::File`].
pub fn make(state: &Path) -> Result<(), HouseError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state)
        .map_err(|source| HouseError::File { path: state.into(), source })
}

/// Nobody else is setting up `state` for as long as the answer is kept: two at once could take each
/// other's unfinished files for their own.
///
/// # Errors
///
/// [`HouseError::Busy`] at once if somebody is.
pub fn alone(state: &Path) -> Result<File, HouseError> {
    let path = state.join("init.lock");
    let failed = |source| HouseError::File { path: path.clone(), source };
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let file = options.open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(HouseError::Busy(state.into())),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// The keys, made if there are none; the deployment's name is kept beside them.
///
/// # Errors
///
/// [`HouseError::Mint`] if the keys exist and cannot be used, or belong to another name.
pub fn keys(state: &Path, name: &str, custody: &Custody) -> Result<Mint, HouseError> {
    let now = SystemClock.now().second();
    match Mint::create_in(state, name, custody, &SystemEntropy::new(), now) {
        Ok(()) | Err(MintError::Exists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let mint = Mint::open_in(state, name, custody)?;
    write_new(&state.join(NAME_FILE), format!("{name}\n").as_bytes(), 0o600)?;
    Ok(mint)
}

/// The keys of a state directory that `init` has made.
///
/// # Errors
///
/// [`HouseError::NotFounded`], [`HouseError::Mint`].
pub fn existing_keys(state: &Path, custody: &Custody) -> Result<Mint, HouseError> {
    let path = state.join(NAME_FILE);
    let size = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
    if size == 0 || size > NAME_FILE_MAX_BYTES {
        return Err(HouseError::NotFounded(state.into()));
    }
    let name = std::fs::read_to_string(&path)
        .map_err(|source| HouseError::File { path: path.clone(), source })?;
    let mint = Mint::open_in(state, name.trim_end(), custody)?;
    forget_interrupted(state);
    Ok(mint)
}

/// Wipes what an interrupted `breakglassd keys` left: perhaps keys that are not encrypted. Those in
/// use were just opened, so it is needed for nothing.
fn forget_interrupted(state: &Path) {
    // Whoever is at it right now tidies up after themselves.
    let Ok(_alone) = alone(state) else { return };
    if let Err(error) = Mint::clear_interrupted(state) {
        crate::report::fault("removing what an interrupted `breakglassd keys` left", &error);
    }
}

/// What the desk works with, from a state directory that `init` has made.
///
/// # Errors
///
/// [`HouseError`]; nothing was changed.
pub fn open(
    state: &Path,
    custody: &Custody,
    clock: Arc<dyn Clock>,
    guard: GuardPolicy,
    accept_clock: bool,
) -> Result<Parts, HouseError> {
    let mut mint = existing_keys(state, custody)?;
    let store = Store::open(&Layout::of(state).ledger(), &mint.public().log, guard)?;
    let named = Named::read(&store.reader()?)?;
    if let Some((role, seq)) = named.unfinished(mint.public())? {
        // Stopped between the entry and the files: the entry decides.
        Mint::switch(state, role, seq)?;
        mint = existing_keys(state, custody)?;
    }
    named.check(mint.public(), Layout::of(state).keys())?;
    let (now, head) = (clock.now().second(), store.head().time.second());
    if !accept_clock && now.since(head) > AHEAD_MAX_SECONDS {
        return Err(HouseError::ClockAhead { now: now.to_string(), head: head.to_string() });
    }
    Ok(Parts { store, mint, clock, entropy: Arc::new(SystemEntropy::new()) })
}

/// Writes `bytes` to `path` by a temporary file and a rename, durable, with `mode`.
///
/// # Errors
///
/// [`HouseError::File`]; what was at `path` is then still there.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), HouseError> {
    let failed = |source| HouseError::File { path: path.into(), source };
    let temporary = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(mode);
    let mut file = options.open(&temporary).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&temporary, path).map_err(failed)
}

/// Holds the deployment's name.
const NAME_FILE: &str = "name";
