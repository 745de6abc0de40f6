//! A session of an AWS role, printed for `credential_process`.

use std::time::Duration;

use breakglass_ledger::statement::Kind;

use super::live::{self, Live, Wanted};
use super::token::fresh;
use crate::aws::{Anywhere, Arn, Session, WebIdentity, duration};
use crate::cli::ways::AwsArgs;
use crate::client::Client;
use crate::clock;
use crate::failure::{Exit, Failure};

/// Prints the session, and nothing else, on stdout.
pub(in crate::verbs) fn aws(
    client: &mut Client<'_>,
    args: &AwsArgs,
    within: Duration,
) -> Result<Exit, Failure> {
    let anchored = args.trust_anchor.as_ref().zip(args.profile.as_ref());
    if anchored.is_some_and(|(anchor, _)| anchor.region().is_empty()) && args.endpoint.is_none() {
        let what = "the trust anchor's name has no region";
        return Err(Failure::usage(what, "copy its ARN whole, or give --endpoint"));
    }
    let kind = if anchored.is_some() { Kind::X509 } else { Kind::Jwt };
    let wanted = Wanted { id: args.id, scope: args.scope.as_ref(), kind: Some(kind) };
    let live = live::pick(client, &wanted)?;
    let left = live.expires_at.since(clock::now());
    let seconds = duration(left);
    if seconds > left {
        client.out.say(&format!(
            "AWS gives no session shorter than {seconds} s; the grant ends in {left} s"
        ));
    }
    let session = match anchored {
        Some((anchor, profile)) => by_certificate(&live, args, anchor, profile, seconds, within)?,
        None => {
            let token = fresh(client, &live)?;
            let ask = WebIdentity {
                endpoint: args.endpoint.as_deref(),
                region: args.region.as_deref().unwrap_or_default(),
                role: &args.role,
                // What the session is called in CloudTrail: it leads to the ledger.
                name: &format!("bg-{}", live.id),
                seconds,
            };
            ask.session(&token.text, within)?
        }
    };
    let printed = session.to_json();
    client.out.result(&printed.to_string(), &printed)?;
    Ok(Exit::Done)
}

fn by_certificate(
    live: &Live,
    args: &AwsArgs,
    trust_anchor: &Arn,
    profile: &Arn,
    seconds: u64,
    within: Duration,
) -> Result<Session, Failure> {
    let gone = || Failure::new(Exit::Internal, "the certificate's files are gone", "", "");
    let certificate = live.holding.credential(Kind::X509)?.ok_or_else(gone)?;
    let key = live.holding.key()?.and_then(|key| key.to_pkcs8_pem()).ok_or_else(gone)?;
    let ask = Anywhere {
        endpoint: args.endpoint.as_deref(),
        trust_anchor,
        profile,
        role: &args.role,
        seconds,
    };
    ask.session(&certificate, &key, within)
}
