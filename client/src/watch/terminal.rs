//! The terminal while it is drawn on, given back however this ends.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use breakglass_ledger::time::Timestamp;
use ratatui::DefaultTerminal;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event, KeyEvent};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

use super::draw::{Pen, draw};
use super::keys::Face;
use crate::child;

/// A terminal on its other screen, in raw mode. Dropped, in a panic before its words are printed, and
/// when a signal ends the process, it is as it was.
pub struct Live {
    terminal: DefaultTerminal,
    /// Held while the terminal is written to: by whoever gives it back for good, for ever.
    writing: Arc<Mutex<()>>,
}

impl Live {
    /// Takes the terminal.
    ///
    /// # Errors
    ///
    /// [`io::Error`] if it cannot be had; it is then as it was.
    pub fn enter() -> io::Result<Self> {
        let writing = Arc::new(Mutex::new(()));
        let last = Arc::clone(&writing);
        child::end_on_signal(move || {
            let only = hold(&last);
            give_back();
            // Nothing is drawn on what was given back, though the process lives a little longer.
            std::mem::forget(only);
        })?;
        // Sets the hook for panics, too.
        let terminal = ratatui::try_init().inspect_err(|_| give_back())?;
        Ok(Self { terminal, writing })
    }

    /// Draws `face`.
    ///
    /// # Errors
    ///
    /// [`io::Error`] if the terminal is gone.
    pub fn draw(&mut self, face: &Face, now: Timestamp, pen: Pen) -> io::Result<()> {
        let _only = hold(&self.writing);
        self.terminal.draw(|frame| draw(frame, face, now, pen)).map(drop)
    }

    /// The next key, if one is pressed `within` this time.
    ///
    /// # Errors
    ///
    /// [`io::Error`] if the terminal is gone.
    pub fn key(&self, within: Duration) -> io::Result<Option<KeyEvent>> {
        if !event::poll(within)? {
            return Ok(None);
        }
        // Anything else, such as a new size, is drawn at the next turn.
        let Event::Key(key) = event::read()? else { return Ok(None) };
        Ok(Some(key))
    }

    /// Does `what` with the terminal as it was: where a passphrase or a touch is asked for.
    ///
    /// # Errors
    ///
    /// [`io::Error`] if the terminal cannot be had again.
    pub fn aside<T>(&mut self, what: impl FnOnce() -> T) -> io::Result<T> {
        give_back();
        let done = what();
        let _only = hold(&self.writing);
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen)?;
        self.terminal.clear()?;
        Ok(done)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        give_back();
    }
}

/// Whatever was done meanwhile is drawn over.
fn hold(writing: &Mutex<()>) -> MutexGuard<'_, ()> {
    writing.lock().unwrap_or_else(PoisonError::into_inner)
}

/// As it was. A terminal that is gone cannot be given back, and needs not be.
fn give_back() {
    let _ = disable_raw_mode();
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
}
