//! `lock`, `unlock`, `locks`: security stops a person, key, scope, host or grant, and says why.

use std::time::Duration;

use breakglass_ledger::statement::{Act, Lock, Unlock};
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1::LockView;
use serde_json::{Value, json};

use super::told;
use crate::cli::{LockArgs, UnlockArgs};
use crate::client::{Client, Opening};
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::output::{Table, clean};

/// Locks, after asking: what it covers ends at once.
pub(super) fn lock(client: &mut Client<'_>, args: &LockArgs) -> Result<Exit, Failure> {
    let message = Opening::new(&args.message)?;
    let (by, now) = (client.by()?, clock::now());
    let until = args.until.map(|length: Duration| now.plus(length.as_secs()));
    let end = until
        .map_or_else(|| "until it is lifted".to_owned(), |at| format!("until {}", told(at, now)));
    client.out.say(&format!(
        "{} is locked {end}; live credentials it covers are revoked at once, and whoever is stopped \
         reads: “{}”",
        args.target,
        message.text()
    ));
    if !client.yes && !client.out.ask(&format!("lock this as {by}?"))? {
        return Err(Failure::usage("not locked: you did not say yes", ""));
    }
    let (target, comment) = (args.target.clone(), Some(message.digest()));
    let receipt = client.act(Act::Lock(Lock { by, target, until, comment }), Some(&message))?;
    let seq = receipt.entry.seq;
    client.out.result(
        &seq.to_string(),
        &json!({
            "outcome": "locked", "lock": seq, "target": args.target.to_string(),
            "until_at": until.map(Timestamp::unix_seconds),
        }),
    )?;
    client.out.say(&format!("locked; lift it with: breakglass unlock {seq}"));
    Ok(Exit::Done)
}

/// Lifts the lock with this number.
pub(super) fn unlock(client: &mut Client<'_>, args: &UnlockArgs) -> Result<Exit, Failure> {
    let session = client.session()?;
    let locks = client.broker()?.locks(&session)?;
    let unknown = || {
        Failure::new(
            Exit::Refused,
            format!("no lock {} stands, or it is not yours to see", args.lock),
            "nothing was signed and nothing has changed",
            "see `breakglass locks`",
        )
    };
    let lock = locks.iter().find(|lock| lock.seq == args.lock).ok_or_else(unknown)?;
    client.out.say(&words(lock, clock::now()));
    let by = client.by()?;
    if !client.yes && !client.out.ask(&format!("unlock this as {by}?"))? {
        return Err(Failure::usage("not unlocked: you did not say yes", ""));
    }
    let digest = lock.digest.parse().map_err(|_| unknown())?;
    let comment = args.reason.as_deref().map(Opening::new).transpose()?;
    let act = Unlock { by, lock: digest, comment: comment.as_ref().map(Opening::digest) };
    let receipt = client.act(Act::Unlock(act), comment.as_ref())?;
    client.out.result(
        "unlocked",
        &json!({"outcome": "unlocked", "lock": lock.seq, "seq": receipt.entry.seq}),
    )?;
    Ok(Exit::Done)
}

/// A table of the locks that stand.
pub(super) fn locks(client: &mut Client<'_>) -> Result<Exit, Failure> {
    let session = client.session()?;
    let locks = client.broker()?.locks(&session)?;
    let now = clock::now();
    let mut table = Table::new(&["LOCK", "TARGET", "BY", "UNTIL", "MESSAGE"]);
    for lock in &locks {
        table.row(&[
            lock.seq.to_string(),
            lock.target.clone(),
            lock.by.clone(),
            ends(lock, now),
            clean(&lock.message),
        ]);
    }
    let rows: Vec<Value> = locks.iter().map(to_json).collect();
    let text =
        if locks.is_empty() { String::new() } else { table.render(client.out.result_columns()) };
    client.out.result(&text, &json!({ "locks": rows }))?;
    if locks.is_empty() {
        client.out.say("nothing that you may see is locked");
    }
    Ok(Exit::Done)
}

fn words(lock: &LockView, now: Timestamp) -> String {
    let (seq, target, by, message) = (lock.seq, &lock.target, &lock.by, clean(&lock.message));
    format!("lock {seq} on {target}, by {by}, until: {}: “{message}”", ends(lock, now))
}

fn ends(lock: &LockView, now: Timestamp) -> String {
    if lock.until_at == 0 {
        return "lifted".to_owned();
    }
    told(Timestamp::from_unix_seconds(lock.until_at), now)
}

fn to_json(lock: &LockView) -> Value {
    json!({
        "lock": lock.seq, "target": lock.target, "by": lock.by, "message": lock.message,
        "until_at": (lock.until_at > 0).then_some(lock.until_at), "statement": lock.digest,
    })
}
