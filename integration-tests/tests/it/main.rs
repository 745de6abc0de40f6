//! Every test that needs more than one room: one binary, so that it links once.
#![cfg(test)]

mod desk;
mod emergency;
mod faults;
mod revocation;
mod runbooks;
mod sshd;
mod stock_tools;
mod walls;
