//! Every test that needs more than one room: one binary, so that it links once.
#![cfg(test)]
#![expect(clippy::arithmetic_side_effects, reason = "small sums; a panic fails the test")]

mod audit;
mod broken_parts;
mod chain;
mod chain_wire;
mod crash;
mod delegation;
mod desk;
mod doctor;
mod eligibility;
mod emergency;
mod erasure;
mod faults;
mod histories;
mod host;
mod host_tls;
mod intruder;
mod json;
mod judged;
mod jwt;
mod kubectl;
mod landed;
mod landing;
mod lessons;
mod locks;
mod notify;
mod ocsp;
mod offline;
mod outage;
mod papers;
mod policy_tools;
mod rejudging;
mod reproductions;
mod revocation;
mod runbooks;
mod security_keys;
mod sshd;
mod stock_tools;
mod token_api;
mod upgrade;
mod walls;
mod watching;
mod ways;
mod wire;
mod x509;
