//! What the tests and benchmarks share: people with keys, a house in this process with a fake clock,
//! and the real daemon with its real client.

#![expect(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a test that cannot go on must stop, and its sums are small"
)]

pub mod agent;
pub mod daemon;
pub mod desk;
pub mod dev;
pub mod dice;
pub mod etcd;
pub mod evidence;
pub mod export;
pub mod grant;
pub mod holder;
pub mod hosts;
pub mod hsm;
pub mod idp;
pub mod nginx;
pub mod paper;
pub mod people;
pub mod postgres;
pub mod record;
pub mod rehearsal;
pub mod security_key;
pub mod signers;
pub mod sink;
pub mod site;
pub mod sshd;
pub mod terminal;
pub mod tls_site;
pub mod wait;
pub mod wire;
