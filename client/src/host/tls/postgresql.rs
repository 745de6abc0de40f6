//! Sessions of PostgreSQL (14 or later) that a certificate of ours opened, seen and ended through
//! `psql`.
//!
//! The server checks a certificate when somebody connects and never again. `pg_stat_ssl` shows the
//! serial of each open session, and only what is open: who comes and goes between two looks is in the
//! server's own log (`log_connections`), not here.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use super::authority::Authority;
use crate::host::program;
use crate::host::targets::PostgreSql;

/// For one question; the server itself gives up before.
const WITHIN: Duration = Duration::from_secs(45);

/// Most sessions ended by one question, each of which takes at most half a second.
const END_MAX: usize = 64;

/// Most sessions looked at.
const LOOK: &str = "select s.pid, extract(epoch from a.backend_start), s.client_serial, s.issuer_dn \
     from pg_catalog.pg_stat_ssl s join pg_catalog.pg_stat_activity a using (pid) \
     where s.client_serial is not null order by s.pid limit 16384";

/// A session under a certificate of ours.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Session {
    pid: u32,
    /// When it began, as the server says: its process's number may be given to another.
    began: String,
    /// The certificate's serial.
    pub(super) serial: u128,
}

/// The sessions that are open now.
///
/// # Errors
///
/// What `psql` says.
pub(super) fn look(
    server: &PostgreSql,
    connection: &str,
    authorities: &[Authority],
) -> Result<BTreeSet<Session>, String> {
    let said = ask(server, connection, LOOK)?;
    Ok(said.lines().filter_map(|line| session(line, authorities)).collect())
}

/// Ends those of `over`; answers how many have ended.
///
/// # Errors
///
/// What `psql` says: the role may not, or the server is away.
pub(super) fn end(server: &PostgreSql, connection: &str, over: &[Session]) -> Result<u64, String> {
    let mut ended = 0_u64;
    for some in over.chunks(END_MAX) {
        let listed =
            |one: &dyn Fn(&Session) -> String| some.iter().map(one).collect::<Vec<_>>().join(",");
        // Only digits stand in between: nothing that came from a certificate is ever text here.
        let (pids, serials) =
            (listed(&|one| one.pid.to_string()), listed(&|one| one.serial.to_string()));
        let said = ask(
            server,
            connection,
            &format!(
                "select count(*) filter (where gone) from (select \
                 pg_catalog.pg_terminate_backend(pid, 500) as gone from pg_catalog.pg_stat_ssl \
                 where pid in ({pids}) and client_serial in ({serials}) offset 0) as them"
            ),
        )?;
        ended = ended.saturating_add(said.trim().parse().unwrap_or(0));
    }
    Ok(ended)
}

fn ask(server: &PostgreSql, connection: &str, question: &str) -> Result<String, String> {
    let mut psql = Command::new(&server.psql);
    psql.args(["-X", "-w", "-A", "-t", "-q", "-F", "|", "-v", "ON_ERROR_STOP=1"]);
    psql.arg("-d").arg(connection).args(["-c", question]);
    psql.env("PGCONNECT_TIMEOUT", "5").env("PGAPPNAME", "breakglass");
    psql.env("PGOPTIONS", "-c statement_timeout=40000 -c search_path=pg_catalog");
    program::answer(psql, WITHIN)
}

/// `pid|when|serial|issuer`; the last one may hold anything.
fn session(line: &str, authorities: &[Authority]) -> Option<Session> {
    let mut fields = line.splitn(4, '|');
    let (pid, began) = (fields.next()?.parse().ok()?, fields.next()?.to_owned());
    let serial = fields.next()?.parse().ok()?;
    let issuer = fields.next()?;
    let is_ours = authorities.iter().any(|one| one.is_shown_as(issuer));
    is_ours.then_some(Session { pid, began, serial })
}
