//! The daemon: decides emergency requests, mints short-lived credentials, and writes it all down.

pub mod clock;
pub mod crowd;
pub mod entropy;
pub mod krl;
pub mod mint;
pub mod publish;
pub mod rpc;
pub mod sshwire;
pub mod store;
