//! Servers that take client certificates: the X.509 list brought to them, sessions that it ends, and
//! what is reported of both.

mod alarm;
mod authority;
mod canary;
mod crl;
mod follow;
mod memory;
mod nginx;
mod place;
mod postgresql;
mod witness;

pub use authority::Authority;
pub(super) use authority::authorities;
pub(super) use follow::start;
pub(super) use memory::state_file;
