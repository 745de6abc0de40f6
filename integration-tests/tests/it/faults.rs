//! Faults of files, disks and configuration, met by the real daemon: it refuses in words that say
//! what is wrong and what to do, and nothing is lost.

mod custody;
mod disk;
mod kinds;
mod start;

use std::sync::atomic::{AtomicU32, Ordering};

use breakglass_broker::rpc::MINTING;
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::statement::Act;
use breakglass_proto::v1;
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use breakglass_integration_tests::daemon::Daemon;
use breakglass_integration_tests::people::Person;
use breakglass_integration_tests::record::Exported;
use breakglass_integration_tests::site::Site;
use breakglass_integration_tests::wait::SOON;
use breakglass_integration_tests::wire::{Wire, connect};

/// A deployment in which several people may ask.
fn site() -> Site {
    Site::of(&["pia", "sam", "ada", "bob", "eve", "tom", "kim", "lou"])
}

/// `who` asks for what needs nobody's word, and collects it.
async fn credential(
    wire: &Wire,
    who: &str,
    ttl: u32,
) -> Result<(Digest, v1::SubmitAnswer), Status> {
    // A fresh key for each request, as a client makes one.
    static KEYS: AtomicU32 = AtomicU32::new(0);
    let number = KEYS.fetch_add(1, Ordering::Relaxed);
    let (who, subject) = (Person::named(who), Person::numbered("subject", number));
    let asking = wire.ask(&who, "solo", ttl, &subject);
    let request = Digest::of(&asking.statement);
    wire.submit(asking).await?;
    Ok((request, wire.submit(wire.collect(&subject, request)).await?))
}

/// `who` gives the credential back.
async fn give_back(wire: &Wire, who: &str, request: Digest) -> Result<v1::SubmitAnswer, Status> {
    wire.submit(wire.about(&Person::named(who), Act::Drop, request)).await
}

/// Waits until the health service says of minting what is expected.
async fn minting(site: &Site, daemon: &Daemon, expected: ServingStatus) {
    let channel = connect(daemon.rpc, &site.ca()).await.expect("a connection");
    let mut health = HealthClient::new(channel);
    let begun = std::time::Instant::now();
    loop {
        let request = HealthCheckRequest { service: MINTING.to_owned() };
        let status = health.check(request).await.expect("health").into_inner().status();
        if status == expected {
            return;
        }
        assert!(begun.elapsed() < SOON, "still {status:?}: {}", daemon.log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// The ledger at rest is sound, and holds what was acknowledged.
fn sound(site: &Site, acknowledged: &[&v1::SubmitAnswer]) {
    let export = Exported::at_rest(site);
    export.assert_sound(&site.trust());
    for answer in acknowledged {
        let seq = usize::try_from(answer.seq).expect("small");
        assert_eq!(export.entries.get(seq), Some(&answer.entry), "entry {seq} was acknowledged");
    }
}
