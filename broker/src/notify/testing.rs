//! Notices for the tests of this room.

use std::sync::Arc;

use breakglass_ledger::id::RequestId;
use breakglass_ledger::statement::Lane;
use breakglass_ledger::time::{Timestamp, Ttl};

use super::notice::{About, Address, Asked, Notice, Topic, name};

/// When all of it happens.
pub(super) const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_341_600);

/// A request of sam's, with a title that has something to escape in it for everybody.
pub(super) fn request() -> Arc<About> {
    about(Lane::Normal, "Root <on> the *payments* hosts & more")
}

/// The same in another lane, or of another title.
pub(super) fn about(lane: Lane, title: &str) -> Arc<About> {
    Arc::new(About::Request(Asked {
        id: id(1),
        by: "sam".parse().expect("a name"),
        scope: "root-on-host".parse().expect("a name"),
        title: title.to_owned(),
        lane,
        ttl: Ttl::from_seconds(1800).expect("a ttl"),
        incident: Some("INC-1".to_owned()),
        fingerprint: Some("SHA256:0123456789ab".to_owned()),
        lapses: NOW.plus(900),
    }))
}

/// The id of a request.
pub(super) fn id(number: u8) -> RequestId {
    RequestId::new(1_795_341_600_000, [number; 10])
}

/// A notice about [`request`] at entry 7.
pub(super) fn notice(topic: Topic, address: &str) -> Notice {
    notice_of(7, topic, address)
}

/// A notice about [`request`].
pub(super) fn notice_of(entry: u64, topic: Topic, address: &str) -> Notice {
    Notice {
        id: name(entry, address, topic.reminder()),
        entry,
        at: NOW,
        topic,
        about: request(),
        to: vec!["ada".parse().expect("a name")],
        address: Address::new(address),
        until: NOW.plus(900),
    }
}
