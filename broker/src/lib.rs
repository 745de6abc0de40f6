//! The daemon: decides emergency requests, mints short-lived credentials, and writes it all down.

pub mod check;
pub mod clock;
pub mod config;
pub mod crl;
pub mod crowd;
pub mod desk;
pub mod dev;
pub mod entropy;
pub mod erase;
pub mod house;
mod http;
pub mod init;
pub mod jwt;
pub mod krl;
pub mod mint;
pub mod notify;
pub mod ocsp;
pub mod probe;
pub mod publish;
pub mod report;
pub mod rpc;
pub mod serve;
pub mod sshwire;
pub mod store;
pub mod sweep;
pub mod web;
