//! Limits, and what whoever meets one is told.

use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::*;
use crate::crowd::Rate;
use crate::desk::Revoking;

fn retry_after(status: &Status) -> u64 {
    let value = status.metadata().get("retry-after").expect("retry-after");
    value.to_str().expect("text").parse().expect("seconds")
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_gets_so_many_calls_whatever_they_are() {
    let calls_per_address = Rate::new(1, 5);
    let house = House::limited(Limits { calls_per_address, ..Limits::roomy() }).await;
    let mut refused = None;
    for _ in 0..6 {
        refused = house.submit(v1::SubmitRequest::default()).await.err();
    }
    let status = refused.expect("a refusal");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(retry_after(&status) >= 1);
    assert!(status.message().contains("calls from your address come too often"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_principal_gets_so_many_acts_and_others_are_not_held_up() {
    let acts_per_principal = Rate::new(1, 1);
    let house = House::limited(Limits { acts_per_principal, ..Limits::roomy() }).await;
    let (_, request) = house.asked().await;
    let size = house.size();
    let status = house.submit(house.asking(2)).await.expect_err("too soon");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(retry_after(&status) >= 1);
    assert_eq!(house.size(), size, "it was not even decided");
    house.submit(house.approving(request, "ada", "app-owner")).await.expect("ada is not sam");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_principal_gets_so_many_reads() {
    let reads_per_principal = Rate::new(1, 2);
    let house = House::limited(Limits { reads_per_principal, ..Limits::roomy() }).await;
    let (id, _) = house.asked().await;
    for _ in 0..2 {
        house.view(house.session("sam"), &id).await.expect("a view");
    }
    let status = house.view(house.session("sam"), &id).await.expect_err("too soon");
    assert_eq!(status.code(), Code::ResourceExhausted);
    house.view(house.session("ada"), &id).await.expect("ada is not sam");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_counted_and_given_back() {
    let house = House::limited(Limits { streams_per_principal: 1, ..Limits::roomy() }).await;
    let (id, _) = house.asked().await;
    let watch = async || {
        let (session, request_id) = (house.session("sam"), id.clone());
        let request = v1::GetRequestRequest { session, request_id, beside: false };
        house.client().watch_request(request).await
    };
    let first = watch().await.expect("a stream");
    let status = watch().await.expect_err("one is enough");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("too many streams are open (of yours)"), "{status}");
    drop(first);
    for _ in 0..6000 {
        if watch().await.is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the seat was not given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_gets_so_many_connections() {
    let limits = Limits { connections_per_address: 1, ..Limits::roomy() };
    let house = House::limited(limits).await;
    connect(house.address, &house.ca).await.expect_err("the first one is still open");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_pinned_to_another_authority_does_not_connect() {
    let (house, other) = (House::open().await, House::open_with(2).await);
    connect(house.address, &other.ca).await.expect_err("not its authority");
    connect(house.address, &house.ca).await.expect("its authority");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_when_nothing_can_be_minted() {
    let house = House::open().await;
    let channel = connect(house.address, &house.ca).await.expect("a connection");
    let mut health = HealthClient::new(channel);
    let mut ask = async |service: &str| {
        let request = HealthCheckRequest { service: service.to_owned() };
        health.check(request).await.map(|answer| answer.into_inner().status())
    };
    use tonic_health::pb::health_check_response::ServingStatus::{NotServing, Serving};
    assert_eq!(ask("breakglass.v1.Broker").await.expect("health"), Serving);
    house.desk.report(Revoking::Sweep, false);
    for _ in 0..6000 {
        if ask(MINTING).await.expect("health") == NotServing {
            assert_eq!(ask("breakglass.v1.Broker").await.expect("health"), Serving);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("minting is stopped, and health does not say so");
}
