//! Many hosts behind one address: each gets its list at once, and their reports get in though the broker
//! lets in only a few at a time.

use breakglass_integration_tests::agent::{HostAgent, Pins, Told};
use breakglass_integration_tests::hosts::files_with_hosts;
use breakglass_integration_tests::record::rows;
use breakglass_integration_tests::site::Site;
use breakglass_integration_tests::wait::{SOON, until};
use breakglass_ledger::entry::{Body, Entry};

/// A twentieth of what a deployment allows one address.
const NARROW: &str = "[limits]\nconnections-per-address = 6\n\
                      connects = { per-second = 1, burst = 3 }\n";

/// More than have a seat, or may come at once.
const HOSTS: usize = 12;

/// Those who are turned away come again, each in its own time, and who has reported makes room.
#[test]
fn the_reports_of_all_hosts_get_in_through_a_door_for_a_few() {
    let names: Vec<String> = (0..HOSTS).map(|number| format!("db-{number}")).collect();
    let site = Site::under(files_with_hosts(&names.iter().map(String::as_str).collect::<Vec<_>>()));
    let daemon = site.serve_with(NARROW, &[]).unwrap();
    let pins = Pins::of(&site, &daemon);
    let told: Vec<Told> = names.iter().map(|name| Told::new(name, &pins)).collect();
    let _agents: Vec<HostAgent> = told.iter().map(Told::run).collect();
    for one in &told {
        until("a list is in place", SOON, || one.list().exists().then_some(()));
    }
    until("each list is reported", SOON, || {
        let entries = rows(&site.ledger());
        let bodies = entries.iter().map(|bytes| Entry::parse(bytes).unwrap().body);
        let applied = bodies.filter(|body| matches!(body, Body::Applied(_)));
        (applied.count() == HOSTS).then_some(())
    });
    let away = told.iter().filter(|one| one.log().contains("cannot report"));
    assert!(away.count() > 0, "somebody was turned away");
    let refused = told.iter().find(|one| one.log().contains("was refused"));
    assert!(refused.is_none(), "being turned away is no refusal");
}
