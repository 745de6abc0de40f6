//! kubectl's exec plugin (client.authentication.k8s.io, v1 and v1beta1).

use breakglass_ledger::statement::Kind;
use breakglass_ledger::time::Timestamp;
use serde_json::{Value, json};

use super::live::{self, Wanted};
use super::token::fresh;
use crate::cli::ways::KubeArgs;
use crate::client::Client;
use crate::failure::{Exit, Failure};

/// Prints an `ExecCredential`, and nothing else, on stdout.
pub(in crate::verbs) fn kube(client: &mut Client<'_>, args: &KubeArgs) -> Result<Exit, Failure> {
    let told = std::env::var("KUBERNETES_EXEC_INFO").ok();
    let version = check(told.as_deref(), args.server.as_deref())?;
    let wanted = |kind| Wanted { id: args.id, scope: args.scope.as_ref(), kind: Some(kind) };
    let live = match live::pick(client, &wanted(Kind::X509)) {
        Ok(live) => live,
        // No certificate to reuse: a token does as well. If there is none either, the first answer counts.
        Err(no_certificate) => {
            let Ok(live) = live::pick(client, &wanted(Kind::Jwt)) else {
                return Err(no_certificate);
            };
            let token = fresh(client, &live)?;
            let answer = token_credential(version, &token.text, token.expires_at);
            client.out.result(&answer.to_string(), &answer)?;
            return Ok(Exit::Done);
        }
    };
    let gone = || Failure::new(Exit::Internal, "the certificate's files are gone", "", "");
    let certificate = live.holding.credential(Kind::X509)?.ok_or_else(gone)?;
    let key = live.holding.key()?.and_then(|key| key.to_pkcs8_pem()).ok_or_else(gone)?;
    let answer = credential(version, &certificate, &key, live.expires_at);
    client.out.result(&answer.to_string(), &answer)?;
    Ok(Exit::Done)
}

fn token_credential(version: &str, token: &str, expires_at: Timestamp) -> Value {
    json!({
        "apiVersion": version,
        "kind": KIND,
        "status": { "expirationTimestamp": expires_at.to_string(), "token": token },
    })
}

fn credential(version: &str, certificate: &str, key: &str, expires_at: Timestamp) -> Value {
    json!({
        "apiVersion": version,
        "kind": KIND,
        "status": {
            "expirationTimestamp": expires_at.to_string(),
            "clientCertificateData": format!("{}\n", certificate.trim()),
            "clientKeyData": key,
        },
    })
}

/// Whether what kubectl tells of itself (`KUBERNETES_EXEC_INFO`) is what is understood here, and is
/// about the cluster at `server`, if one is named; and in which version it wants its answer: kubectl
/// refuses every other than its kubeconfig names. By hand nothing is told.
fn check(told: Option<&str>, server: Option<&str>) -> Result<&'static str, Failure> {
    let Some(told) = told else {
        return match server {
            Some(_) => Err(wrong("nobody said for which cluster this is")),
            None => Ok(V1),
        };
    };
    if told.len() > TOLD_MAX {
        return Err(wrong("it is longer than any that is true"));
    }
    let told: Value = serde_json::from_str(told).map_err(|error| wrong(&error.to_string()))?;
    let is =
        |pointer: &str, word: &str| told.pointer(pointer).and_then(Value::as_str) == Some(word);
    if !is("/kind", KIND) {
        return Err(wrong("it is no ExecCredential"));
    }
    let version = [V1, V1BETA1].into_iter().find(|version| is("/apiVersion", version));
    let only = || wrong(&format!("only {V1} and {V1BETA1} are spoken here"));
    let version = version.ok_or_else(only)?;
    match told.pointer("/spec/interactive") {
        Some(Value::Bool(_)) => {}
        // Before Kubernetes 1.22, v1beta1 had no such member.
        None if version == V1BETA1 => {}
        _ => return Err(wrong("`spec.interactive` is missing")),
    }
    match server {
        Some(server) if !is("/spec/cluster/server", server) => {
            Err(wrong(&format!("it is not about the cluster {server}")))
        }
        Some(_) | None => Ok(version),
    }
}

fn wrong(why: &str) -> Failure {
    Failure::usage(
        format!("KUBERNETES_EXEC_INFO: {why}"),
        format!("in the kubeconfig: apiVersion: {V1}; with --server also provideClusterInfo: true"),
    )
}

/// Since Kubernetes 1.22.
const V1: &str = "client.authentication.k8s.io/v1";
/// What Kubernetes 1.20, in Debian 12 for example, has; later ones have both.
const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";
const KIND: &str = "ExecCredential";

/// A cluster's certificates and an extension; kubectl itself sends some KiB.
const TOLD_MAX: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1",
        "spec":{"interactive":false,"cluster":{"server":"https://k8s.example.com:6443"}}}"#;

    #[test]
    fn what_kubectl_says_is_read_strictly_and_by_hand_nothing_is_said() {
        assert_eq!(check(None, None).unwrap(), V1);
        assert_eq!(check(Some(TOLD), None).unwrap(), V1);
        for (from, to) in [
            ("/v1\"", "/v1alpha1\""),
            ("/v1\"", "/v2\""),
            ("ExecCredential", "TokenReview"),
            ("\"interactive\":false,", ""),
            ("false", "\"no\""),
            ("}}}", "}}"),
        ] {
            let told = TOLD.replace(from, to);
            assert_ne!(told, TOLD, "{from}");
            assert!(check(Some(&told), None).is_err(), "{told}");
        }
        assert!(check(Some(""), None).is_err());
        assert!(check(Some(&" ".repeat(TOLD_MAX + 1)), None).is_err());
    }

    #[test]
    fn it_is_answered_in_the_version_that_was_asked_in() {
        let beta = TOLD.replace("/v1\"", "/v1beta1\"");
        assert_eq!(check(Some(&beta), None).unwrap(), V1BETA1);
        // As kubectl 1.20 says it.
        let old = format!(r#"{{"kind":"ExecCredential","apiVersion":"{V1BETA1}","spec":{{}}}}"#);
        assert_eq!(check(Some(&old), None).unwrap(), V1BETA1);
        assert!(check(Some(&beta.replace("false", "\"no\"")), None).is_err());
        let refused = check(Some(&TOLD.replace("/v1\"", "/v2\"")), None).unwrap_err().to_string();
        assert!(refused.contains(V1) && refused.contains(V1BETA1), "{refused}");
    }

    /// A certificate for one cluster is not shown to another.
    #[test]
    fn a_named_cluster_is_the_only_one_that_gets_it() {
        assert!(check(Some(TOLD), Some("https://k8s.example.com:6443")).is_ok());
        for other in ["https://k8s.example.com", "https://k8s.example.com:64430", ""] {
            assert!(check(Some(TOLD), Some(other)).is_err(), "{other}");
        }
        let silent = TOLD.replace(",\"cluster\":{\"server\":\"https://k8s.example.com:6443\"}", "");
        assert!(check(Some(&silent), Some("https://k8s.example.com:6443")).is_err());
        assert!(check(None, Some("https://k8s.example.com:6443")).is_err());
    }

    /// The schema: Kubernetes, `ExecCredential` of client.authentication.k8s.io/v1.
    #[test]
    fn the_answer_is_of_the_documented_schema() {
        let at = Timestamp::from_unix_seconds(1_767_323_045);
        let answer = credential(V1, "-----BEGIN CERTIFICATE-----", "key", at);
        assert_eq!(answer["apiVersion"], V1);
        assert_eq!(answer["kind"], KIND);
        let status = answer["status"].as_object().unwrap();
        assert_eq!(status["expirationTimestamp"], "2026-01-02T03:04:05Z");
        assert_eq!(status.len(), 3);
        assert!(status["clientCertificateData"].as_str().unwrap().ends_with("-\n"));
        let answer = token_credential(V1BETA1, "a.b.c", at);
        assert_eq!(answer["apiVersion"], V1BETA1);
        let expected = json!({ "expirationTimestamp": "2026-01-02T03:04:05Z", "token": "a.b.c" });
        assert_eq!((&answer["kind"], &answer["status"]), (&KIND.into(), &expected));
    }
}
