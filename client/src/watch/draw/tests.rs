use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::watch::board::Board;
use crate::watch::board::testing::{NOW, view};

const PLAIN: Pen = Pen { is_colour: false };

fn face() -> Face {
    let mut board = Board::new("ada".parse().unwrap());
    let both = [("app-owner", &[][..], &["ada"][..]), ("security", &[][..], &["bob"][..])];
    let others = [("security", &[][..], &["bob"][..])];
    board.replace(&[view(1, "sam", "root-on-host", &both), view(2, "joe", "quick", &others)]);
    Face { line: "watching at 127.0.0.1:7443".to_owned(), ..Face::new(board) }
}

fn drawn(face: &Face, size: (u16, u16), pen: Pen) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| draw(frame, face, NOW, pen)).unwrap();
    terminal
}

fn lines(face: &Face, size: (u16, u16)) -> Vec<String> {
    let terminal = drawn(face, size, PLAIN);
    let cells = terminal.backend().buffer().content.chunks(usize::from(size.0));
    let lines = cells.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>());
    lines.map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn the_table_says_what_waits_for_whom_since_when_until_when_and_what_is_missing() {
    let lines = lines(&face(), (120, 12));
    assert_eq!(lines[0], "breakglass: 1 of 2 wait for you  watching at 127.0.0.1:7443");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words(&lines[1]), "WHO SCOPE ASKED DEADLINE MISSING STATE");
    assert_eq!(
        words(&lines[2]),
        "> sam root-on-host 1 m in 14 m 1 app-owner, 1 security waits for you"
    );
    assert_eq!(words(&lines[3]), "joe quick 1 m in 14 m 1 security waits for others");
    let all = lines.join("\n");
    assert!(all.contains("for 30 minutes  incident INC-4711"), "{all}");
    assert!(all.contains("“payments are stuck”"), "{all}");
    assert!(lines[11].contains("Enter or a: look and approve"), "{all}");
}

/// What others write cannot move the cursor, turn the text round or pass for a line of ours.
#[test]
fn nothing_that_others_wrote_reaches_the_terminal_as_it_is() {
    let mut hostile = view(1, "sam", "quick", &[("leads\u{1b}[2J\u{202e}", &[], &["ada"])]);
    hostile.reason_text = "calm\u{1b}[31m\nSTATE\u{202e}devorppa\u{7}".to_owned();
    let mut face = face();
    face.board.replace(&[hostile]);
    face.line = "at \u{1b}]0;you\u{7}".to_owned();
    face.note = Some(("refused\u{9b}2J\u{2066}".to_owned(), true));
    for line in lines(&face, (140, 12)) {
        let is_unsafe = |c: char| c.is_control() || ('\u{202a}'..='\u{2069}').contains(&c);
        assert!(!line.contains(is_unsafe), "{line:?}");
    }
    face.view = View::Approval {
        text: "reason \u{1b}[2J\u{202e}x".to_owned(),
        offer: Err("no\u{1b}[2J".to_owned()),
        top: 0,
    };
    for line in lines(&face, (60, 8)) {
        assert!(!line.contains(|c: char| c.is_control() || c == '\u{202e}'), "{line:?}");
    }
}

#[test]
fn without_colour_there_is_none_and_with_it_there_is_some() {
    let colours = |pen: Pen| {
        let terminal = drawn(&face(), (100, 12), pen);
        let cells = terminal.backend().buffer().content.iter();
        cells.filter(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset).count()
    };
    assert_eq!(colours(PLAIN), 0);
    assert!(colours(Pen { is_colour: true }) > 0);
}

#[test]
fn the_approval_screen_shows_everything_says_when_more_is_below_and_asks_once() {
    let text: String = (1..=20).map(|number| format!("  line{number:<6} what it says\n")).collect();
    let mut face = face();
    let offer = Ok("approve this as ada?".to_owned());
    face.view = View::Approval { text: text.clone(), offer, top: 0 };
    let shown = lines(&face, (60, 10)).join("\n");
    assert!(shown.contains("line1 ") && !shown.contains("line20"), "{shown}");
    assert!(shown.contains("13 more lines below: arrow keys"), "{shown}");
    assert!(shown.contains("approve this as ada? [y/N]"), "{shown}");
    let View::Approval { top, .. } = &mut face.view else { panic!() };
    *top = 200;
    let shown = lines(&face, (60, 10)).join("\n");
    assert!(shown.contains("line20") && !shown.contains("more lines below"), "{shown}");
    let all = lines(&face, (60, 30)).join("\n");
    assert!((1..=20).all(|number| all.contains(&format!("line{number} "))), "{all}");
}

#[test]
fn a_line_that_is_lost_is_said_and_an_empty_table_too() {
    let mut face = Face::new(Board::new("ada".parse().unwrap()));
    face.line = "line lost, trying again in 2 s: no broker answered".to_owned();
    let lines = lines(&face, (80, 10));
    let said = "breakglass: 0 of 0 wait for you  line lost, trying again in 2 s: no broker answe";
    assert_eq!(lines[0], said);
    assert_eq!(lines[2], "nothing is waiting");
}

#[test]
fn a_tiny_terminal_and_ten_thousand_rows_are_drawn_without_harm() {
    for size in [(1, 1), (20, 3), (40, 6), (300, 100)] {
        lines(&face(), size);
        let mut face = face();
        face.view = View::Approval { text: "word ".repeat(2000), offer: Ok("?".into()), top: 9 };
        lines(&face, size);
    }
}
