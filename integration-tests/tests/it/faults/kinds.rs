//! Certificates and tokens by keys in a PKCS#11 token (softhsm2), and what goes on without it.

use std::path::PathBuf;

use breakglass_integration_tests::daemon::Daemon;
use breakglass_integration_tests::grant::{files_with, scope};
use breakglass_integration_tests::holder::Holder;
use breakglass_integration_tests::hsm::{Hsm, MODULE};
use breakglass_integration_tests::record::rows;
use breakglass_integration_tests::site::Site;
use breakglass_integration_tests::wait::{SOON, until};
use breakglass_integration_tests::wire::Wire;
use breakglass_ledger::bytes::Digest;
use breakglass_ledger::entry::{Body, Entry};
use breakglass_ledger::statement::{Act, Collect, Kind};
use breakglass_proto::v1;
use tonic::{Code, Status};
use tonic_health::pb::health_check_response::ServingStatus::{NotServing, Serving};

use super::custody::{fetch, health, list_number, tool};
use super::{give_back, minting, sound};
use crate::jwt::judged_by;

const ISSUER: &str = "https://bg.example.com";
const AUDIENCE: &str = "payments-api";

/// A deployment whose authorities are in a token of softhsm2.
struct Place {
    hsm: Hsm,
    site: Site,
    daemon: Daemon,
    wire: Wire,
}

impl Place {
    async fn new() -> Self {
        let of =
            |id: &str, more: &str| format!("{}\n{more}\n", scope(id, "principals = [\"bg-root\"]"));
        let files = files_with(&format!(
            "{}{}",
            of("database", "[scope.x509]\norganizations = [\"dba\"]"),
            of("cluster", &format!("[scope.jwt]\naudience = \"{AUDIENCE}\"")),
        ));
        let hsm = Hsm::new();
        let site = hsm.found(Site::written(files));
        let issuer = format!("[jwt]\nissuer = \"{ISSUER}\"\n");
        let daemon = hsm.serve(&site, MODULE, &issuer);
        minting(&site, &daemon, Serving).await;
        let wire = Wire::to(&site, &daemon).await;
        Self { hsm, site, daemon, wire }
    }

    /// sam asks for this kind, alone, and collects: the request, and what came.
    async fn credential(&self, kind: Kind) -> (Holder, Digest, Result<v1::SubmitAnswer, Status>) {
        let holder = Holder::fresh();
        let scope = if kind == Kind::X509 { "database" } else { "cluster" };
        let request = holder.asked(&self.wire, scope, &[kind]).await.digest();
        let answer = self.collect(&holder, request, kind).await;
        (holder, request, answer)
    }

    async fn collect(
        &self,
        holder: &Holder,
        request: Digest,
        kind: Kind,
    ) -> Result<v1::SubmitAnswer, Status> {
        let collect = self.wire.say(Act::Collect(Collect { request, kind }));
        self.wire.submit(holder.submits(&collect)).await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.site.dir().join(name)
    }

    /// What `openssl` finds of a certificate by the authority and the list that are served now.
    fn openssl(&self, certificate: &str) -> (bool, String) {
        let [ca, crl, leaf] = ["ca.pem", "crl.pem", "leaf.pem"].map(|name| self.path(name));
        fetch(&self.daemon, "/v1/x509/ca.pem", &ca);
        fetch(&self.daemon, "/v1/x509/crl.pem", &crl);
        std::fs::write(&leaf, certificate).unwrap();
        let [ca, crl, leaf] = [&ca, &crl, &leaf].map(|path| path.to_str().unwrap());
        let by = ["verify", "-purpose", "sslclient", "-crl_check", "-CAfile", ca, "-CRLfile", crl];
        tool("openssl", &[&by[..], &[leaf]].concat())
    }

    /// What PyJWT and joserfc find of a token by the keys that are served now.
    fn libraries(&self, token: &str) -> Vec<String> {
        let jwks = self.path("jwks.json");
        fetch(&self.daemon, "/.well-known/jwks.json", &jwks);
        judged_by(&jwks, ISSUER, AUDIENCE, &[token.to_owned()]).remove(0)
    }

    /// The list of denied tokens, as it is served now; our key for lists is no CA's, and a file.
    fn denied(&self) -> String {
        let path = self.path("denied.json");
        fetch(&self.daemon, "/v1/jwt/denied.json", &path);
        std::fs::read_to_string(path).unwrap()
    }

    fn issued(&self) -> usize {
        let rows = rows(&self.site.ledger());
        let bodies = rows.iter().map(|bytes| Entry::parse(bytes).unwrap().body);
        bodies.filter(|body| matches!(body, Body::Issued(_))).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_and_tokens_by_keys_in_a_token_are_accepted_and_stop_with_it() {
    let place = Place::new().await;
    let (_, first, certificate) = place.credential(Kind::X509).await;
    let certificate = certificate.expect("a certificate");
    let (with, second, token) = place.credential(Kind::Jwt).await;
    let token = token.expect("a token");
    let (fine, said) = place.openssl(&certificate.credential);
    assert!(fine, "{said}");
    assert_eq!(place.libraries(&token.credential), ["ok", "ok"]);
    let (issued, list) = (place.issued(), list_number(&place.site, &place.daemon));

    place.hsm.remove();
    minting(&place.site, &place.daemon, NotServing).await;
    assert!(health(&place.daemon).contains("token"), "{}", health(&place.daemon));
    // Who waits is told what is wrong, and that it is not for them to mend.
    let kept = place.collect(&with, second, Kind::Jwt).await;
    for refused in [kept, place.credential(Kind::X509).await.2] {
        let status = refused.expect_err("no key to sign with");
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        assert!(status.message().contains("token"), "{status}");
    }
    assert_eq!(place.issued(), issued, "nothing was minted");

    // Revoking needs no key of an authority: it is written down and told where a key of ours is left.
    for request in [first, second] {
        give_back(&place.wire, "sam", request).await.expect("revoked");
    }
    let denied = until("the token is on the list", SOON, || {
        Some(place.denied()).filter(|list| list.contains(&format!(".{}\"", token.seq)))
    });
    assert!(!denied.contains(&format!(".{}\"", certificate.seq)), "{denied}");
    // The list of certificates cannot be signed: the last good one stands, and health says so.
    assert_eq!(list_number(&place.site, &place.daemon), list);
    assert!(place.openssl(&certificate.credential).0, "TLS servers cannot know it yet");
    assert!(health(&place.daemon).contains("token"), "{}", health(&place.daemon));

    place.hsm.put_back();
    minting(&place.site, &place.daemon, Serving).await;
    until("TLS servers are told", SOON, || {
        let (fine, said) = place.openssl(&certificate.credential);
        (!fine && said.contains("error 23 ")).then_some(())
    });
    let (_, _, again) = place.credential(Kind::Jwt).await;
    let again = again.expect("a token");
    assert_eq!(place.libraries(&again.credential), ["ok", "ok"]);
    assert_eq!(place.daemon.stop().code, Some(0));
    sound(&place.site, &[&certificate, &token, &again]);
}
