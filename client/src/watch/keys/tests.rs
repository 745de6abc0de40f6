use super::*;
use crate::watch::board::testing::{id, view};

fn face() -> Face {
    let mut board = Board::new("ada".parse().unwrap());
    let stages = [("leads", &[][..], &["ada"][..])];
    board.replace(&[1, 2, 3].map(|number| view(number, "sam", "quick", &stages)));
    Face::new(board)
}

fn press(face: &mut Face, codes: &[KeyCode]) -> Vec<Wish> {
    codes.iter().map(|code| face.press(KeyEvent::new(*code, KeyModifiers::NONE))).collect()
}

fn approval(offer: Result<&str, &str>) -> View {
    let offer = offer.map(ToOwned::to_owned).map_err(ToOwned::to_owned);
    View::Approval { text: "all".to_owned(), offer, top: 0 }
}

#[test]
fn arrows_choose_and_the_chosen_request_stays_chosen_when_rows_move() {
    let mut face = face();
    press(&mut face, &[KeyCode::Down]);
    assert_eq!(face.chosen, Some(id(2)));
    let sooner = breakglass_proto::v1::RequestView {
        lapses_at: 1,
        ..view(4, "joe", "quick", &[("leads", &[], &["ada"])])
    };
    face.board.update(&sooner);
    assert_eq!(face.place(), 2, "one row came before it");
    assert_eq!(press(&mut face, &[KeyCode::Enter]), [Wish::Look(id(2))]);
    assert_eq!(press(&mut face, &[KeyCode::Char('d')]), [Wish::Refuse(id(2))]);
    press(&mut face, &[KeyCode::Home, KeyCode::Up]);
    assert_eq!(face.chosen, Some(id(4)));
    press(&mut face, &[KeyCode::End, KeyCode::Down, KeyCode::PageDown]);
    assert_eq!(face.chosen, Some(id(3)));
}

/// One key signs, and only on the screen that says what is signed; any other is a no.
#[test]
fn only_y_on_the_approval_screen_approves() {
    let mut face = face();
    assert_eq!(press(&mut face, &[KeyCode::Char('y')]), [Wish::None], "not from the table");
    for other in [KeyCode::Enter, KeyCode::Char('n'), KeyCode::Esc, KeyCode::Char(' ')] {
        face.view = approval(Ok("approve this as ada?"));
        assert_eq!(press(&mut face, &[other]), [Wish::None]);
        assert_eq!(face.view, View::Table, "{other:?}");
    }
    face.view = approval(Ok("approve this as ada?"));
    let scrolled = press(&mut face, &[KeyCode::Down, KeyCode::PageDown, KeyCode::Up]);
    assert_eq!(scrolled, [Wish::None, Wish::None, Wish::None]);
    assert!(matches!(face.view, View::Approval { top: 10, .. }));
    assert_eq!(press(&mut face, &[KeyCode::Char('y')]), [Wish::Approve]);
    face.view = approval(Err("nobody approves their own request"));
    assert_eq!(press(&mut face, &[KeyCode::Char('y')]), [Wish::None]);
}

#[test]
fn a_denial_needs_a_reason() {
    let mut face = face();
    let denial = || View::Denial { text: "all".to_owned(), reason: String::new(), top: 0 };
    face.view = denial();
    assert_eq!(press(&mut face, &[KeyCode::Enter]), [Wish::None]);
    let typed = [' ', 'n', 'o', 'q', 'x'].map(KeyCode::Char);
    assert!(press(&mut face, &typed).iter().all(|wish| *wish == Wish::None), "q is a letter here");
    let signed = press(&mut face, &[KeyCode::Backspace, KeyCode::Backspace, KeyCode::Enter]);
    assert_eq!(signed.last(), Some(&Wish::Deny("no".to_owned())));
    face.view = denial();
    press(&mut face, &[KeyCode::Esc]);
    assert_eq!(face.view, View::Table);
}

#[test]
fn control_c_ends_it_wherever_one_is() {
    let mut face = face();
    let key = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(face.press(key), Wish::Quit);
    face.view = approval(Ok("approve?"));
    assert_eq!(face.press(key), Wish::Quit);
    face.view = View::Table;
    assert_eq!(press(&mut face, &[KeyCode::Char('q')]), [Wish::Quit]);
}
