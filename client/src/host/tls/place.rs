//! The files that a server reads its lists from.

use std::path::{Path, PathBuf};

use super::authority::Authority;
use super::crl::{Crl, LIST_MAX, blocks};
use crate::host::replace::{ReplaceError, replace};
use crate::host::targets::Server;
use crate::state::read_bounded;

/// How many lists of one hash OpenSSL is given a chance to find: `.r0`, `.r1` and so on.
const SAME_HASH_MAX: u32 = 8;

/// Where they are.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// One file for each authority, `<hash>.rN`, as OpenSSL looks for them (openssl-rehash(1)).
    Directory(PathBuf),
    /// One file with the list of each authority.
    File(PathBuf),
    /// One file of which only the first list is read, and its numbers alone, whoever signed it: the
    /// newest, which names those of every authority.
    First(PathBuf),
}

impl Place {
    pub(super) fn of(server: &Server) -> Self {
        match server {
            Server::PostgreSql(server) => Self::Directory(server.crl_dir.clone()),
            Server::Nginx(server) => Self::File(server.crl.clone()),
            // Found with 3.4: an older list in front of it lets in whom the second one names.
            Server::Etcd(server) => Self::First(server.crl.clone()),
        }
    }

    /// The lists in place that are whole and signed.
    pub(super) fn held(&self, authorities: &[Authority]) -> Vec<Crl> {
        let texts: Vec<String> = match self {
            Self::File(path) | Self::First(path) => text(path).into_iter().collect(),
            Self::Directory(dir) => {
                let all = authorities.iter().flat_map(|one| names(dir, &one.hash));
                all.filter_map(|path| text(&path)).collect()
            }
        };
        let all = texts.iter().flat_map(|text| blocks(text));
        let mut held: Vec<Crl> =
            all.filter_map(|block| Crl::read(block, authorities).ok()).collect();
        // Of one authority the newest, if somebody left an older one beside it.
        held.sort_by(|a, b| (&a.hash, b.number).cmp(&(&b.hash, a.number)));
        held.dedup_by(|later, first| later.hash == first.hash);
        held
    }

    /// Whether a server that reads now finds exactly these.
    pub(super) fn holds(&self, lists: &[Crl], authorities: &[Authority]) -> bool {
        match self {
            Self::File(path) => text(path) == Some(together(lists)),
            Self::First(path) => text(path) == newest(lists),
            Self::Directory(_) => self.held(authorities) == lists,
        }
    }

    /// Puts these in place. When this returns, they are what a server reads.
    ///
    /// # Errors
    ///
    /// [`ReplaceError`]; a file that was not replaced is as it was.
    pub(super) fn put(&self, lists: &[Crl], authorities: &[Authority]) -> Result<(), ReplaceError> {
        match self {
            Self::File(path) => write(path, &together(lists), authorities),
            Self::First(path) => write(path, &newest(lists).unwrap_or_default(), authorities),
            Self::Directory(dir) => lists
                .iter()
                .try_for_each(|list| write(&slot(dir, list, authorities), &list.pem, authorities)),
        }
    }
}

/// The file for this list: the one that holds a list of its authority, else the first that is free.
/// Another authority may have the same hash; its list is left alone.
fn slot(dir: &Path, list: &Crl, authorities: &[Authority]) -> PathBuf {
    let is_ours = |path: &PathBuf| {
        let held = text(path).and_then(|text| Crl::read(&text, authorities).ok());
        held.is_some_and(|held| held.hash == list.hash)
    };
    let mut all = names(dir, &list.hash);
    let found = all.clone().find(is_ours).or_else(|| all.find(|path| is_free(path)));
    // All are taken: then the first is damaged or somebody else's eight times over.
    found.unwrap_or_else(|| dir.join(format!("{}.r0", list.hash)))
}

/// Not there, or nothing that a server could use: what a crash or a full disk of before left.
fn is_free(path: &Path) -> bool {
    text(path).is_none_or(|text| !text.contains("-----BEGIN X509 CRL-----"))
}

fn names(dir: &Path, hash: &str) -> impl Iterator<Item = PathBuf> + Clone {
    let (dir, hash) = (dir.to_owned(), hash.to_owned());
    (0..SAME_HASH_MAX).map(move |n| dir.join(format!("{hash}.r{n}")))
}

fn write(path: &Path, text: &str, authorities: &[Authority]) -> Result<(), ReplaceError> {
    let is_good = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        !text.is_empty() && blocks(&text).iter().all(|one| Crl::read(one, authorities).is_ok())
    };
    replace(path, text.as_bytes(), is_good)
}

fn together(lists: &[Crl]) -> String {
    lists.iter().map(|list| list.pem.as_str()).collect()
}

fn newest(lists: &[Crl]) -> Option<String> {
    lists.iter().max_by_key(|list| list.number).map(|list| list.pem.clone())
}

fn text(path: &Path) -> Option<String> {
    let limit = u64::try_from(LIST_MAX).unwrap_or(u64::MAX);
    String::from_utf8(read_bounded(path, limit).ok()??).ok()
}
