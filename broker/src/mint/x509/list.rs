//! The list of revoked certificates, signed by their authority.

use breakglass_ledger::time::Timestamp;

use super::{Mint, MintError};
use crate::crl::{self, BACKDATE_SECONDS, Header, Line, Number, SignedCrl, VALID_SECONDS};
use crate::mint::pem;

impl Mint {
    /// Makes and signs the list that revokes exactly the certificates of `lines`, as part of version
    /// `version` of the lists; `None` if this broker has no X.509 authority.
    ///
    /// It is read back before it is given out.
    ///
    /// # Errors
    ///
    /// [`MintError::Crl`] if it could not be made, [`MintError::ListMismatch`] if what was written
    /// does not say what it should.
    pub fn crl<'a>(
        &self,
        lines: impl ExactSizeIterator<Item = &'a Line> + Clone,
        version: u64,
        signed_at: Timestamp,
    ) -> Result<Option<SignedCrl>, MintError> {
        let Some(authority) = &self.x509 else { return Ok(None) };
        let number = Number::new(version, signed_at);
        let (issuer, key_id) = (authority.subject(), authority.key_id().as_slice());
        let header = Header { issuer, key_id, number, signed_at };
        let tbs = crl::write(&header, lines.clone())?;
        let der = crl::assemble(&tbs, &authority.sign(&tbs)?)?;
        let read = crl::read(&der)?;
        let expected = lines.map(|line| (line.serial(), line.revoked_at()));
        let same = [
            read.issuer == issuer,
            read.key_id == key_id,
            read.number == number,
            read.this_update == signed_at.minus(BACKDATE_SECONDS),
            read.next_update == signed_at.plus(VALID_SECONDS),
            read.revoked.iter().copied().eq(expected),
            authority.has_signed(read.signed, read.signature),
        ];
        if same.contains(&false) {
            return Err(MintError::ListMismatch);
        }
        let pem = String::from_utf8_lossy(&pem::encode("X509 CRL", &der)).into_owned();
        Ok(Some(SignedCrl { number, signed_at, der, pem }))
    }
}
