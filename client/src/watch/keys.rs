//! Which key does what: a pure function of what is shown and what is pressed.

use breakglass_ledger::id::RequestId;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::board::Board;

/// What the terminal shows.
pub struct Face {
    /// The rows.
    pub board: Board,
    /// What stands in front.
    pub view: View,
    /// The chosen request: it stays chosen when rows move.
    pub chosen: Option<RequestId>,
    /// How the line to the broker is.
    pub line: String,
    /// Whether the line is down.
    pub is_down: bool,
    /// What came of the last act, and whether that is a failure.
    pub note: Option<(String, bool)>,
}

/// What stands in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// The table.
    Table,
    /// The approval screen of one request.
    Approval {
        /// What an approver must know, line by line.
        text: String,
        /// Whether a yes is the user's to give; else why not.
        offer: Result<String, String>,
        /// First line shown.
        top: u16,
    },
    /// The same before a no, with the reason as far as it is typed.
    Denial {
        /// What an approver must know.
        text: String,
        /// What is typed.
        reason: String,
        /// First line shown.
        top: u16,
    },
}

/// What the user wants done. Everything else is done by the time [`Face::press`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing.
    None,
    /// End.
    Quit,
    /// Verify this request and show the approval screen.
    Look(RequestId),
    /// Verify this request and ask why it is denied.
    Refuse(RequestId),
    /// Sign the approval of what is shown.
    Approve,
    /// Sign a denial of what is shown, for this reason.
    Deny(String),
}

impl Face {
    /// The table of `board`, before anything has come.
    #[must_use]
    pub const fn new(board: Board) -> Self {
        let line = String::new();
        Self { board, view: View::Table, chosen: None, line, is_down: false, note: None }
    }

    /// The place of the chosen row; the first if none is chosen or the chosen one is gone.
    #[must_use]
    pub fn place(&self) -> usize {
        self.chosen.and_then(|id| self.board.place(id)).unwrap_or(0)
    }

    /// Back to the table, saying what came of it.
    pub fn back(&mut self, note: impl Into<String>, is_failure: bool) {
        self.view = View::Table;
        self.note = Some((note.into(), is_failure));
    }

    /// What `key` does, or asks to be done.
    #[expect(clippy::wildcard_enum_match_arm, reason = "a key without a meaning here does nothing")]
    pub fn press(&mut self, key: KeyEvent) -> Wish {
        if key.kind == KeyEventKind::Release {
            return Wish::None;
        }
        let with_control = key.modifiers.contains(KeyModifiers::CONTROL);
        if with_control && key.code == KeyCode::Char('c') {
            return Wish::Quit;
        }
        match &mut self.view {
            View::Table => self.press_in_table(key.code),
            View::Approval { offer, top, .. } => {
                let may = offer.is_ok();
                match key.code {
                    KeyCode::Char('y' | 'Y') if may => return Wish::Approve,
                    code if scrolls(code, top) => {}
                    KeyCode::Char('y' | 'Y') => {}
                    _ if may => self.back("not approved: you did not say yes", false),
                    _ => self.view = View::Table,
                }
                Wish::None
            }
            View::Denial { reason, top, .. } => match key.code {
                KeyCode::Esc => {
                    self.back("not denied", false);
                    Wish::None
                }
                KeyCode::Enter if reason.trim().is_empty() => Wish::None,
                KeyCode::Enter => Wish::Deny(reason.trim().to_owned()),
                KeyCode::Backspace => {
                    reason.pop();
                    Wish::None
                }
                KeyCode::Char(c) if !c.is_control() && reason.len() < REASON_MAX => {
                    reason.push(c);
                    Wish::None
                }
                code => {
                    scrolls(code, top);
                    Wish::None
                }
            },
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a key without a meaning here does nothing")]
    fn press_in_table(&mut self, code: KeyCode) -> Wish {
        let (at, last) = (self.place(), self.board.len().saturating_sub(1));
        let to = match code {
            KeyCode::Up | KeyCode::Char('k') => at.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => at.saturating_add(1),
            KeyCode::PageUp => at.saturating_sub(PAGE),
            KeyCode::PageDown => at.saturating_add(PAGE),
            KeyCode::Home => 0,
            KeyCode::End => last,
            KeyCode::Enter | KeyCode::Char('a') => return self.about(at, Wish::Look),
            KeyCode::Char('d') => return self.about(at, Wish::Refuse),
            KeyCode::Char('q') => return Wish::Quit,
            _ => return Wish::None,
        };
        self.chosen = self.board.at(to.min(last)).map(|row| row.id);
        Wish::None
    }

    /// Rows move while somebody reaches for a key: from now on this one stays chosen.
    fn about(&mut self, at: usize, wish: fn(RequestId) -> Wish) -> Wish {
        self.note = None;
        self.chosen = self.board.at(at).map(|row| row.id);
        self.chosen.map_or(Wish::None, wish)
    }
}

/// Whether `code` moves a text, and does it.
#[expect(clippy::wildcard_enum_match_arm, reason = "a key without a meaning here does nothing")]
fn scrolls(code: KeyCode, top: &mut u16) -> bool {
    let page = u16::try_from(PAGE).unwrap_or(1);
    *top = match code {
        KeyCode::Up => top.saturating_sub(1),
        KeyCode::Down => top.saturating_add(1).min(TOP_MAX),
        KeyCode::PageUp => top.saturating_sub(page),
        KeyCode::PageDown => top.saturating_add(page).min(TOP_MAX),
        KeyCode::Home => 0,
        _ => return false,
    };
    true
}

/// Rows or lines that a page key moves.
const PAGE: usize = 10;

/// No approval screen has more lines.
const TOP_MAX: u16 = 200;

/// Bytes of a typed reason: the ledger takes some more, nobody types that much at night.
const REASON_MAX: usize = 500;

#[cfg(test)]
mod tests;
