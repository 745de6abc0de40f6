//! Lists as PEM (RFC 7468, strict form). Public and large, so written once and nothing wiped.

use std::sync::{Arc, OnceLock};

use breakglass_ledger::bytes::Digest;
use data_encoding::{BASE64, Encoding};
use data_encoding_macro::new_encoding;

/// Lists of one publication as PEM, one behind the other. Made when somebody first asks: they are
/// megabytes, and whoever signs them has others waiting.
#[derive(Clone, Debug, Default)]
pub(super) struct Pem {
    text: OnceLock<String>,
    digests: Digests,
}

impl Pem {
    /// As they were found.
    pub(super) fn found(text: String) -> Self {
        let digests = Digests::default();
        digests.fill(&text);
        Self { text: OnceLock::from(text), digests }
    }

    /// The text; that of `lists` if it was not made before.
    pub(super) fn of<'a>(&self, lists: impl Iterator<Item = &'a Vec<u8>>) -> &str {
        self.text.get_or_init(|| {
            let text: String = lists.map(|der| to_pem(der)).collect();
            self.digests.fill(&text);
            text
        })
    }

    /// Digests of what a host may have of it.
    pub(super) const fn digests(&self) -> &Digests {
        &self.digests
    }
}

/// Digests of what a host may have of one publication: a server may keep the list of each authority in
/// a file of its own, and its host then names one of them. Empty until the text is made, before which no
/// host has any of it. A clone is filled with its original.
#[derive(Clone, Debug, Default)]
pub struct Digests(Arc<OnceLock<Vec<Digest>>>);

impl Digests {
    /// Of a list that is one file everywhere.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Arc::new(OnceLock::from(vec![Digest::of(bytes)])))
    }

    /// All of them so far; that of everything in one is the last.
    #[must_use]
    pub fn all(&self) -> &[Digest] {
        self.0.get().map_or(&[], Vec::as_slice)
    }

    fn fill(&self, pem: &str) {
        self.0.get_or_init(|| {
            let blocks = pem.split_inclusive(PEM_END).filter(|block| block.len() < pem.len());
            blocks.chain([pem]).map(|text| Digest::of(text.as_bytes())).collect()
        });
    }
}

/// The same publication, or the same bytes.
impl PartialEq for Digests {
    fn eq(&self, other: &Self) -> bool {
        let is_known = !self.all().is_empty() && self.all() == other.all();
        Arc::ptr_eq(&self.0, &other.0) || is_known
    }
}

/// A list as PEM.
#[must_use]
pub fn to_pem(der: &[u8]) -> String {
    let lines = der.len().div_ceil(PEM_LINE / 4 * 3);
    let frame = PEM_BEGIN.len().saturating_add(PEM_END.len());
    let most = lines.saturating_mul(PEM_LINE.saturating_add(1)).saturating_add(frame);
    let mut text = String::with_capacity(most);
    text.push_str(PEM_BEGIN);
    LINES.encode_append(der, &mut text);
    text.push_str(PEM_END);
    text
}

/// What one list in PEM after the other holds; `None` unless they are exactly that, at least one.
#[must_use]
pub fn all_from_pem(pem: &str) -> Option<Vec<Vec<u8>>> {
    let blocks: Option<Vec<_>> = pem.split_inclusive(PEM_END).map(from_pem).collect();
    blocks.filter(|blocks| !blocks.is_empty())
}

/// What a list in PEM holds; `None` unless it is exactly one list with nothing around it.
#[must_use]
pub fn from_pem(pem: &str) -> Option<Vec<u8>> {
    let body = pem.strip_prefix(PEM_BEGIN)?.strip_suffix(PEM_END)?;
    let text: Vec<u8> = body.bytes().filter(|byte| *byte != b'\n').collect();
    BASE64.decode(&text).ok()
}

const PEM_BEGIN: &str = "-----BEGIN X509 CRL-----\n";
const PEM_END: &str = "-----END X509 CRL-----\n";
/// Characters in a line of PEM.
const PEM_LINE: usize = 64;
/// Base64 in lines of [`PEM_LINE`] characters, the last one ended as well.
const LINES: Encoding = new_encoding! {
    symbols: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    padding: '=',
    wrap_width: 64,
    wrap_separator: "\n",
};
