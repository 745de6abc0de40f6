//! Signatures of an export, judged by stock `ssh-keygen -Y verify`.
//!
//! Who may sign what is written as an `allowed_signers` file (ssh-keygen(1), ALLOWED SIGNERS) from
//! the policy files in the export itself.

#![expect(
    clippy::indexing_slicing,
    reason = "a missing JSON key reads as null, which no test takes"
)]

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use breakglass_ledger::statement::ActKind;
use serde_json::Value;

/// One signature in an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Position of the entry that carries it.
    pub seq: u64,
    /// What is signed.
    pub statement: String,
    /// Armored SSHSIG.
    pub signature: String,
    /// Who is said to have signed: a name in the `allowed_signers` file.
    pub by: String,
    /// For what.
    pub namespace: String,
}

/// Every line of `entries.jsonl` in `export`.
#[must_use]
pub fn entries(export: &Path) -> Vec<Value> {
    let text = fs::read_to_string(export.join("entries.jsonl")).expect("entries");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Every signature in `export`, and the `allowed_signers` file for all of them.
///
/// # Panics
///
/// Panics if an entry's statement is of an unknown act or misses its signer.
#[must_use]
pub fn claims(export: &Path) -> (Vec<Claim>, String) {
    let (mut claims, mut allowed) = (Vec::new(), String::new());
    for entry in entries(export) {
        let body = &entry["body"];
        let Some(statement) = body["statement"].as_str() else { continue };
        let seq = entry["seq"].as_u64().expect("a number");
        let act = statement.strip_prefix("breakglass-").and_then(|rest| rest.split_once("/v1\n"));
        let (act, _) = act.expect("an act");
        let mut signatures: Vec<&Value> = vec![&body["signature"]];
        let by = match act {
            "policy" => {
                allowed.push_str(&signers(export, statement));
                signatures = body["signatures"].as_array().expect("signatures").iter().collect();
                "authority".to_owned()
            }
            "collect" | "pickup" => field(statement, "request").to_owned(),
            _ => field(statement, "by").to_owned(),
        };
        if act == "request" && field(statement, "key") != "none" {
            // The subject key signs for this request only, which is named by its digest.
            let digest = breakglass_ledger::bytes::Digest::of(statement.as_bytes());
            let key = field(statement, "key");
            let acts = namespaces(&[ActKind::Collect, ActKind::Pickup]);
            allowed.push_str(&format!("sha256:{digest} namespaces=\"{acts}\" {key}\n"));
        }
        claims.extend(signatures.into_iter().map(|signature| Claim {
            seq,
            statement: statement.to_owned(),
            signature: signature.as_str().expect("a signature").to_owned(),
            by: by.clone(),
            namespace: format!("{act}.v1@breakglass"),
        }));
    }
    (claims, allowed)
}

/// Whether stock `ssh-keygen` finds that `by` signed `message` for `namespace`.
///
/// # Panics
///
/// Panics if `ssh-keygen` does not run.
#[must_use]
pub fn is_signed(
    allowed: &str,
    by: &str,
    namespace: &str,
    signature: &str,
    message: &[u8],
) -> bool {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, content) in
        [("allowed", allowed.as_bytes()), ("sig", signature.as_bytes()), ("message", message)]
    {
        fs::write(dir.path().join(name), content).expect("written");
    }
    let mut verify = Command::new("ssh-keygen");
    verify.current_dir(dir.path()).args(["-Y", "verify", "-f", "allowed", "-s", "sig"]);
    verify.args(["-I", by, "-n", namespace]);
    verify.stdin(File::open(dir.path().join("message")).expect("the message"));
    verify.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("ssh-keygen").success()
}

impl Claim {
    /// Whether stock `ssh-keygen` finds it good.
    #[must_use]
    pub fn holds(&self, allowed: &str) -> bool {
        let message = self.statement.as_bytes();
        is_signed(allowed, &self.by, &self.namespace, &self.signature, message)
    }
}

/// The keys of the people and of the authority in the policy whose manifest is `statement`.
fn signers(export: &Path, statement: &str) -> String {
    let person = [
        ActKind::Request,
        ActKind::Approve,
        ActKind::Deny,
        ActKind::Withdraw,
        ActKind::Drop,
        ActKind::Cancel,
        ActKind::Escalate,
    ];
    let (person, authority) = (namespaces(&person), namespaces(&[ActKind::Policy]));
    let mut lines = String::new();
    for line in statement.lines().filter_map(|line| line.strip_prefix("file: ")) {
        let (name, digest) = line.split_once(" sha256:").expect("name and digest");
        let list = match name {
            "people.toml" => "principal",
            "authority.toml" => "signer",
            _ => continue,
        };
        let file = fs::read_to_string(export.join("blobs").join(digest)).expect("a policy file");
        let file: toml::Table = file.parse().expect("TOML");
        for one in file[list].as_array().expect("a list") {
            let id = one["id"].as_str().expect("an id");
            let (id, acts) =
                if list == "signer" { ("authority", &authority) } else { (id, &person) };
            for key in one["keys"].as_array().expect("keys") {
                let key = key.as_str().expect("a key");
                lines.push_str(&format!("{id} namespaces=\"{acts}\" {key}\n"));
            }
        }
    }
    lines
}

fn namespaces(acts: &[ActKind]) -> String {
    let names: Vec<String> = acts.iter().map(|act| act.namespace()).collect();
    names.join(",")
}

/// The value of a statement's line.
fn field<'a>(statement: &'a str, key: &str) -> &'a str {
    let line = statement.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    line.expect("the line is there")
}
