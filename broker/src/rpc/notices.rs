//! How telling people of a request goes, on the wire.

use breakglass_ledger::id::RequestId;
use breakglass_proto::v1;

use crate::notify::{Board, Standing, Told};

/// The notices about `request`, for whoever may read it. Addresses are not among it.
pub(super) fn about(board: &Board, request: RequestId) -> Vec<v1::NoticeView> {
    board.about(request).into_iter().map(view).collect()
}

fn view(told: Told) -> v1::NoticeView {
    let state = match told.standing {
        Standing::Waiting => v1::NoticeState::Waiting,
        Standing::Failing => v1::NoticeState::Failing,
        Standing::Delivered => v1::NoticeState::Delivered,
        Standing::GivenUp => v1::NoticeState::GivenUp,
        Standing::NoChannel => v1::NoticeState::NoChannel,
    };
    v1::NoticeView {
        channel: told.channel,
        to: told.to.iter().map(ToString::to_string).collect(),
        about: told.about.to_owned(),
        state: state.into(),
        attempts: told.attempts,
    }
}
