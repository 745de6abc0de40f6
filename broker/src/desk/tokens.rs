//! Tokens that count, and those that were taken back before their time: a fold over the entries, kept in
//! memory, so that neither a slow database nor one that somebody else wrote changes the answer.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Issued, Revoked};
use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::{CallerId, ScopeId};
use breakglass_ledger::statement::Kind;
use breakglass_ledger::time::Timestamp;
use breakglass_rules::Request;

use super::{Desk, DeskError, Job, Receipt, Reply};
use crate::deny::KEPT_SECONDS;
use crate::jwt::{self, Claims, TOKEN_MAX_BYTES, TokenId};
use crate::store::TokenRow;

/// A token that counts now, by all that is durable.
#[derive(Clone, Debug)]
pub struct Vouched {
    /// Its grant.
    pub grant: RequestId,
    /// The number in its `jti`.
    pub serial: u64,
    /// What was asked for.
    pub scope: ScopeId,
    /// What it says.
    pub claims: Claims,
}

/// A token in the order of forgetting: its end, and its serial.
type Place = (Timestamp, u64);

/// A token that was issued and not taken back.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    serial: u64,
    grant: RequestId,
    scope: ScopeId,
    digest: Digest,
    ends: Timestamp,
}

/// What has to reach the doors, once it is durable.
enum News {
    Issued(Standing),
    Over(Timestamp, Digest),
}

/// The sequencer's side: what it knows inside a batch.
#[derive(Default)]
pub(super) struct Tokens {
    standing: BTreeMap<Place, Standing>,
    denied: BTreeMap<Place, RequestId>,
    news: Vec<News>,
}

impl Tokens {
    /// From what the store derived.
    pub(super) fn load(rows: Vec<TokenRow>) -> Self {
        let mut tokens = Self::default();
        for TokenRow { seq, grant, scope, digest, ends, is_over } in rows {
            if is_over {
                tokens.denied.insert((ends, seq), grant);
            } else {
                tokens.add(Standing { serial: seq, grant, scope, digest, ends });
            }
        }
        tokens
    }

    /// A credential was issued in `request`; a token takes the place of the one before.
    pub(super) fn issued(&mut self, request: &Request, issued: &Issued) {
        let (Kind::Jwt, Some(digest)) = (issued.kind, issued.token) else { return };
        let before = request.credentials().find(|one| Some(one.serial) == issued.replaces);
        if let Some(before) = before {
            self.over(request.id(), (before.valid_before, before.serial));
        }
        self.add(Standing {
            serial: issued.serial,
            grant: request.id(),
            scope: request.asked().ask.scope.clone(),
            digest,
            ends: issued.valid_before,
        });
    }

    /// The grant was revoked: its tokens are denied from now on.
    pub(super) fn revoked(&mut self, request: &Request, revoked: &Revoked) {
        for one in request.credentials().filter(|one| one.kind == Kind::Jwt) {
            self.over(revoked.link.grant, (one.valid_before, one.serial));
        }
    }

    /// These are over, whatever was read at the start.
    pub(super) fn enlist(&mut self, rows: &[TokenRow]) {
        for row in rows.iter().filter(|row| row.is_over) {
            self.over(row.grant, (row.ends, row.seq));
        }
    }

    /// Forgets what is over for every clock.
    pub(super) fn forget(&mut self, now: Timestamp) {
        while let Some(first) = self.standing.first_entry().filter(|one| one.key().0 <= now) {
            let token = first.remove();
            self.news.push(News::Over(token.ends, token.digest));
        }
        let is_old = |(ends, _): &Place| ends.plus(KEPT_SECONDS) <= now;
        while self.denied.first_entry().filter(|one| is_old(one.key())).is_some() {
            self.denied.pop_first();
        }
    }

    /// Identifiers of tokens that are denied, those first whose time is over first.
    pub(super) fn denied(&self) -> Vec<String> {
        let id =
            |((_, seq), request): (&Place, &RequestId)| TokenId { request: *request, seq: *seq };
        self.denied.iter().map(|one| id(one).to_text()).collect()
    }

    fn add(&mut self, token: Standing) {
        self.news.push(News::Issued(token.clone()));
        self.standing.insert((token.ends, token.serial), token);
    }

    fn over(&mut self, grant: RequestId, place: Place) {
        if let Some(token) = self.standing.remove(&place) {
            self.news.push(News::Over(token.ends, token.digest));
        }
        self.denied.insert(place, grant);
    }
}

/// The doors' side: what is durable.
#[derive(Default)]
pub(super) struct Shown {
    standing: HashMap<Digest, Standing>,
    /// Over before their time, each with its end: so they stay, whatever is read again later.
    over: BTreeSet<(Timestamp, Digest)>,
    head: Option<Timestamp>,
}

impl Shown {
    /// Takes in what became durable by `head`. After a failed transaction everything is read `anew`.
    pub(super) fn follow(&mut self, tokens: &mut Tokens, head: Timestamp, anew: bool) {
        if anew {
            self.standing.clear();
        }
        for news in tokens.news.drain(..) {
            match news {
                News::Issued(token) if self.over.contains(&(token.ends, token.digest)) => {}
                News::Issued(token) => drop(self.standing.insert(token.digest, token)),
                News::Over(ends, digest) => {
                    self.standing.remove(&digest);
                    self.over.insert((ends, digest));
                }
            }
        }
        while self.over.first().is_some_and(|(ends, _)| *ends <= head) {
            self.over.pop_first();
        }
        self.head = Some(head);
    }

    /// The token with this digest, if it counts at `now`, or at the time of the newest entry if the
    /// clock has stepped back.
    pub(super) fn token(&self, digest: Digest, now: Timestamp) -> Option<Standing> {
        let now = self.head.map_or(now, |head| head.max(now));
        self.standing.get(&digest).filter(|token| now < token.ends).cloned()
    }
}

impl Desk {
    /// The token, if it counts now: it is one that we signed and wrote down, byte by byte; its time is
    /// not over, its grant is alive, and no other token took its place.
    #[must_use]
    pub fn vouch(&self, token: &str) -> Option<Vouched> {
        if token.len() > TOKEN_MAX_BYTES {
            return None;
        }
        // Whoever has no token of ours ends here, before any signature is looked at.
        let found = self.shared.token(Digest::of(token.as_bytes()))?;
        let Standing { serial, grant, scope, ends, .. } = found;
        // A digest that somebody else wrote into the database is of no token that our key signed.
        let claims = jwt::read(token, &self.public().jwt_keys());
        let claims = claims.inspect_err(|error| {
            crate::report::fault("reading a token that is written down", error);
        });
        let (id, issuer) = (TokenId { request: grant, seq: serial }, self.public().issuer.as_ref());
        let claims = claims.ok().filter(|claims| {
            // By another name than the configuration's it is somebody else's.
            let is_ours = issuer.is_some_and(|own| own.as_str() == claims.iss);
            is_ours && claims.id() == Some(id) && claims.exp == ends.unix_seconds()
        })?;
        Some(Vouched { grant, serial, scope, claims })
    }

    /// Queues the revocation of a token by the service `caller`; its grant ends with it.
    ///
    /// # Errors
    ///
    /// [`DeskError::Busy`] or [`DeskError::Stopped`] at once; `reply` is then never called.
    pub fn take_back(
        &self,
        grant: RequestId,
        serial: u64,
        caller: CallerId,
        reply: Reply<Receipt>,
    ) -> Result<(), DeskError> {
        self.push(Job::TakeBack { grant, serial, caller, reply })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_348_800);

    fn row(seq: u64, is_over: bool) -> TokenRow {
        TokenRow {
            seq,
            grant: "req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d".parse().expect("an id"),
            scope: "payments".parse().expect("a name"),
            digest: Digest::of(&seq.to_be_bytes()),
            ends: NOW.plus(600),
            is_over,
        }
    }

    fn counts(shown: &Shown, seq: u64, now: Timestamp) -> bool {
        shown.token(row(seq, false).digest, now).is_some()
    }

    #[test]
    fn a_token_counts_until_its_end_and_not_a_second_longer() {
        let (mut shown, mut tokens) = (Shown::default(), Tokens::load(vec![row(7, false)]));
        shown.follow(&mut tokens, NOW, true);
        assert!(counts(&shown, 7, NOW.plus(599)));
        assert!(!counts(&shown, 7, NOW.plus(600)));
        assert!(!counts(&shown, 8, NOW), "never issued");
    }

    #[test]
    fn a_clock_that_steps_back_revives_no_token() {
        let (mut shown, mut tokens) = (Shown::default(), Tokens::load(vec![row(7, false)]));
        shown.follow(&mut tokens, NOW.plus(600), true);
        assert!(!counts(&shown, 7, NOW));
    }

    #[test]
    fn what_is_over_is_denied_until_nobody_can_take_it_any_more() {
        let mut tokens = Tokens::load(vec![row(7, false), row(8, true)]);
        assert_eq!(tokens.denied(), ["req-0192f0c1-7a54-7cc2-9d1e-0c5f6a1b2c3d.8"]);
        tokens.enlist(&[row(7, true), row(8, true)]);
        assert_eq!(tokens.denied().len(), 2);
        tokens.forget(NOW.plus(600 + KEPT_SECONDS - 1));
        assert_eq!(tokens.denied().len(), 2);
        tokens.forget(NOW.plus(600 + KEPT_SECONDS));
        assert!(tokens.denied().is_empty());
    }

    /// As if somebody had taken the revocation out of the database, and it were read again.
    #[test]
    fn what_was_taken_back_stays_so_whatever_the_database_says_later() {
        let (mut shown, mut tokens) = (Shown::default(), Tokens::load(vec![row(7, false)]));
        tokens.enlist(&[row(7, true)]);
        shown.follow(&mut tokens, NOW, false);
        assert!(!counts(&shown, 7, NOW));
        shown.follow(&mut Tokens::load(vec![row(7, false)]), NOW, true);
        assert!(!counts(&shown, 7, NOW));
    }
}
