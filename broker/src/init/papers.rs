//! What people and hosts need to know of a new ledger, as files; nothing in them is secret.

use std::collections::BTreeMap;
use std::path::Path;

use breakglass_ledger::audit::TrustFile;
use breakglass_ledger::entry::Body;
use breakglass_ledger::key::PublicKey;
use breakglass_ledger::policy::{self, Files};
use breakglass_ledger::statement::{Act, Statement};

use super::InitError;
use crate::config::Layout;
use crate::deny;
use crate::house::{self, HouseError};
use crate::krl;
use crate::mint::{Mint, PublicParts};
use crate::store::{GuardPolicy, Store, StoreError};

/// Whether all of them are there.
pub(super) fn are_written(layout: &Layout) -> bool {
    let all = [layout.trust(), layout.client(), layout.ssh_ca(), layout.lists_allowed()];
    all.iter().all(|paper| paper.exists())
}

/// The trust file for reviewers, the configuration for clients, and the public keys for hosts.
pub(crate) fn write_papers(
    layout: &Layout,
    mint: &Mint,
    files: &Files,
    advertise: &[String],
) -> Result<(), InitError> {
    let public = mint.public();
    house::write_new(&layout.trust(), trust(public, files)?.as_bytes(), 0o644)?;
    let client = client_config(public, advertise);
    house::write_new(&layout.client(), client.as_bytes(), 0o644)?;
    Ok(write_trusted(layout, public)?)
}

/// What hosts and clients trust, as files: the keys that are next or old among them. Files that say so
/// already are left alone.
pub(crate) fn write_trusted(layout: &Layout, public: &PublicParts) -> Result<(), HouseError> {
    bring_up_to_date(&layout.ssh_ca(), &ssh_ca(public))?;
    if let Some(ca) = public.x509_cas_pem() {
        bring_up_to_date(&layout.x509_ca(), &ca)?;
    }
    bring_up_to_date(&layout.lists_allowed(), &lists_allowed(public))?;
    // What else stands in it, addresses among it, is not ours to know.
    if let Ok(client) = std::fs::read_to_string(layout.client()) {
        let client = replaced(&client, TLS_CA_BEGINS, &public.tls_cas_pem());
        let x509 = public.x509_cas_pem().unwrap_or_default();
        let client = replaced(&client, X509_CA_BEGINS, &x509);
        bring_up_to_date(&layout.client(), &client)?;
    }
    Ok(())
}

fn bring_up_to_date(path: &Path, text: &str) -> Result<(), HouseError> {
    if std::fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    house::write_new(path, text.as_bytes(), 0o644)
}

/// `client` with `ca` between these marks, if it has them.
fn replaced(client: &str, begins: &str, ca: &str) -> String {
    let parts = client.split_once(begins).and_then(|(before, rest)| {
        rest.split_once(CA_ENDS).map(|(_, after)| format!("{before}{begins}{ca}{CA_ENDS}{after}"))
    });
    parts.unwrap_or_else(|| client.to_owned())
}

/// The clients' configuration; each person adds `by` and `key`.
pub(crate) fn client_config(public: &PublicParts, advertise: &[String]) -> String {
    let brokers: Vec<String> = advertise.iter().map(|one| format!("\"{one}\"")).collect();
    let x509 = public.x509_cas_pem().map(|ca| format!("{X509_CA_BEGINS}{ca}{CA_ENDS}"));
    format!(
        "# For ~/.config/breakglass/config.toml. Add who you are and what you sign with:\n\
         # by = \"sam\"\n\
         # key = \"~/.ssh/id_ed25519\"\n\
         brokers = [{}]\n\
         log = \"{}\"\n\
         log-key = \"{}\"\n\
         {TLS_CA_BEGINS}{}{CA_ENDS}{}",
        brokers.join(", "),
        public.origin,
        public.log,
        public.tls_cas_pem(),
        x509.unwrap_or_default(),
    )
}

/// Lines for `TrustedUserCAKeys`.
pub(super) fn ssh_ca(public: &PublicParts) -> String {
    public.ssh_ca_lines(&format!(" {}", public.origin))
}

/// Lines of allowed signers (ssh-keygen(1)): the lists keys, for lists and for nothing else.
pub(super) fn lists_allowed(public: &PublicParts) -> String {
    let namespaces = format!("{},{}", krl::NAMESPACE, deny::NAMESPACE);
    let line =
        |key: &PublicKey| format!("breakglass namespaces=\"{namespaces}\" {}\n", key.to_openssh());
    public.lists_keys().iter().map(line).collect()
}

/// The files of the policy that the ledger began under: what lies in the policy directory may be
/// another by now.
pub(super) fn first_files(layout: &Layout, mint: &Mint) -> Result<Files, InitError> {
    let store = Store::open(&layout.ledger(), &mint.public().log, GuardPolicy::Require)?;
    let reader = store.reader()?;
    let lost = InitError::Store(StoreError::Damaged { what: "the first policy" });
    let row = reader.policies(1)?.into_iter().find(|row| row.version == 1);
    let Some(record) = row.map(|row| reader.entry(row.seq)).transpose()?.flatten() else {
        return Err(lost);
    };
    let Body::Policy(policy) = record.parse()?.body else { return Err(lost) };
    let Ok(manifest) = Statement::parse(policy.statement.as_bytes()) else { return Err(lost) };
    let Act::Policy(listed) = manifest.act() else { return Err(lost) };
    let mut contents = BTreeMap::new();
    for (name, digest) in &listed.files {
        contents.extend(reader.blob(*digest)?.map(|content| (name.as_str(), content)));
    }
    Files::gather(|name| contents.remove(name)).map_err(|_| lost)
}

fn trust(public: &PublicParts, files: &Files) -> Result<String, InitError> {
    let authority = policy::check(files).map(|checked| checked.authority.fingerprints());
    let trust = TrustFile {
        log: public.origin.clone(),
        key: public.log.clone(),
        authority: authority.unwrap_or_default(),
        freshness: None,
        seen: Vec::new(),
    };
    Ok(trust.to_toml()?)
}

/// Around the authorities' certificates in the clients' configuration.
const TLS_CA_BEGINS: &str = "tls-ca = '''\n";
const X509_CA_BEGINS: &str = "x509-ca = '''\n";
const CA_ENDS: &str = "'''\n";
