//! Views as a broker would send them.

use breakglass_ledger::bytes::Salt;
use breakglass_ledger::statement::{Act, Ask, Kind, Lane, Seen, Statement};
use breakglass_ledger::testing::House;
use breakglass_ledger::time::Ttl;
use breakglass_proto::v1::{GivenView, StageView};

use super::*;

/// 2026-11-22T10:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_341_600);

/// The id of request `number`.
pub(crate) fn id(number: u16) -> RequestId {
    let [high, low] = number.to_be_bytes();
    // The first bytes share their places with version and variant.
    RequestId::new(NOW.unix_seconds() * 1000, [0, 0, 0, 0, high, low, 0, 0, 0, 0])
}

/// Request `number` by `who` for `scope`, asked a minute ago, waiting for `stages`.
pub(crate) fn view(
    number: u16,
    who: &str,
    scope: &str,
    stages: &[(&str, &[&str], &[&str])],
) -> RequestView {
    let house = House::new();
    let ask = Ask {
        id: id(number),
        by: who.parse().unwrap(),
        scope: scope.parse().unwrap(),
        kinds: vec![Kind::Ssh],
        lane: Lane::Normal,
        ttl: Ttl::from_seconds(1800).unwrap(),
        incident: Some("INC-4711".into()),
        reason: None,
        key: Some(house.keys.public("sam")),
        on_behalf_of: Vec::new(),
    };
    let nonce = Salt::from_bytes([1; 16]);
    let (act, expires) = (Act::Request(ask), Some(NOW.plus(60)));
    let log = house.keys.origin();
    let statement = Statement::compose(&log, Some(Seen::NOTHING), act, expires, nonce).unwrap();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let stages = stages.iter().map(|(name, given, may)| StageView {
        name: (*name).to_owned(),
        quorum: 1,
        given: names(given)
            .into_iter()
            .map(|by| GivenView { by, ..GivenView::default() })
            .collect(),
        may_approve: names(may),
        ..StageView::default()
    });
    RequestView {
        id: id(number).to_string(),
        state: State::Pending.into(),
        statement: statement.text().as_bytes().to_vec(),
        reason_text: "payments are stuck".to_owned(),
        asked_at: NOW.unix_seconds() - 60,
        lapses_at: NOW.unix_seconds() + 840,
        answered_at: NOW.unix_seconds(),
        stages: stages.collect(),
        ..RequestView::default()
    }
}
