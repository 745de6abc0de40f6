use super::*;
use crate::testing::House;

#[test]
fn an_honest_ledger_is_verified() {
    let mut house = House::new();
    let id = house.emergency();
    house.drop_grant(id, "sam");
    house.close(id, crate::entry::Outcome::Revoked);
    let report = house.verify();
    assert_eq!(report.findings, []);
    assert_eq!(report.verdict, Verdict::Verified);
}
