//! What people sign: keys, signatures and statements, against stock OpenSSH and against vectors.
#![cfg(test)]

mod acts;
mod grammar;
mod keys;
mod mutation;
mod openssh;
mod published;
mod signatures;
mod signer;
mod vectors;
