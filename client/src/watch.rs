//! What waits, live: the rows, how they are drawn, which key does what, and the line they come from.
//!
//! Nothing here signs or decides. Rows are a broker's word, good for choosing where to look; what is
//! approved is looked at and verified anew (`asked`, `screen`). The only room that knows ratatui.

pub mod board;
pub mod draw;
pub mod keys;
pub mod line;
pub mod lines;
pub mod terminal;
