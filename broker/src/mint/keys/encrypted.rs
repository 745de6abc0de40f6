//! Keys encrypted at rest: PKCS#8 under PBES2 (RFC 8018, 6.2) with scrypt and AES-256-CBC, in the form
//! that `openssl pkcs8` reads and writes.

use std::path::Path;

use pkcs8::EncryptedPrivateKeyInfo;
use pkcs8::der::asn1::AnyRef;
use pkcs8::der::{Decode as _, Encode as _};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::{self, Kdf, Parameters, ScryptParams};
use zeroize::Zeroizing;

use crate::entropy::Entropy;
use crate::mint::{MintError, Passphrase};

/// Encrypts `pkcs8` under `passphrase`: DER of an `EncryptedPrivateKeyInfo`.
pub(super) fn seal(
    pkcs8: &[u8],
    passphrase: &Passphrase,
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, MintError> {
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    entropy.fill(&mut salt)?;
    entropy.fill(&mut iv)?;
    let scrypt = ScryptParams {
        salt: &salt,
        cost_parameter: COST,
        block_size: BLOCK_SIZE,
        parallelization: PARALLELIZATION,
        key_length: None,
    };
    let encryption = pbes2::EncryptionScheme::Aes256Cbc { iv: &iv };
    let parameters = Parameters { kdf: Kdf::Scrypt(scrypt), encryption };
    // Room for a whole block of padding (RFC 8018, 6.1.1), so that nothing is copied on the way.
    let mut buffer = Zeroizing::new(vec![0; pkcs8.len().saturating_add(BLOCK)]);
    buffer.iter_mut().zip(pkcs8).for_each(|(to, from)| *to = *from);
    let sealed = parameters
        .encrypt_in_place(passphrase.reveal(), &mut buffer, pkcs8.len())
        .map_err(|_| MintError::Seal)?;
    let info = EncryptedPrivateKeyInfo {
        encryption_algorithm: EncryptionScheme::Pbes2(parameters),
        encrypted_data: sealed,
    };
    info.to_der().map_err(|_| MintError::Seal)
}

/// Decrypts the DER of an `EncryptedPrivateKeyInfo` that was read from `path`: PKCS#8.
///
/// What it asks of us is looked at before any of it is done: a file that somebody else wrote could
/// otherwise make us fill the memory, or think for a year.
pub(super) fn open(
    path: &Path,
    sealed: &[u8],
    passphrase: &Passphrase,
) -> Result<Zeroizing<Vec<u8>>, MintError> {
    let foreign = || MintError::KeyFile {
        path: path.to_owned(),
        rule: "is not encrypted as ours are (PBES2 with scrypt, N at most 32768, r 8, p at most 16, \
               and AES-256-CBC)",
    };
    let info = EncryptedPrivateKeyInfo::from_der(sealed).map_err(|_| foreign())?;
    let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm else {
        return Err(foreign());
    };
    if !is_bounded(parameters) {
        return Err(foreign());
    }
    let mut buffer = Zeroizing::new(info.encrypted_data.to_vec());
    let wrong = || MintError::Passphrase { path: path.to_owned() };
    let length =
        parameters.decrypt_in_place(passphrase.reveal(), &mut buffer).map_err(|_| wrong())?.len();
    buffer.truncate(length);
    // One wrong passphrase in 256 leaves something that looks padded.
    AnyRef::from_der(&buffer).map_err(|_| wrong())?;
    Ok(buffer)
}

fn is_bounded(parameters: &Parameters<'_>) -> bool {
    let Kdf::Scrypt(scrypt) = &parameters.kdf else { return false };
    let is_aes256 = matches!(parameters.encryption, pbes2::EncryptionScheme::Aes256Cbc { .. });
    let cost = scrypt.cost_parameter;
    is_aes256
        && cost.is_power_of_two()
        && (2..=COST_MAX).contains(&cost)
        && scrypt.block_size == BLOCK_SIZE
        && (1..=PARALLELIZATION_MAX).contains(&scrypt.parallelization)
        && scrypt.salt.len() <= SALT_MAX
}

/// scrypt's N, r and p (RFC 7914): 16 MiB, and some tenths of a second for each key. OpenSSL reads
/// nothing that takes more than 32 MiB, so what is missing in memory is there in time: OWASP's Password
/// Storage Cheat Sheet counts N = 2^14, p = 5 as much as N = 2^17, p = 1.
const COST: u64 = 1 << 14;
const BLOCK_SIZE: u16 = 8;
const PARALLELIZATION: u16 = 5;
/// The most that a file may ask of us: 32 MiB, and a few seconds.
const COST_MAX: u64 = 1 << 15;
const PARALLELIZATION_MAX: u16 = 16;
/// Longest salt, in bytes: twice what anybody writes.
const SALT_MAX: usize = 64;
/// AES has blocks of 16 bytes.
const BLOCK: usize = 16;
