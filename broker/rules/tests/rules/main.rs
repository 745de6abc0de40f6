//! The law as stories, as lessons paid for by others, and as generated histories under a judge.
#![cfg(test)]

mod histories;
mod house;
mod judge;
mod law;
mod lessons;
mod play;
mod stories;
