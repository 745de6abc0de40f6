//! How it looks: a pure function of the face, the time and the size of the terminal.

use breakglass_ledger::time::Timestamp;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Cell, Paragraph, Row as Cells, Table, Wrap};

use super::board::Row;
use super::keys::{Face, View};
use crate::output::{clean, wrapped};

/// What is drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pen {
    /// Whether colour is allowed (`NO_COLOR`).
    pub is_colour: bool,
}

impl Pen {
    fn strong(self, colour: Color) -> Style {
        let style = Style::default().add_modifier(Modifier::BOLD);
        if self.is_colour { style.fg(colour) } else { style }
    }

    fn row(self, row: &Row) -> Style {
        if row.is_mine {
            return self.strong(Color::Yellow);
        }
        if row.is_over() {
            return Style::default().add_modifier(Modifier::DIM);
        }
        Style::default()
    }
}

/// Draws the whole.
pub fn draw(frame: &mut Frame<'_>, face: &Face, now: Timestamp, pen: Pen) {
    let area = frame.area();
    match &face.view {
        View::Table => table(frame, area, face, now, pen),
        View::Approval { text, offer, top } => {
            let below = match offer {
                Ok(question) => {
                    Line::styled(format!("{} [y/N]", clean(question)), pen.strong(Color::Green))
                }
                Err(why) => {
                    Line::styled(format!("{}  (any key: back)", clean(why)), pen.strong(Color::Red))
                }
            };
            screen(frame, area, text, *top, below, pen);
        }
        View::Denial { text, reason, top } => {
            let typed = format!("deny, because: {reason}_   (Enter: sign  Esc: back)");
            screen(frame, area, text, *top, Line::styled(typed, pen.strong(Color::Red)), pen);
        }
    }
}

fn table(frame: &mut Frame<'_>, area: Rect, face: &Face, now: Timestamp, pen: Pen) {
    let [head, body, about, note, help] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(2),
        Constraint::Length(2),
        Constraint::Length(2),
        Constraint::Length(1),
    ])
    .areas(area);
    let (mine, all) = (face.board.mine(), face.board.len());
    let line = if face.is_down { pen.strong(Color::Red) } else { Style::default() };
    let title = Line::from(vec![
        Span::styled(format!("breakglass: {mine} of {all} wait for you"), pen.strong(Color::Cyan)),
        Span::raw("  "),
        Span::styled(clean(&face.line), line),
    ]);
    frame.render_widget(Paragraph::new(title), head);
    rows(frame, body, face, now, pen);
    if let Some(row) = face.board.at(face.place()) {
        let first = format!("{}  for {}  incident {}", row.id, row.length, row.incident);
        let reason = if row.reason.is_empty() { "no reason shown" } else { &row.reason };
        frame.render_widget(Paragraph::new(format!("{first}\n“{reason}”")), about);
    }
    if let Some((text, is_failure)) = &face.note {
        let colour = if *is_failure { Color::Red } else { Color::Green };
        let text = clean(&text.replace('\n', " "));
        let text = Paragraph::new(Line::styled(text, pen.strong(colour)));
        frame.render_widget(text.wrap(Wrap { trim: true }), note);
    }
    let keys = "up/down choose  Enter or a: look and approve  d: deny  q: quit";
    frame.render_widget(Paragraph::new(keys), help);
}

fn rows(frame: &mut Frame<'_>, area: Rect, face: &Face, now: Timestamp, pen: Pen) {
    if face.board.is_empty() {
        frame.render_widget(Paragraph::new("\nnothing is waiting"), area);
        return;
    }
    // Only what is seen is made: there may be ten thousand.
    let height = usize::from(area.height.saturating_sub(1)).max(1);
    let at = face.place();
    let from = at.saturating_sub(height.saturating_sub(1));
    let seen = face.board.window(from, height).into_iter().enumerate().map(|(number, row)| {
        let chosen = from.saturating_add(number) == at;
        let style = if chosen { Modifier::REVERSED } else { Modifier::empty() };
        let cells = [
            if chosen { ">".to_owned() } else { String::new() },
            row.who.clone(),
            row.scope.clone(),
            row.age(now),
            row.until(now),
            row.missing.clone(),
            row.stands(),
        ];
        Cells::new(cells.map(Cell::from)).style(pen.row(row).add_modifier(style))
    });
    let widths = [
        Constraint::Length(1),
        Constraint::Max(12),
        Constraint::Max(20),
        Constraint::Length(9),
        Constraint::Length(12),
        Constraint::Fill(1),
        Constraint::Length(24),
    ];
    let heads = ["", "WHO", "SCOPE", "ASKED", "DEADLINE", "MISSING", "STATE"];
    let heads = Cells::new(heads).style(Style::default().add_modifier(Modifier::BOLD));
    frame.render_widget(Table::new(seen, widths).header(heads).column_spacing(1), area);
}

/// A text with one line below it that stays.
fn screen(frame: &mut Frame<'_>, area: Rect, text: &str, top: u16, below: Line<'_>, pen: Pen) {
    let [body, rest, foot] =
        Layout::vertical([Constraint::Min(1), Constraint::Length(1), Constraint::Length(2)])
            .areas(area);
    let text = wrapped(text, usize::from(body.width));
    let lines = u16::try_from(text.lines().count()).unwrap_or(u16::MAX);
    let top = top.min(lines.saturating_sub(body.height));
    frame.render_widget(Paragraph::new(Text::raw(text)).scroll((top, 0)), body);
    let hidden = lines.saturating_sub(top).saturating_sub(body.height);
    if hidden > 0 {
        let more = format!("{hidden} more lines below: arrow keys");
        frame.render_widget(Paragraph::new(Line::styled(more, pen.strong(Color::Red))), rest);
    }
    frame.render_widget(Paragraph::new(below).wrap(Wrap { trim: false }), foot);
}

#[cfg(test)]
mod tests;
