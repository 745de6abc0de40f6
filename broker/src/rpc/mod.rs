//! The door of the network, and the only room that knows tonic.

pub mod limits;

pub use limits::Limits;
