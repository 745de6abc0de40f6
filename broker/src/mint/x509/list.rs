//! The list of revoked certificates, signed by their authority.

use std::thread;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::time::Timestamp;

use super::{Authority, Mint, MintError};
use crate::crl::read::{Frame, frame};
use crate::crl::{
    BACKDATE_SECONDS, Draft, Entries, Header, Line, Number, SignedCrl, VALID_SECONDS,
};

impl Mint {
    /// Makes and signs the list that revokes exactly the certificates of `lines`, as part of version
    /// `version` of the lists; `None` if this broker has no X.509 authority. For whoever makes one list:
    /// who makes many keeps [`Entries`] and asks [`crl_of`](Self::crl_of).
    ///
    /// # Errors
    ///
    /// As [`crl_of`](Self::crl_of).
    pub fn crl<'a>(
        &self,
        lines: impl Iterator<Item = &'a Line>,
        version: u64,
        signed_at: Timestamp,
    ) -> Result<Option<SignedCrl>, MintError> {
        let mut entries = Entries::default();
        for line in lines {
            entries.add(line, Timestamp::from_unix_seconds(u64::MAX))?;
        }
        self.crl_of(&entries, version, signed_at)
    }

    /// Makes and signs the list that revokes exactly the certificates of `entries`, as part of version
    /// `version` of the lists; `None` if this broker has no X.509 authority.
    ///
    /// It is read back before it is given out; the entries were, each when it was added.
    ///
    /// # Errors
    ///
    /// [`MintError::Crl`] if it could not be made, [`MintError::ListMismatch`] if what was written
    /// does not say what it should.
    pub fn crl_of(
        &self,
        entries: &Entries,
        version: u64,
        signed_at: Timestamp,
    ) -> Result<Option<SignedCrl>, MintError> {
        let Some(authority) = &self.x509 else { return Ok(None) };
        let number = Number::new(version, signed_at);
        let der = signed(authority, entries, number, signed_at)?;
        // Each names the serials of all of them: none is ever given twice, whoever signs.
        let older = self.older_x509.iter();
        let older = older.map(|(_, older)| signed(older, entries, number, signed_at));
        let older = older.collect::<Result<_, _>>()?;
        Ok(Some(SignedCrl::new(number, signed_at, der, older)))
    }
}

/// One authority's list, read back.
fn signed(
    authority: &Authority,
    entries: &Entries,
    number: Number,
    signed_at: Timestamp,
) -> Result<Vec<u8>, MintError> {
    let (issuer, key_id) = (authority.subject(), authority.key_id().as_slice());
    let header = Header { issuer, key_id, number, signed_at };
    let draft = Draft::new(&header, entries)?;
    let (signature, digest) = signature(authority, draft.tbs())?;
    let der = draft.signed(&signature)?;
    is_as_meant(authority, &header, entries, &der, &digest)?;
    Ok(der)
}

/// The signature over a list, and the digest that it should be over.
fn signature(authority: &Authority, tbs: &[u8]) -> Result<(Vec<u8>, Digest), MintError> {
    if tbs.len() < LONG {
        return Ok((authority.sign(tbs)?, Digest::of(tbs)));
    }
    // Everybody whose command is decided next waits for both, and each goes over megabytes.
    thread::scope(|scope| {
        let digest = thread::Builder::new().spawn_scoped(scope, || Digest::of(tbs));
        let signature = authority.sign(tbs)?;
        let here = |_| Ok(Digest::of(tbs));
        let digest = digest.map_or_else(here, thread::ScopedJoinHandle::join);
        Ok((signature, digest.map_err(|_| MintError::ListMismatch)?))
    })
}

/// Reads the list back. `digest` is of what was to be signed: that the list says this is compared part by
/// part, that the signature is over it is checked by another library than the one that made it.
fn is_as_meant(
    authority: &Authority,
    header: &Header<'_>,
    entries: &Entries,
    der: &[u8],
    digest: &Digest,
) -> Result<(), MintError> {
    let Frame { crl, entries: content } = frame(der)?;
    let same = [
        crl.issuer == header.issuer,
        crl.key_id == header.key_id,
        crl.number == header.number,
        crl.this_update == header.signed_at.minus(BACKDATE_SECONDS),
        crl.next_update == header.signed_at.plus(VALID_SECONDS),
        content.unwrap_or_default() == entries.der(),
        authority.has_signed_digest(digest, crl.signature),
    ];
    if same.contains(&false) { Err(MintError::ListMismatch) } else { Ok(()) }
}

/// Bytes from which on a list is long: to go over it takes more than starting a thread, some tens of
/// microseconds.
pub(super) const LONG: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crl::SerialNumber;
    use crate::mint::tests::{NOW, mint};

    fn entries(count: u64) -> Entries {
        let mut entries = Entries::default();
        for seq in 1..=count {
            let line = Line::new(SerialNumber::new(seq, [7; 8]).unwrap(), NOW).unwrap();
            entries.add(&line, NOW.plus(900)).unwrap();
        }
        entries
    }

    #[test]
    fn a_list_that_says_anything_else_than_it_should_is_not_given_out() {
        let ((_dir, ours), (_other_dir, other)) = (mint(1), mint(2));
        let (ours, other) = (ours.x509.as_ref().unwrap(), other.x509.as_ref().unwrap());
        let number = Number::new(7, NOW);
        let header = |of: &Authority| (of.subject().to_vec(), of.key_id().to_vec());
        let ((issuer, key_id), (foreign, foreign_id)) = (header(ours), header(other));
        let good = Header { issuer: &issuer, key_id: &key_id, number, signed_at: NOW };
        let all = entries(3);
        let draft = Draft::new(&good, &all).unwrap();
        let (digest, signature) = (Digest::of(draft.tbs()), ours.sign(draft.tbs()).unwrap());
        let der = draft.signed(&signature).unwrap();
        let judge = |header: &Header<'_>, entries: &Entries, der: &[u8], digest: &Digest| {
            is_as_meant(ours, header, entries, der, digest)
        };
        judge(&good, &all, &der, &digest).unwrap();
        for bad in [
            Header { issuer: &foreign, ..good },
            Header { key_id: &foreign_id, ..good },
            Header { number: Number::new(8, NOW), ..good },
            Header { signed_at: NOW.plus(1), ..good },
        ] {
            assert!(judge(&bad, &all, &der, &digest).is_err(), "{bad:?}");
        }
        for fewer_or_more in [0, 2, 4] {
            assert!(judge(&good, &entries(fewer_or_more), &der, &digest).is_err());
        }
        assert!(judge(&good, &all, &der, &Digest::of(b"something else")).is_err());
        let by_another = Draft::new(&good, &all).unwrap();
        let signature = other.sign(by_another.tbs()).unwrap();
        let by_another = by_another.signed(&signature).unwrap();
        assert!(judge(&good, &all, &by_another, &digest).is_err());
        assert!(judge(&good, &all, &der[1..], &digest).is_err());
    }
}
