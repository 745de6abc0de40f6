//! The list of revoked certificates, signed by their authority.

use std::thread;

use breakglass_ledger::time::Timestamp;

use super::{Authority, Mint, MintError};
use crate::crl::read::{Frame, frame};
use crate::crl::{self, BACKDATE_SECONDS, Entries, Header, Line, Number, SignedCrl, VALID_SECONDS};

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
        let (der, mut pem) = signed(authority, entries, number, signed_at)?;
        // Each names the serials of all of them: none is ever given twice, whoever signs.
        let mut older = Vec::new();
        for (_, authority) in &self.older_x509 {
            let (der, block) = signed(authority, entries, number, signed_at)?;
            older.push(der);
            pem.push_str(&block);
        }
        Ok(Some(SignedCrl { number, signed_at, der, pem, older }))
    }
}

/// One authority's list, read back, and the same as PEM.
fn signed(
    authority: &Authority,
    entries: &Entries,
    number: Number,
    signed_at: Timestamp,
) -> Result<(Vec<u8>, String), MintError> {
    let (issuer, key_id) = (authority.subject(), authority.key_id().as_slice());
    let header = Header { issuer, key_id, number, signed_at };
    let der = crl::write(&header, entries, |tbs| authority.sign(tbs))?;
    if der.len() < LONG {
        is_as_meant(authority, &header, entries, &der)?;
        let pem = crl::to_pem(&der);
        return Ok((der, pem));
    }
    // Everybody whose command is decided next waits for both.
    let pem = thread::scope(|scope| {
        let pem = thread::Builder::new().spawn_scoped(scope, || crl::to_pem(&der));
        is_as_meant(authority, &header, entries, &der)?;
        let here = |_| Ok(crl::to_pem(&der));
        pem.map_or_else(here, |pem| pem.join().map_err(|_| MintError::ListMismatch))
    })?;
    Ok((der, pem))
}

/// Reads the list back.
fn is_as_meant(
    authority: &Authority,
    header: &Header<'_>,
    entries: &Entries,
    der: &[u8],
) -> Result<(), MintError> {
    let Frame { crl, entries: content } = frame(der)?;
    let same = [
        crl.issuer == header.issuer,
        crl.key_id == header.key_id,
        crl.number == header.number,
        crl.this_update == header.signed_at.minus(BACKDATE_SECONDS),
        crl.next_update == header.signed_at.plus(VALID_SECONDS),
        content.unwrap_or_default() == entries.der(),
        authority.has_signed(crl.signed, crl.signature),
    ];
    if same.contains(&false) { Err(MintError::ListMismatch) } else { Ok(()) }
}

/// Bytes from which on a list is long: reading it back takes more than starting a thread, some tens of
/// microseconds.
const LONG: usize = 256 * 1024;
