//! The one place of the client that draws randomness: request ids, nonces, salts, subject keys.

use ring::rand::{SecureRandom, SystemRandom};

use crate::failure::{Exit, Failure};

/// `N` bytes from the operating system's random source.
///
/// # Errors
///
/// [`Failure`] with [`Exit::Internal`] if the system has none to give.
pub fn bytes<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| {
        Failure::new(
            Exit::Internal,
            "the system's random source failed",
            "no key and no id can be made safely; nothing was sent",
            "check /dev/urandom on this machine",
        )
    })?;
    Ok(bytes)
}
