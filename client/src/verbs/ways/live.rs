//! Which grant is reused: the one that fits and lives, collected now if it was not yet.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use breakglass_ledger::id::RequestId;
use breakglass_ledger::principal::ScopeId;
use breakglass_ledger::statement::{Act, Ask, Kind, Statement};
use breakglass_ledger::time::Timestamp;
use breakglass_proto::v1::State;

use crate::cli::Place;
use crate::client::Client;
use crate::clock;
use crate::credential::Credential;
use crate::failure::{Exit, Failure};
use crate::output::short_duration;
use crate::state::Holding;
use crate::verbs::collect;
use crate::view;

/// What a way in needs.
pub(super) struct Wanted<'a> {
    /// The grant of this request and no other.
    pub(super) id: Option<RequestId>,
    /// The grant of this scope.
    pub(super) scope: Option<&'a ScopeId>,
    /// With a credential of this kind; `None`: any.
    pub(super) kind: Option<Kind>,
}

/// A grant that lives, and whose credential is on this machine.
pub(super) struct Live {
    /// Its request.
    pub(super) id: RequestId,
    /// What was asked.
    pub(super) ask: Ask,
    /// Where its key and credential are.
    pub(super) holding: Holding,
    /// First second at which it is no longer valid.
    pub(super) expires_at: Timestamp,
}

impl Live {
    /// What a program may need to know, as variables.
    pub(super) fn environment(&self) -> BTreeMap<&'static str, OsString> {
        let mut all: BTreeMap<&'static str, OsString> = BTreeMap::from([
            ("BREAKGLASS_REQUEST", self.id.to_string().into()),
            ("BREAKGLASS_SCOPE", self.ask.scope.to_string().into()),
            ("BREAKGLASS_EXPIRES_AT", self.expires_at.unix_seconds().to_string().into()),
        ]);
        let mut set = |name, path: PathBuf| {
            if path.exists() {
                all.insert(name, path.into());
            }
        };
        let holding = &self.holding;
        if holding.credential_path(Kind::Ssh).exists() {
            set("BREAKGLASS_SSH_KEY", holding.key_path());
            set("BREAKGLASS_SSH_CERTIFICATE", holding.credential_path(Kind::Ssh));
        }
        if holding.credential_path(Kind::X509).exists() {
            set("BREAKGLASS_X509_KEY", holding.key_pem_path());
            set("BREAKGLASS_X509_CERTIFICATE", holding.credential_path(Kind::X509));
            set("BREAKGLASS_X509_CA", holding.ca_path());
        }
        if holding.credential_path(Kind::Jwt).exists() {
            set("BREAKGLASS_TOKEN_FILE", holding.credential_path(Kind::Jwt));
        }
        all
    }
}

/// A request made on this machine, and how its credential stands here.
struct Held {
    id: RequestId,
    ask: Ask,
    holding: Holding,
    /// `None` if it was not collected.
    expires_at: Option<Timestamp>,
}

/// The grant to reuse.
///
/// # Errors
///
/// [`Failure`]: none fits, several do, or it could not be collected.
pub(super) fn pick(client: &mut Client<'_>, wanted: &Wanted<'_>) -> Result<Live, Failure> {
    let now = clock::now();
    let held = fitting(client, wanted)?;
    let (live, rest): (Vec<Held>, Vec<Held>) =
        held.into_iter().partition(|held| held.expires_at.is_some_and(|end| end > now));
    let chosen = match one_of(live)? {
        Some(live) => live,
        None => collected(client, wanted, rest)?,
    };
    let Held { id, ask, holding, expires_at } = chosen;
    // R15: what was collected a moment ago has an end, or it is no credential.
    let expires_at = expires_at.ok_or_else(|| none(wanted, None))?;
    Ok(Live { id, ask, holding, expires_at })
}

/// Everything that was asked here and fits, the newest first.
fn fitting(client: &Client<'_>, wanted: &Wanted<'_>) -> Result<Vec<Held>, Failure> {
    let mut all = client.state().holdings()?;
    // A request's id begins with its time.
    all.sort_by_key(|(id, _)| std::cmp::Reverse(id.to_string()));
    let mut fitting = Vec::new();
    for (id, holding) in all {
        if wanted.id.is_some_and(|wanted| wanted != id) {
            continue;
        }
        let Some(held) = read(id, holding, wanted.kind)? else { continue };
        let is_of_scope = wanted.scope.is_none_or(|scope| *scope == held.ask.scope);
        let is_of_kind = wanted.kind.is_none_or(|kind| held.ask.kinds.contains(&kind));
        if is_of_scope && is_of_kind {
            fitting.push(held);
        }
    }
    Ok(fitting)
}

fn read(id: RequestId, holding: Holding, kind: Option<Kind>) -> Result<Option<Held>, Failure> {
    let Some(bytes) = holding.statement()? else { return Ok(None) };
    let Ok(statement) = Statement::parse(&bytes) else { return Ok(None) };
    let Act::Request(ask) = statement.act().clone() else { return Ok(None) };
    let expires_at = match kind {
        Some(kind) => {
            let text = holding.credential(kind)?;
            let credential = text.and_then(|text| Credential::read(kind, &text).ok());
            let end = credential.map(|credential| credential.expires_at);
            // A grant outlives its tokens, and gives others.
            if kind == Kind::Jwt { end.max(holding.end()?.filter(|_| end.is_some())) } else { end }
        }
        None => collect::end_of(&holding)?,
    };
    Ok(Some(Held { id, ask, holding, expires_at }))
}

/// The only one, if there is one.
fn one_of(mut fitting: Vec<Held>) -> Result<Option<Held>, Failure> {
    if fitting.len() < 2 {
        return Ok(fitting.pop());
    }
    let each = fitting.iter().map(|held| format!("{} ({})", held.id, words(&held.ask)));
    let each = each.collect::<Vec<_>>().join(", ");
    Err(Failure::usage(
        format!("{} grants fit: {each}", fitting.len()),
        "name one of them by its id, or with --scope SCOPE",
    ))
}

fn words(ask: &Ask) -> String {
    match &ask.incident {
        Some(incident) => format!("{}, {incident}", ask.scope),
        None => ask.scope.to_string(),
    }
}

/// What was approved and not collected yet is collected; nothing else is done for a grant.
fn collected(
    client: &mut Client<'_>,
    wanted: &Wanted<'_>,
    rest: Vec<Held>,
) -> Result<Held, Failure> {
    let newest = rest.first().map(|held| (held.id, held.ask.scope.clone(), held.expires_at));
    let (mut ready, mut pending) = (Vec::new(), None);
    for held in rest.into_iter().filter(|held| held.expires_at.is_none()).take(ASKED_MAX) {
        let session = client.session_for(held.id)?;
        let view = client.broker()?.request(&session, held.id)?;
        match view.state() {
            State::Approved | State::Live => ready.push(held),
            State::Pending => {
                pending = Some(view::progress(&view, clock::now())).map(|p| (held.id, p))
            }
            State::Ended | State::Closed | State::Unspecified => {}
        }
    }
    match (one_of(ready)?, pending) {
        (Some(mut held), _) => {
            let all = held.ask.kinds.clone();
            for kind in wanted.kind.map_or(all, |kind| vec![kind]) {
                let fetched = collect::fetch(client, held.id, kind, &Place::default())?;
                held.expires_at = Some(fetched.credential.ends);
            }
            Ok(held)
        }
        (None, Some((id, progress))) => Err(Failure::new(
            Exit::Pending,
            format!("{id} is not approved yet: {progress}"),
            "there is nothing to log in with",
            format!("breakglass collect {id} --wait"),
        )),
        (None, None) => Err(none(wanted, newest)),
    }
}

/// There is no grant: says so, with the command that asks for one.
fn none(wanted: &Wanted<'_>, newest: Option<(RequestId, ScopeId, Option<Timestamp>)>) -> Failure {
    let what = match (&newest, wanted.id, wanted.scope) {
        (Some((id, _, Some(end))), _, _) => {
            let ago = short_duration(clock::now().since(*end));
            format!("you hold no live grant; {id} expired {ago} ago")
        }
        (Some((id, _, None)), _, _) => format!("you hold no live grant; {id} is over"),
        (None, Some(id), _) => format!("{id} was not asked on this machine, or was given back"),
        (None, None, Some(scope)) => format!("you hold no live grant of {scope} on this machine"),
        (None, None, None) => "you hold no live grant on this machine".to_owned(),
    };
    let scope = wanted.scope.cloned().or_else(|| newest.map(|(_, scope, _)| scope));
    let scope = scope.map_or_else(|| "SCOPE".to_owned(), |scope| scope.to_string());
    let kind = wanted.kind.filter(|kind| *kind != Kind::Ssh);
    let kind = kind.map(|kind| format!(" --kind {}", kind.name())).unwrap_or_default();
    Failure::new(
        Exit::Lapsed,
        what,
        "nothing was run, and nothing was asked for: this verb only uses what is granted",
        format!(
            "breakglass request {scope}{kind} --incident NUMBER --reason 'why' --ttl 30m --wait"
        ),
    )
}

/// After a refused log-in: whether the grant is over at the broker, which hosts know before us.
pub(super) fn say_if_over(client: &mut Client<'_>, live: &Live) {
    let view = client
        .session_for(live.id)
        .and_then(|session| Ok(client.broker()?.request(&session, live.id)?));
    if let Ok(view) = view
        && view.state() == State::Ended
    {
        client.out.say(&format!("{} is over: {}", live.id, view::ending(&view)));
    }
}

/// Uncollected requests that the broker is asked about; nobody has more open than a few.
const ASKED_MAX: usize = 16;
