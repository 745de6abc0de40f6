//! `breakglassd init`: keys, genesis, first policy; then the files that people need.
//!
//! It is run twice. The first policy is signed by the quorum of its own authority, and the
//! manifest names the log, whose key does not exist before the first run.

mod papers;

use std::fmt::{Display, Write as _};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use breakglass_ledger::audit::TrustError;
use breakglass_ledger::bytes::Salt;
use breakglass_ledger::policy::{self, Files, PolicyError};
use breakglass_ledger::sshsig::SshSig;
use breakglass_ledger::statement::{Act, Statement};
use breakglass_rules::eligibility::Rules;

use crate::clock::SystemClock;
use crate::config::Layout;
use crate::desk::{DeskError, PolicyBundle, found};
use crate::entropy::{Entropy, EntropyError, SystemEntropy};
use crate::house::{self, HouseError};
use crate::mint::{Custody, Mint};
use crate::store::{Store, StoreError};

pub(crate) use self::papers::{client_config, write_papers, write_trusted};

/// Exit code when a signature is still missing, as for a request that still waits.
const STILL_PENDING: u8 = 3;

/// Exit code when the policy is refused.
const REFUSED: u8 = 5;

/// Largest policy file, manifest or signature that is read: the policy's own limits are below it.
const FILE_MAX_BYTES: u64 = 4 << 20;

/// Signature files looked at: far more than any authority has signers.
const SIGNATURE_FILES_MAX: usize = 64;

/// What `init` is asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The state directory.
    pub state: PathBuf,
    /// The deployment's name.
    pub name: String,
    /// The policy directory.
    pub policy: PathBuf,
    /// Addresses for the clients' configuration.
    pub advertise: Vec<String>,
}

/// `init` could not be carried out; what exists already stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The state directory cannot be used.
    #[error("the state directory cannot be used")]
    House(#[from] HouseError),
    /// There is a ledger already.
    #[error("there is a ledger in {} already; change its policy with `breakglass policy push`", .0.display())]
    Founded(PathBuf),
    /// There was a ledger: a second one under its keys would be a second history of one log.
    #[error("the ledger {} is gone, and there was one; restore it from a backup", .0.display())]
    Lost(PathBuf),
    /// A file of the policy cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of the policy is too large.
    #[error("{} is larger than {FILE_MAX_BYTES} bytes", .0.display())]
    TooLarge(PathBuf),
    /// The manifest or a signature is not what it should be.
    #[error("{}: {rule}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        rule: String,
    },
    /// The ledger could not be begun.
    #[error("the ledger could not be begun")]
    Desk(#[from] DeskError),
    /// The ledger could not be made.
    #[error("the ledger could not be made")]
    Store(#[from] StoreError),
    /// The trust file could not be written down.
    #[error("the trust file could not be made")]
    Trust(#[from] TrustError),
    /// There is no randomness.
    #[error("no randomness")]
    Entropy(#[from] EntropyError),
}

/// Runs `init` and prints what comes next.
///
/// # Errors
///
/// [`InitError`]; running it again after mending the cause is always safe.
pub fn run(wanted: &Wanted, custody: &Custody) -> Result<ExitCode, InitError> {
    let layout = Layout::of(&wanted.state);
    if layout.ledger().join("ledger.db").exists() {
        return finish(wanted, &layout, custody);
    }
    if papers::are_written(&layout) {
        return Err(InitError::Lost(layout.ledger()));
    }
    let files = read_files(&wanted.policy)?;
    let faults = match policy::check(&files) {
        Ok(checked) => told(&Rules::faults(&checked)),
        Err(faults) => told(&faults),
    };
    if !faults.is_empty() {
        eprint!("{faults}");
        return Ok(ExitCode::from(REFUSED));
    }
    house::make(&wanted.state)?;
    let _alone = house::alone(&wanted.state)?;
    let mint = house::keys(&wanted.state, &wanted.name, custody)?;
    let manifest = manifest(&wanted.policy, &files, &mint)?;
    let bundle = PolicyBundle { signatures: signatures(&wanted.policy)?, files };
    match begin(&layout, &mint, &manifest, &bundle) {
        Ok(()) => {}
        Err(InitError::Desk(DeskError::Policy(error))) => {
            eprint!("{}", unsigned(wanted, &mint, &error));
            return Ok(ExitCode::from(STILL_PENDING));
        }
        Err(error) => return Err(error),
    }
    write_papers(&layout, &mint, &bundle.files, &wanted.advertise)?;
    print!("{}", done(wanted, &layout, &mint));
    Ok(ExitCode::SUCCESS)
}

/// A crash between the ledger and its papers leaves these to be written; otherwise there is nothing
/// left to do here.
fn finish(wanted: &Wanted, layout: &Layout, custody: &Custody) -> Result<ExitCode, InitError> {
    if papers::are_written(layout) {
        return Err(InitError::Founded(wanted.state.clone()));
    }
    let mint = house::existing_keys(&wanted.state, custody)?;
    let files = papers::first_files(layout, &mint)?;
    write_papers(layout, &mint, &files, &wanted.advertise)?;
    print!("{}", done(wanted, layout, &mint));
    Ok(ExitCode::SUCCESS)
}

/// Writes the first entries. The database is made under another name and moved into place, so that
/// a policy that is not yet signed, or a crash, leaves no half-made ledger.
pub(crate) fn begin(
    layout: &Layout,
    mint: &Mint,
    manifest: &Statement,
    bundle: &PolicyBundle,
) -> Result<(), InitError> {
    // Judged before anything is made; judged again by `found`.
    policy::activate(manifest, &bundle.signatures, &bundle.files, &mint.public().origin, None)
        .map_err(DeskError::Policy)?;
    let unfinished = layout.state.join("ledger.new");
    let failed = |source| HouseError::File { path: unfinished.clone(), source };
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(failed)?;
    }
    let mut store = Store::create(&unfinished, &mint.public().log)?;
    found(&mut store, mint, &SystemClock, &SystemEntropy::new(), manifest, bundle)?;
    drop(store);
    std::fs::rename(&unfinished, layout.ledger()).map_err(failed)?;
    // A ledger that a power cut takes back would be begun again, under the same identity.
    let state = std::fs::File::open(&layout.state);
    state.and_then(|state| state.sync_all()).map_err(failed)?;
    Ok(())
}

fn read_files(policy: &Path) -> Result<Files, InitError> {
    let mut fault = None;
    let files = Files::gather(|name| match read(&policy.join(name)) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            fault = Some(error);
            None
        }
    });
    match (files, fault) {
        (Ok(files), None) => Ok(files),
        (_, Some(fault)) => Err(fault),
        (Err(name), None) => Err(InitError::Malformed {
            path: policy.join(name),
            rule: "this file of the policy is missing".to_owned(),
        }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, InitError> {
    let unreadable = |source| InitError::Unreadable { path: path.into(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    let limit = FILE_MAX_BYTES.saturating_add(1);
    let read = file.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(read).unwrap_or(u64::MAX) > FILE_MAX_BYTES {
        return Err(InitError::TooLarge(path.into()));
    }
    Ok(bytes)
}

/// The manifest in the policy directory, written now if it is missing, or was for other files or
/// another log and therefore cannot be meant.
fn manifest(policy: &Path, files: &Files, mint: &Mint) -> Result<Statement, InitError> {
    let path = policy.join(MANIFEST);
    let origin = &mint.public().origin;
    let wanted = files.manifest(1, breakglass_ledger::bytes::Digest::ZERO);
    let malformed = |rule: String| InitError::Malformed { path: path.clone(), rule };
    if path.exists() {
        let found = Statement::parse(&read(&path)?)
            .map_err(|error| malformed(format!("{error}; remove it and run init again")))?;
        if found.log() == origin && found.act() == &Act::Policy(wanted.clone()) {
            return Ok(found);
        }
    }
    let mut nonce = [0; 16];
    SystemEntropy::new().fill(&mut nonce)?;
    let act = Act::Policy(wanted);
    let made = Statement::compose(origin, None, act, None, Salt::from_bytes(nonce))
        .map_err(|error| malformed(error.to_string()))?;
    house::write_new(&path, made.text().as_bytes(), 0o644)?;
    Ok(made)
}

/// Every `*.sig` in the policy directory's `signatures`, in name order.
fn signatures(policy: &Path) -> Result<Vec<SshSig>, InitError> {
    let folder = policy.join(SIGNATURES);
    let Ok(listing) = std::fs::read_dir(&folder) else { return Ok(Vec::new()) };
    let mut paths: Vec<PathBuf> = listing
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|ending| ending == "sig"))
        .take(SIGNATURE_FILES_MAX)
        .collect();
    paths.sort();
    paths.iter().map(|path| signature(path)).collect()
}

fn signature(path: &Path) -> Result<SshSig, InitError> {
    let malformed = |rule: String| InitError::Malformed { path: path.into(), rule };
    let text = String::from_utf8(read(path)?)
        .map_err(|_| malformed("not text; sign again with `breakglass policy sign`".into()))?;
    SshSig::parse(&text).map_err(|error| malformed(error.to_string()))
}

/// The faults and how many; empty if there are none.
fn told<F: Display>(faults: &[F]) -> String {
    if faults.is_empty() {
        return String::new();
    }
    let mut text = String::new();
    for fault in faults {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{fault}");
    }
    let _ = writeln!(text, "breakglassd: the policy has {} faults; nothing was made", faults.len());
    text
}

fn unsigned(wanted: &Wanted, mint: &Mint, error: &PolicyError) -> String {
    format!(
        "The keys of {origin} are made; its ledger is not, because the policy is not yet signed:\n  \
         {why}\n\
         Have the signers of authority.toml sign {manifest}, each with their own key:\n  \
         breakglass policy sign {policy} --key ~/.ssh/id_ed25519\n\
         or with stock tools (and move the .sig into {policy}/{SIGNATURES}/):\n  \
         ssh-keygen -Y sign -f ~/.ssh/id_ed25519 -n policy.v1@breakglass {manifest}\n\
         Then run the same `breakglassd init` again.\n",
        origin = mint.public().origin,
        why = crate::report::chain(error),
        manifest = wanted.policy.join(MANIFEST).display(),
        policy = wanted.policy.display(),
    )
}

fn done(wanted: &Wanted, layout: &Layout, mint: &Mint) -> String {
    let public = mint.public();
    format!(
        "The ledger {origin} is begun.\n\n\
         For reviewers, {trust} (give it to them by hand; it is what they trust):\n\n{trust_text}\n\
         For clients, {client} (add `by` and `key` for each person):\n\n{client_text}\n\
         For hosts, {ca_file} (TrustedUserCAKeys):\n\n{ca}\n\
         and {lists_file} (who signs revocation lists):\n\n{lists}\n\
         For TLS servers, {x509_file} (who signs client certificates, and their list):\n\n{x509}\n\
         Next:\n  breakglassd serve --state {state}\n",
        origin = public.origin,
        trust = layout.trust().display(),
        trust_text = std::fs::read_to_string(layout.trust()).unwrap_or_default(),
        client = layout.client().display(),
        client_text = client_config(public, &wanted.advertise),
        ca_file = layout.ssh_ca().display(),
        ca = papers::ssh_ca(public),
        lists_file = layout.lists_allowed().display(),
        lists = papers::lists_allowed(public),
        x509_file = layout.x509_ca().display(),
        x509 = public.x509_ca.as_deref().unwrap_or_default(),
        state = wanted.state.display(),
    )
}

/// What the policy's authority signs, in the policy directory.
pub(crate) const MANIFEST: &str = "manifest";

/// Where its signatures are, in the policy directory.
pub(crate) const SIGNATURES: &str = "signatures";
