//! How telling people of a request goes, in words: whoever waits must know if nobody was reached.

use std::collections::BTreeSet;

use breakglass_proto::v1::{NoticeState, NoticeView, RequestView};
use serde_json::{Value, json};

/// `notified bob, eve; not reached: ada (mail)`, or that nobody was reached at all; empty if the
/// broker tells nobody.
#[must_use]
pub fn telling(view: &RequestView) -> String {
    let told = |notice: &&NoticeView| notice.state() == NoticeState::Delivered;
    let reached = people(view.notices.iter().filter(told));
    let failing = || view.notices.iter().filter(|notice| fails(notice.state()));
    let mut missed = people(failing());
    missed.retain(|id| !reached.contains(id));
    let ways: BTreeSet<&str> = failing().map(|notice| notice.channel.as_str()).collect();
    let ways = ways.into_iter().collect::<Vec<_>>().join(", ");
    match (reached.is_empty(), missed.is_empty()) {
        (true, true) => String::new(),
        (true, false) => {
            format!(
                "NOBODY WAS REACHED, every channel fails ({ways}): tell {} yourself",
                names(&missed)
            )
        }
        (false, true) => format!("notified {}", names(&reached)),
        (false, false) => {
            format!("notified {}; not reached: {} ({ways})", names(&reached), names(&missed))
        }
    }
}

/// The notices for programs.
pub(crate) fn to_json(view: &RequestView) -> Value {
    let notices = view.notices.iter().map(|notice| {
        let state = match notice.state() {
            NoticeState::Waiting => "waiting",
            NoticeState::Failing => "failing",
            NoticeState::Delivered => "delivered",
            NoticeState::GivenUp => "given-up",
            NoticeState::NoChannel => "no-channel",
            NoticeState::Unspecified => "unknown",
        };
        json!({
            "channel": notice.channel, "to": notice.to, "about": notice.about, "state": state,
            "attempts": notice.attempts,
        })
    });
    notices.collect()
}

fn people<'v>(notices: impl Iterator<Item = &'v NoticeView>) -> BTreeSet<&'v str> {
    notices.flat_map(|notice| &notice.to).map(String::as_str).collect()
}

const fn fails(state: NoticeState) -> bool {
    match state {
        NoticeState::Failing | NoticeState::GivenUp | NoticeState::NoChannel => true,
        NoticeState::Waiting | NoticeState::Delivered | NoticeState::Unspecified => false,
    }
}

/// At most [`NAMES_SHOWN`] of them.
fn names(ids: &BTreeSet<&str>) -> String {
    let shown: Vec<&str> = ids.iter().copied().take(NAMES_SHOWN).collect();
    let more = ids.len().saturating_sub(NAMES_SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// More names than this do not fit a line.
const NAMES_SHOWN: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn view(notices: &[(&str, &str, NoticeState)]) -> RequestView {
        let notice = |(channel, to, state): &(&str, &str, NoticeState)| NoticeView {
            channel: (*channel).to_owned(),
            to: vec![(*to).to_owned()],
            about: "asked".to_owned(),
            state: (*state).into(),
            attempts: 1,
        };
        RequestView { notices: notices.iter().map(notice).collect(), ..RequestView::default() }
    }

    #[test]
    fn whoever_waits_learns_who_was_reached_and_that_nobody_was() {
        use NoticeState::{Delivered, Failing, GivenUp, NoChannel, Waiting};
        assert_eq!(telling(&view(&[])), "");
        assert_eq!(telling(&view(&[("ntfy", "ada", Waiting)])), "");
        let some = [("ntfy", "bob", Delivered), ("mail", "bob", Failing), ("mail", "ada", Failing)];
        assert_eq!(telling(&view(&some)), "notified bob; not reached: ada (mail)");
        let none =
            [("ntfy", "bob", Failing), ("mail", "ada", GivenUp), ("pigeon", "eve", NoChannel)];
        assert_eq!(
            telling(&view(&none)),
            "NOBODY WAS REACHED, every channel fails (mail, ntfy, pigeon): tell ada, bob, eve yourself"
        );
        let all = [("ntfy", "bob", Delivered), ("ntfy", "ada", Delivered)];
        assert_eq!(telling(&view(&all)), "notified ada, bob");
    }
}
