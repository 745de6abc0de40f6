//! The law as stories, as lessons paid for by others, and as generated histories under a judge.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "an overflow or an unforeseen case is a failing test"
)]

mod chain;
mod delegation;
mod eligibility;
mod folding;
mod histories;
mod house;
mod judge;
mod law;
mod lessons;
mod locks;
mod outage_stories;
mod outages;
mod play;
mod rejudging;
mod reports;
mod stories;
