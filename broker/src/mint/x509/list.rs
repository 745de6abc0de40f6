//! The list of revoked certificates, signed by their authority.

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
        let der = signed(authority, entries, number, signed_at)?;
        // Each names the serials of all of them: none is ever given twice, whoever signs.
        let older = self.older_x509.iter();
        let older = older.map(|(_, authority)| signed(authority, entries, number, signed_at));
        let older = older.collect::<Result<Vec<_>, _>>()?;
        let pem = std::iter::once(&der).chain(&older).map(|der| crl::to_pem(der)).collect();
        Ok(Some(SignedCrl { number, signed_at, der, pem, older }))
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
    let tbs = crl::write(&Header { issuer, key_id, number, signed_at }, entries)?;
    let der = crl::assemble(&tbs, &authority.sign(&tbs)?)?;
    let Frame { crl, entries: content } = frame(&der)?;
    let same = [
        crl.issuer == issuer,
        crl.key_id == key_id,
        crl.number == number,
        crl.this_update == signed_at.minus(BACKDATE_SECONDS),
        crl.next_update == signed_at.plus(VALID_SECONDS),
        content.unwrap_or_default() == entries.der(),
        authority.has_signed(crl.signed, crl.signature),
    ];
    if same.contains(&false) {
        return Err(MintError::ListMismatch);
    }
    Ok(der)
}
