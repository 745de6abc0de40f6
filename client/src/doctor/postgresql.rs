//! PostgreSQL with client certificates: what the running server says of itself, asked with `psql`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::lists::{Authority, List};
use super::{Finding, lists, program, said};

/// What to look at.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// `psql`; by itself it is searched for.
    pub program: Option<PathBuf>,
    /// Whom to connect to (libpq connection string); libpq knows defaults. A superuser sees all.
    pub connect: Option<String>,
    /// Roles that certificates open: no other way may open them.
    pub roles: Vec<String>,
}

/// Looks at the server as it would decide now.
#[must_use]
pub fn look(look: &Look) -> Vec<Finding> {
    let Some(psql) = program(look.program.as_deref(), "psql") else {
        return vec![Finding::fault("psql", "there is no program psql here", "name it: --program")];
    };
    let ask = |question: &str| rows(&psql, look.connect.as_deref(), question);
    let settings = match ask(SETTINGS) {
        Ok(rows) => Settings(rows),
        Err(why) => {
            let said = format!("the server does not answer: {why}");
            let remedy = "give a connection of a superuser: --connect 'host=/run/postgresql …'";
            return vec![Finding::fault("connection", said, remedy)];
        }
    };
    let mut findings = vec![tls(&settings)];
    findings.extend(revocation(&settings));
    match ask(HBA) {
        Ok(rows) => findings.extend(ways_in(&rows, &look.roles)),
        Err(why) => findings.push(Finding::not_tried("pg_hba.conf", why)),
    }
    match ask(IDENT) {
        Ok(rows) => findings.extend(mappings(&rows)),
        Err(why) => findings.push(Finding::not_tried("pg_ident.conf", why)),
    }
    findings
}

/// Rows of cells. Cells are parted by a sign that no setting holds.
fn rows(psql: &Path, connect: Option<&str>, question: &str) -> Result<Vec<Vec<String>>, String> {
    let mut command = Command::new(psql);
    command.args(["-X", "-A", "-t", "-q", "-w", "-F", CELL, "-R", ROW, "-c", question]);
    // After `--dbname=` it can be no other flag.
    command.args(connect.map(|connect| format!("--dbname={connect}")));
    let text = said(&mut command)?;
    let lines = text.trim_end_matches('\n').split(ROW).filter(|line| !line.is_empty());
    Ok(lines.map(|line| line.split(CELL).map(str::to_owned).collect()).collect())
}

/// The settings asked for; one that is not shown to us is absent.
struct Settings(Vec<Vec<String>>);

impl Settings {
    fn get(&self, name: &str) -> &str {
        let row = self.0.iter().find(|row| cell(row, 0) == name);
        row.map_or("", |row| cell(row, 1))
    }

    /// A file, which counts from the data directory.
    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.get("data_directory")).join(self.get(name))
    }
}

fn cell(row: &[String], number: usize) -> &str {
    row.get(number).map_or("", String::as_str)
}

fn tls(settings: &Settings) -> Finding {
    if settings.get("ssl") != "on" {
        return Finding::fault("ssl", "off: no certificate is ever asked for", "ssl = on");
    }
    if settings.get("ssl_ca_file").is_empty() {
        let said = "no authority is trusted: no client certificate is taken";
        return Finding::fault(
            "ssl_ca_file",
            said,
            "ssl_ca_file with the broker's /v1/x509/ca.pem",
        );
    }
    Finding::good("ssl_ca_file", settings.get("ssl_ca_file"))
}

fn revocation(settings: &Settings) -> Vec<Finding> {
    let (dir, file) = (settings.get("ssl_crl_dir"), settings.get("ssl_crl_file"));
    if dir.is_empty() && file.is_empty() {
        let said = "neither ssl_crl_dir nor ssl_crl_file: revocation is void on this server";
        return vec![Finding::fault("ssl_crl_dir", said, "ssl_crl_dir = 'crls'")];
    }
    let bundle = settings.path("ssl_ca_file");
    let authorities = match lists::authorities(&bundle) {
        Ok(authorities) => authorities,
        Err(why) => {
            let said = format!("{}: {why}", bundle.display());
            return vec![Finding::not_tried("ssl_ca_file", said)];
        }
    };
    if dir.is_empty() {
        let mut findings = vec![Finding::warning(
            "ssl_crl_file",
            "is read at start and reload only: a revocation counts after the next reload",
            "ssl_crl_dir = 'crls', which is read at each connection",
        )];
        match lists::lists(&settings.path("ssl_crl_file")) {
            Ok(lists) => findings.extend(lists::covered("ssl_crl_file", &authorities, &lists)),
            Err(why) => findings.push(Finding::not_tried("ssl_crl_file", why)),
        }
        return findings;
    }
    in_directory(&settings.path("ssl_crl_dir"), &authorities)
}

/// What OpenSSL finds for each authority: only files named by its hash are looked at.
fn in_directory(dir: &Path, authorities: &[Authority]) -> Vec<Finding> {
    let about = "ssl_crl_dir";
    if let Err(error) = std::fs::read_dir(dir) {
        if error.kind() == ErrorKind::NotFound {
            let said = format!("{} is missing: no certificate is taken", dir.display());
            let remedy = "make it, and let `breakglass host run` keep the lists in it";
            return vec![Finding::fault(about, said, remedy)];
        }
        return vec![Finding::not_tried(about, format!("{}: {error}", dir.display()))];
    }
    let mut lists: Vec<List> = Vec::new();
    let mut findings = Vec::new();
    for authority in authorities {
        let Some(hash) = lists::hash(authority) else {
            return vec![Finding::not_tried(
                about,
                "the program openssl is not here to tell names",
            )];
        };
        // X509_LOOKUP_hash_dir(3): numbers from 0, without a gap.
        for path in (0..LISTS_MAX).map(|number| dir.join(format!("{hash}.r{number}"))) {
            if !path.exists() {
                break;
            }
            match lists::lists(&path) {
                Ok(found) => lists.extend(found),
                Err(why) => findings.push(Finding::fault(
                    about,
                    format!("{}: {why}: whoever it is about is refused", path.display()),
                    "look at what writes it; `breakglass host run` replaces it whole",
                )),
            }
        }
    }
    findings.extend(lists::covered(about, authorities, &lists));
    findings
}

/// pg_hba.conf: the first line that fits decides, so an earlier one may open what a certificate should.
fn ways_in(rules: &[Vec<String>], roles: &[String]) -> Vec<Finding> {
    let about = "pg_hba.conf";
    let mut findings = Vec::new();
    for rule in rules.iter().filter(|rule| !cell(rule, 7).is_empty()) {
        let said = format!("line {}: {}: the whole file is not used", cell(rule, 0), cell(rule, 7));
        findings.push(Finding::fault(about, said, "mend the line and reload"));
    }
    let demands = |rule: &[String]| {
        cell(rule, 5) == "cert" || cell(rule, 6).contains("clientcert=verify-full")
    };
    if !rules.iter().any(|rule| demands(rule)) {
        let said = "no line demands a certificate: ours open nothing here";
        findings.push(Finding::fault(about, said, "hostssl all ROLE ADDRESS cert map=bg"));
    }
    for role in roles {
        let fits = |rule: &&Vec<String>| {
            let users = cell(rule, 3).trim_matches(['{', '}']);
            users.split(',').any(|user| user == "all" || user == role)
        };
        let others: Vec<String> = rules
            .iter()
            .filter(fits)
            .filter(|rule| !demands(rule) && cell(rule, 5) != "reject")
            .map(|rule| format!("line {} ({} {})", cell(rule, 0), cell(rule, 1), cell(rule, 5)))
            .collect();
        findings.push(if others.is_empty() {
            Finding::good(about, format!("{role} is opened by certificate alone"))
        } else {
            let said = format!("{role} is opened without a certificate too: {}", others.join(", "));
            let remedy = format!("put `host all {role} all reject` behind its hostssl line");
            Finding::warning(about, said, remedy)
        });
    }
    if findings.is_empty() {
        findings.push(Finding::good(about, "certificates are demanded"));
    }
    findings
}

/// pg_ident.conf: a pattern that is not tied down on both sides fits other people's names.
fn mappings(rows: &[Vec<String>]) -> Vec<Finding> {
    let about = "pg_ident.conf";
    let patterns = rows.iter().filter(|row| cell(row, 2).starts_with('/'));
    let loose: Vec<String> = patterns
        .clone()
        .filter(|row| !cell(row, 2).starts_with("/^") || !cell(row, 2).ends_with('$'))
        .map(|row| format!("line {}: {}", cell(row, 0), cell(row, 2)))
        .collect();
    if !loose.is_empty() {
        let said = format!("fits more names than it says: {}", loose.join(", "));
        return vec![Finding::fault(about, said, "begin it with ^ and end it with $")];
    }
    if rows.is_empty() {
        let said = "maps nobody: the CN would have to be the role's own name";
        return vec![Finding::warning(about, said, "bg \"/^CN=bg-[^,]*,O=…$\" ROLE")];
    }
    vec![Finding::good(about, format!("{} patterns, all tied down", patterns.count()))]
}

const SETTINGS: &str = "SELECT name, setting FROM pg_settings WHERE name IN \
    ('ssl', 'ssl_ca_file', 'ssl_crl_dir', 'ssl_crl_file', 'data_directory')";

const HBA: &str = "SELECT line_number, type, array_to_string(database, ','), \
    array_to_string(user_name, ','), address, auth_method, array_to_string(options, ','), error \
    FROM pg_hba_file_rules ORDER BY line_number";

/// From PostgreSQL 15 on.
const IDENT: &str = "SELECT line_number, map_name, sys_name, pg_username FROM pg_ident_file_mappings \
     WHERE error IS NULL ORDER BY line_number";

/// Unit and record separators (ASCII).
const CELL: &str = "\u{1f}";
const ROW: &str = "\u{1e}";

/// More lists of one authority than a rotation leaves.
const LISTS_MAX: usize = 16;

#[cfg(test)]
mod tests;
