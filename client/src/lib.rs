//! `breakglass`: ask, approve, collect, give back, and check the record offline.
//!
//! The client is thin but trusts nobody: it signs statements, sends them, and shows only what it
//! has verified itself. It never imports the broker, and only the room `broker` speaks gRPC.

pub mod agent;
pub mod asked;
pub mod audit;
pub mod aws;
pub mod broker;
pub mod child;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod credential;
pub mod demo;
pub mod doctor;
pub mod entropy;
pub mod failure;
pub mod host;
pub mod in_force;
pub mod landing;
pub mod offline;
pub mod output;
pub mod pem;
pub mod policy;
pub mod receipt;
pub mod screen;
pub mod signer;
pub mod sshwire;
pub mod state;
pub mod telling;
pub mod trust;
pub mod verbs;
pub mod view;
pub mod watch;

#[cfg(test)]
mod testing;
