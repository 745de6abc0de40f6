//! Callers, and a desk with two tokens, for the tests of this door.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::principal::CallerId;

use super::config::{Caller, Errand};
use super::secret;
use super::tokens::{Ending, Tokens, Unsure};
use crate::desk::Vouched;
use crate::entropy::SeededEntropy;
use crate::jwt::{Actor, Claims, Confirmation};

/// The secret of the caller `id`, or of one who is none.
pub(super) fn secret_of(id: &str) -> String {
    let seed = id.bytes().map(u64::from).sum();
    secret::fresh(&SeededEntropy::new(seed)).expect("randomness").to_string()
}

/// `gateway` may ask about all and revoke, `narrow` the same for one audience, `cluster` may review.
pub(super) fn callers() -> super::callers::Callers {
    super::callers::Callers::new(listed())
}

pub(super) fn listed() -> Vec<Caller> {
    use Errand::{Introspect, Review, Revoke};
    let caller = |id: &str, may: &[Errand], audiences: Option<&str>| Caller {
        id: id.parse().expect("a name"),
        token_sha256: Digest::of(secret_of(id).as_bytes()),
        may: may.iter().copied().collect(),
        audiences: audiences.map(|one| [one.to_owned()].into()),
    };
    vec![
        caller("gateway", &[Introspect, Revoke], None),
        caller("narrow", &[Introspect, Revoke], Some("other-api")),
        caller("cluster", &[Review], Some("payments-api")),
    ]
}

/// A desk as this door sees it.
#[derive(Clone, Default)]
pub(super) struct Desk {
    /// Whether revoking fails.
    pub(super) is_unsure: Arc<AtomicBool>,
    /// Serials that were taken back, and by whom.
    pub(super) ended: Arc<Mutex<Vec<(u64, CallerId)>>>,
}

/// A token of a person, and one of an agent on her behalf.
pub(super) const TOKEN: &str = "a.b.c";
pub(super) const AGENTS: &str = "d.e.f";

impl Tokens for Desk {
    fn sure(&self) -> bool {
        !self.is_unsure.load(Ordering::SeqCst)
    }

    fn look(&self, token: &str) -> Option<Vouched> {
        let serial = match token {
            TOKEN => 41,
            AGENTS => 42,
            _ => return None,
        };
        let is_over = self.ended.lock().expect("a lock").iter().any(|(over, _)| *over == serial);
        (!is_over).then(|| vouched(serial))
    }

    fn take_back(&self, token: &Vouched, caller: &CallerId) -> Ending {
        if !self.sure() {
            return Box::pin(async { Err(Unsure) });
        }
        self.ended.lock().expect("a lock").push((token.serial, caller.clone()));
        Box::pin(async { Ok(()) })
    }
}

fn vouched(serial: u64) -> Vouched {
    let request = "req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d";
    let is_agents = serial == 42;
    Vouched {
        grant: request.parse().expect("an id"),
        serial,
        scope: "payments".parse().expect("a name"),
        claims: Claims {
            act: is_agents.then(|| Actor { act: None, sub: "bot".to_owned() }),
            aud: "payments-api".to_owned(),
            cnf: is_agents.then(|| Confirmation { jkt: "k".repeat(43) }),
            exp: 1_795_342_200,
            groups: vec!["dba".to_owned()],
            iat: 1_795_341_600,
            iss: "https://bg.example.com".to_owned(),
            jti: format!("{request}.{serial}"),
            nbf: 1_795_341_595,
            sub: format!("breakglass:{request}:sam"),
        },
    }
}
