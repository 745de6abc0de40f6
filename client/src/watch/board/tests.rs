use super::testing::{NOW, id, view};
use super::*;

fn board() -> Board {
    Board::new("ada".parse().unwrap())
}

fn order(board: &Board) -> Vec<RequestId> {
    board.window(0, usize::MAX).into_iter().map(|row| row.id).collect()
}

fn later(view: &RequestView, state: State, seconds: u64) -> RequestView {
    let answered_at = view.answered_at + seconds;
    RequestView { state: state.into(), answered_at, ..view.clone() }
}

#[test]
fn what_waits_for_the_user_comes_first_and_the_first_to_lapse_first() {
    let others = view(1, "sam", "quick", &[("security", &[], &["bob"])]);
    let late = view(2, "sam", "quick", &[("leads", &[], &["ada"])]);
    let soon = RequestView {
        lapses_at: NOW.unix_seconds() + 10,
        ..view(3, "joe", "quick", &[("leads", &[], &["ada", "bob"])])
    };
    let mut board = board();
    board.replace(&[others, late, soon]);
    assert_eq!(order(&board), [id(3), id(2), id(1)]);
    assert_eq!(board.mine(), 2);
    let stands: Vec<String> = board.window(0, 3).iter().map(|row| row.stands()).collect();
    assert_eq!(stands, ["waits for you", "waits for you", "waits for others"]);
}

#[test]
fn a_row_moves_on_when_its_request_does() {
    let both = [("app-owner", &[][..], &["ada"][..]), ("security", &[][..], &["bob"][..])];
    let asked = view(1, "sam", "root-on-host", &both);
    let mut board = board();
    board.update(&asked);
    assert_eq!(board.at(0).unwrap().missing, "1 app-owner, 1 security");
    let one = [("app-owner", &["ada"][..], &[][..]), ("security", &[][..], &["bob"][..])];
    let approved = view(1, "sam", "root-on-host", &one);
    board.update(&later(&approved, State::Pending, 1));
    let row = board.at(0).unwrap();
    assert_eq!((row.missing.as_str(), row.is_mine), ("1 security", false));
    board.update(&later(&approved, State::Approved, 2));
    assert_eq!(board.at(0).unwrap().stands(), "approved");
    let denied = RequestView {
        outcome: "denied".into(),
        ended_by: "bob".into(),
        ..later(&approved, State::Closed, 3)
    };
    board.update(&denied);
    assert_eq!(board.at(0).unwrap().stands(), "denied by bob");
}

/// A list that was asked for after an event must not be undone by that event.
#[test]
fn what_is_older_than_what_is_known_changes_nothing() {
    let asked = view(1, "sam", "quick", &[("leads", &[], &["ada"])]);
    let mut board = board();
    board.replace(&[later(&asked, State::Approved, 5)]);
    board.update(&asked);
    assert_eq!(board.at(0).unwrap().state, State::Approved);
}

#[test]
fn what_no_longer_waits_goes_with_a_new_list_and_what_is_over_goes_after_a_while() {
    let stages = [("leads", &[][..], &["ada"][..])];
    let mut board = board();
    board.replace(&[view(1, "sam", "quick", &stages), view(2, "joe", "quick", &stages)]);
    board.replace(&[view(2, "joe", "quick", &stages)]);
    assert_eq!(order(&board), [id(2)]);
    board.update(&later(&view(2, "joe", "quick", &stages), State::Closed, 1));
    board.tidy(NOW.plus(600));
    assert_eq!(board.len(), 1);
    board.tidy(NOW.plus(602));
    assert!(board.is_empty());
    board.update(&later(&view(3, "joe", "quick", &stages), State::Closed, 1));
    assert!(board.is_empty(), "what was over before anybody looked is no news");
}

#[test]
fn ten_thousand_requests_fit_the_board() {
    let stages = [("leads", &[][..], &["ada"][..])];
    let one = view(0, "sam", "quick", &stages);
    let statement = String::from_utf8(one.statement.clone()).unwrap();
    let all: Vec<RequestView> = (0..10_000)
        .map(|number| {
            let statement = statement.replace(&id(0).to_string(), &id(number).to_string());
            RequestView {
                id: id(number).to_string(),
                statement: statement.into_bytes(),
                ..one.clone()
            }
        })
        .collect();
    let mut board = board();
    board.replace(&all);
    assert_eq!((board.len(), board.mine()), (10_000, 10_000));
    board.update(&later(&all[7_000], State::Closed, 1));
    assert_eq!(board.mine(), 9_999);
    assert_eq!(board.place(id(7_000)), Some(9_999), "over: last");
}
