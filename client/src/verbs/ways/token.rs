//! The token of a live grant. It lives for minutes and its grant for longer, so another is fetched when
//! one is about to end; whoever gets it needs the time to use it.

use breakglass_ledger::statement::Kind;
use serde_json::json;

use super::live::{self, Live, Wanted};
use crate::cli::Place;
use crate::cli::ways::TokenArgs;
use crate::client::Client;
use crate::clock;
use crate::credential::Credential;
use crate::failure::{Exit, Failure};
use crate::verbs::collect;

/// Prints the token, and nothing else, on stdout.
pub(in crate::verbs) fn token(client: &mut Client<'_>, args: &TokenArgs) -> Result<Exit, Failure> {
    let wanted = Wanted { id: args.id, scope: args.scope.as_ref(), kind: Some(Kind::Jwt) };
    let live = live::pick(client, &wanted)?;
    let token = fresh(client, &live)?;
    let object = json!({
        "id": live.id.to_string(),
        "token": token.text,
        "expires_at": token.expires_at.unix_seconds(),
    });
    client.out.result(&token.text, &object)?;
    Ok(Exit::Done)
}

/// The token that is here, if it lives for a while; else another one of the same grant.
pub(super) fn fresh(client: &mut Client<'_>, live: &Live) -> Result<Credential, Failure> {
    let now = clock::now();
    let kept = live.holding.credential(Kind::Jwt)?;
    let kept = kept.and_then(|text| Credential::read(Kind::Jwt, &text).ok());
    let Some(kept) = kept.filter(|kept| now < kept.expires_at) else {
        return Ok(collect::fetch(client, live.id, Kind::Jwt, &Place::default())?.credential);
    };
    // Another would end at the same second.
    let is_last = kept.expires_at >= live.expires_at;
    if is_last || kept.expires_at.since(now) > ENDING_SECONDS {
        return Ok(kept);
    }
    match collect::fetch(client, live.id, Kind::Jwt, &Place::default()) {
        Ok(fetched) => Ok(fetched.credential),
        // The broker is away: what is here still opens the door.
        Err(failure) if failure.exit() == Exit::Unreachable => {
            client
                .out
                .say(&format!("{failure}; the token that is here ends at {}", kept.expires_at));
            Ok(kept)
        }
        Err(failure) => Err(failure),
    }
}

/// With less than this left, in seconds, a token is replaced: a deployment or a query may take as long.
const ENDING_SECONDS: u64 = 60;
