//! What a broker would show of a [`House`]: for this crate's own tests.

use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::policy::Files;
use breakglass_ledger::testing::House;
use breakglass_proto::v1;
use data_encoding::HEXLOWER;

use crate::config::{Config, Given};
use crate::trust::Trust;

/// The trust of a client of `house`.
pub(crate) fn trust(house: &House) -> Trust {
    let given = Given {
        log: Some(house.keys.origin().to_string()),
        log_key: Some(house.keys.log_key().to_string()),
        ..Given::default()
    };
    Trust::of(&Config::load(&given).unwrap()).unwrap()
}

/// The view of the request `id`, with all its entries.
pub(crate) fn view(house: &House, id: RequestId) -> v1::RequestView {
    let parsed = |bytes: &&Vec<u8>| {
        Entry::parse(bytes).unwrap().grant().is_some_and(|link| link.grant == id)
    };
    let entries: Vec<Vec<u8>> = house.entries.iter().filter(parsed).cloned().collect();
    let Body::Requested(requested) = Entry::parse(&entries[0]).unwrap().body else { panic!() };
    let opening = house.openings.last().unwrap();
    let line: serde_json::Value = serde_json::from_slice(&opening.to_line().unwrap()).unwrap();
    v1::RequestView {
        id: id.to_string(),
        state: v1::State::Pending.into(),
        statement: requested.signed.statement.into_bytes(),
        signature: requested.signed.signature,
        reason_text: opening.text().to_owned(),
        reason_salt: HEXLOWER.decode(line["salt"].as_str().unwrap().as_bytes()).unwrap(),
        entries,
        ..v1::RequestView::default()
    }
}

/// The policy in force, as the broker sends it.
pub(crate) fn policy(house: &House) -> v1::GetPolicyAnswer {
    let bodies = house.entries.iter().map(|bytes| Entry::parse(bytes).unwrap().body);
    let policies = bodies.filter_map(|body| {
        let Body::Policy(policy) = body else { return None };
        Some(policy)
    });
    let policy = policies.reduce(|_, newer| newer).unwrap();
    let manifest =
        breakglass_ledger::statement::Statement::parse(policy.statement.as_bytes()).unwrap();
    let breakglass_ledger::statement::Act::Policy(listed) = manifest.act() else { panic!() };
    assert_eq!(listed.files.len(), Files::NAMES.len());
    let files = listed.files.iter().map(|(name, digest)| v1::Blob {
        name: name.clone(),
        content: house.blobs[digest].clone(),
    });
    v1::GetPolicyAnswer {
        version: policy.version,
        digest: policy.digest.as_bytes().to_vec(),
        manifest: policy.statement.clone().into_bytes(),
        signatures: policy.signatures.clone(),
        files: files.collect(),
    }
}

/// The answer to an act whose entry is the newest of `house`.
pub(crate) fn answer(house: &House) -> v1::SubmitAnswer {
    let entry = house.entries.last().unwrap().clone();
    let parsed = Entry::parse(&entry).unwrap();
    let credential = if let Body::Issued(issued) = &parsed.body {
        issued.certificate.clone().unwrap_or_default()
    } else {
        String::new()
    };
    v1::SubmitAnswer {
        seq: parsed.seq,
        entry,
        checkpoint: house.checkpoint(),
        request_id: parsed.grant().map(|link| link.grant.to_string()).unwrap_or_default(),
        credential,
        repeated: false,
    }
}
