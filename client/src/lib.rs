//! `breakglass`: ask, approve, collect, give back, and check the record offline.
//!
//! The client is thin but trusts nobody: it signs statements, sends them, and shows only what it
//! has verified itself. It never imports the broker, and only the room `broker` speaks gRPC.

pub mod agent;
pub mod broker;
pub mod clock;
pub mod config;
pub mod entropy;
pub mod failure;
pub mod output;
pub mod signer;
pub mod sshwire;
pub mod state;
pub mod trust;
