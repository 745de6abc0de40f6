//! Stories about statements as a whole; the grammar of each value has its own in `grammar`.

use super::*;

const LOG: &str = "payments/3f9a1c0e5b7d2a44";

/// The example of the contract, with a real key and root.
pub(super) const REQUEST: &str = "breakglass-request/v1\n\
    log: payments/3f9a1c0e5b7d2a44\n\
    seen: 41 3q2+7wAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\
    id: req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d\n\
    by: sam\n\
    scope: prod-db-admin\n\
    kinds: ssh\n\
    lane: outage\n\
    ttl: 1800\n\
    incident: INC-4711\n\
    reason: sha256:0000000000000000000000000000000000000000000000000000000000000001\n\
    key: ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea\n\
    expires: 2026-11-22T10:15:00Z\n\
    nonce: 000102030405060708090a0b0c0d0e0f\n";

#[test]
fn the_example_of_the_contract_is_read_and_composed_again() {
    let statement = Statement::parse(REQUEST.as_bytes()).unwrap();
    let Act::Request(ask) = statement.act() else { panic!("not a request") };
    assert_eq!(ask.by.as_str(), "sam");
    assert_eq!(ask.incident.as_deref(), Some("INC-4711"));
    assert_eq!(statement.digest(), Digest::of(REQUEST.as_bytes()));
    let again = Statement::compose(
        &LOG.parse().unwrap(),
        statement.seen(),
        statement.act().clone(),
        statement.expires(),
        statement.nonce(),
    );
    assert_eq!(again.unwrap().text(), REQUEST);
}
