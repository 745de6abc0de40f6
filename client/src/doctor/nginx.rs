//! nginx with client certificates: the configuration as nginx itself reads it, server by server.

mod tree;

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Finding, lists, program, said};
use tree::Directive;

/// What to look at.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// The program; by itself it is searched for.
    pub program: Option<PathBuf>,
    /// The configuration; nginx knows its own.
    pub file: Option<PathBuf>,
}

/// Looks at every server that asks for client certificates.
#[must_use]
pub fn look(look: &Look) -> Vec<Finding> {
    let Some(nginx) = program(look.program.as_deref(), "nginx") else {
        return vec![Finding::fault(
            "nginx",
            "there is no program nginx here",
            "name it: --program",
        )];
    };
    let mut command = Command::new(nginx);
    command.arg("-T");
    if let Some(file) = &look.file {
        command.arg("-c").arg(file);
    }
    let dump = match said(&mut command) {
        Ok(dump) => dump,
        Err(why) => {
            let said = format!("nginx does not read its configuration: {why}");
            let remedy = "run this as root; mend what `nginx -t` complains of: \
                          a reload would fail, and the old list stay in force";
            return vec![Finding::fault("nginx -T", said, remedy)];
        }
    };
    match read(&dump) {
        Ok((base, tree)) => judge(&base, &tree),
        Err(why) => vec![Finding::fault("nginx -T", format!("not understood: {why}"), "report it")],
    }
}

/// The directory that relative names count from, and the tree.
fn read(dump: &str) -> Result<(PathBuf, Vec<Directive>), String> {
    let (first, files) = tree::files(dump);
    let first = first.ok_or("it names no file")?;
    let base = Path::new(&first).parent().unwrap_or(Path::new("/")).to_owned();
    Ok((base, tree::read(&first, &files, INCLUDES_DEPTH)?))
}

fn judge(base: &Path, tree: &[Directive]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for outer in tree.iter().filter(|d| matches!(d.name.as_str(), "http" | "stream")) {
        let servers = outer.inside.iter().filter(|directive| directive.name == "server");
        for (number, server) in servers.enumerate() {
            let server = Server::of(outer, server, number);
            if server.asks() {
                findings.extend(server.judge(base));
            }
        }
        if outer.name == "http" && !findings.is_empty() {
            findings.push(attribution(outer));
        }
    }
    if findings.is_empty() {
        let said = "no server asks for client certificates: ours open nothing here";
        return vec![Finding::fault("ssl_verify_client", said, "ssl_verify_client on")];
    }
    findings.push(shutdown(tree));
    findings
}

/// One server block and what it has from the block around it.
struct Server<'a> {
    name: String,
    outer: &'a Directive,
    own: &'a Directive,
}

impl<'a> Server<'a> {
    fn of(outer: &'a Directive, own: &'a Directive, number: usize) -> Self {
        let name = own.get("server_name").or_else(|| own.get("listen")).map(Directive::argument);
        let name = name.map_or_else(|| format!("server {}", number.saturating_add(1)), Into::into);
        Self { name, outer, own }
    }

    /// What is in force: the server's own, else what it has from around it.
    fn get(&self, name: &str) -> &str {
        let found = self.own.get(name).or_else(|| self.outer.get(name));
        found.map_or("", Directive::argument)
    }

    fn asks(&self) -> bool {
        !matches!(self.get("ssl_verify_client"), "" | "off")
    }

    fn about(&self, setting: &str) -> String {
        format!("{}: {setting}", self.name)
    }

    fn judge(&self, base: &Path) -> Vec<Finding> {
        let mut findings = vec![self.verification(), self.session_cache(), self.tickets()];
        findings.extend(self.revocation(base));
        findings
    }

    fn verification(&self) -> Finding {
        let about = self.about("ssl_verify_client");
        match self.get("ssl_verify_client") {
            "on" => Finding::good(about, "nobody is let in without a certificate"),
            "optional" => Finding::warning(
                about,
                "optional: who has no certificate, or a revoked one, is let in unless every place \
                 asks for $ssl_client_verify",
                "ssl_verify_client on, or check $ssl_client_verify = SUCCESS everywhere",
            ),
            other => Finding::fault(
                about,
                format!("{other}: any certificate is let in, whoever signed it"),
                "ssl_verify_client on",
            ),
        }
    }

    /// A kept session is resumed without looking at certificate or list again.
    fn session_cache(&self) -> Finding {
        let about = self.about("ssl_session_cache");
        let arguments =
            self.own.get("ssl_session_cache").or_else(|| self.outer.get("ssl_session_cache"));
        let kept = arguments.into_iter().flat_map(|cache| &cache.arguments);
        let mut kept = kept.filter(|cache| !matches!(cache.as_str(), "off" | "none"));
        match kept.next() {
            None => Finding::good(about, "no session is kept"),
            Some(cache) => Finding::fault(
                about,
                format!(
                    "{cache}: who was let in once resumes, revoked or expired, until it is over"
                ),
                "ssl_session_cache none",
            ),
        }
    }

    /// With a key of its own for each start tickets end with a reload; a fixed one outlives it, and
    /// where OCSP is asked there is no reload.
    fn tickets(&self) -> Finding {
        let about = self.about("ssl_session_tickets");
        if self.get("ssl_session_tickets") == "off" {
            return Finding::good(about, "off");
        }
        if !self.get("ssl_session_ticket_key").is_empty() {
            let said = "tickets under a fixed key: a revoked client resumes, across reloads";
            return Finding::fault(about, said, "ssl_session_tickets off");
        }
        if self.asks_ocsp() {
            let said = "tickets are resumed without asking the responder again";
            return Finding::fault(about, said, "ssl_session_tickets off");
        }
        Finding::warning(
            about,
            "on: tickets end with the next reload, which follows every new list",
            "ssl_session_tickets off",
        )
    }

    fn asks_ocsp(&self) -> bool {
        !matches!(self.get("ssl_ocsp"), "" | "off")
    }

    fn revocation(&self, base: &Path) -> Vec<Finding> {
        let about = self.about("ssl_crl");
        let file = self.get("ssl_crl");
        if file.is_empty() {
            if self.asks_ocsp() {
                let said = "the responder is asked at every handshake; while it is down nobody \
                            gets in";
                return vec![Finding::good(self.about("ssl_ocsp"), said)];
            }
            let said = "neither ssl_crl nor ssl_ocsp: revocation is void on this server";
            return vec![Finding::fault(
                about,
                said,
                "ssl_crl FILE, kept by `breakglass host run`",
            )];
        }
        let bundle = self.get("ssl_client_certificate");
        let read = lists::authorities(&base.join(bundle))
            .map_err(|why| format!("{bundle}: {why}"))
            .and_then(|authorities| {
                let lists = lists::lists(&base.join(file)).map_err(|why| format!("{file}: {why}"));
                Ok((authorities, lists?))
            });
        match read {
            Ok((authorities, lists)) => lists::covered(&about, &authorities, &lists),
            Err(why) => {
                let remedy = "put the file in place; nginx goes on with the old list until a \
                              reload succeeds";
                vec![Finding::fault(about, why, remedy)]
            }
        }
    }
}

fn attribution(http: &Directive) -> Finding {
    let formats = http.inside.iter().filter(|directive| directive.name == "log_format");
    let tells = |format: &Directive| format.arguments.iter().any(|a| a.contains(SERIAL));
    if formats.clone().any(tells) {
        return Finding::good("log_format", "the log names the certificate of each request");
    }
    let said = "no log format has $ssl_client_serial: who did what cannot be told afterwards";
    Finding::warning("log_format", said, "add $ssl_client_serial and $ssl_client_s_dn")
}

fn shutdown(tree: &[Directive]) -> Finding {
    let about = "worker_shutdown_timeout";
    match tree.iter().find(|directive| directive.name == about) {
        Some(limit) => Finding::good(about, limit.argument()),
        None => Finding::warning(
            about,
            "none: long requests and upgraded connections of before a reload go on for ever",
            "worker_shutdown_timeout 10s",
        ),
    }
}

const SERIAL: &str = "$ssl_client_serial";

/// Deeper than anybody includes.
const INCLUDES_DEPTH: usize = 16;

#[cfg(test)]
mod tests;
