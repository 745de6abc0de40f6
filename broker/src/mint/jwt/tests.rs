use breakglass_rules::TOKEN_BACKDATE_SECONDS;

use super::*;
use crate::jwt::{self, Claims, Confirmation};
use crate::mint::keys::P256Key;
use crate::mint::tests::{NOW, mint};
use crate::mint::x509;

/// What a responder was cleared for; each test changes what it is about.
struct Cleared {
    issuer: Issuer,
    holder: PrincipalId,
    on_behalf_of: Vec<PrincipalId>,
    lane: Lane,
    subject: Option<PublicKey>,
    valid_after: Timestamp,
    valid_before: Timestamp,
    profile: JwtProfile,
}

impl Cleared {
    fn plain() -> Self {
        Self {
            issuer: Issuer::new("https://bg.example.com").unwrap(),
            holder: "sam".parse().unwrap(),
            on_behalf_of: Vec::new(),
            lane: Lane::Normal,
            subject: Some(subject()),
            valid_after: NOW.minus(TOKEN_BACKDATE_SECONDS),
            valid_before: NOW.plus(600),
            profile: JwtProfile {
                audience: "kubernetes".to_owned(),
                groups: vec!["breakglass:dba".to_owned()],
                ttl_max: 600,
                bearer: false,
            },
        }
    }

    fn terms(&self) -> Terms<'_> {
        Terms {
            issuer: &self.issuer,
            request: RequestId::new(1_795_348_700_000, [7; 10]),
            holder: &self.holder,
            on_behalf_of: &self.on_behalf_of,
            lane: self.lane,
            subject: self.subject.as_ref(),
            valid_after: self.valid_after,
            valid_before: self.valid_before,
            profile: &self.profile,
        }
    }

    fn sign(&self, mint: &Mint) -> Result<JwtCredential, MintError> {
        mint.certify_jwt(&self.terms(), 42)
    }

    fn error(&self, mint: &Mint) -> MintError {
        self.sign(mint).err().expect("nothing is signed")
    }

    /// What it says when it is read as any target would.
    fn read(&self, mint: &Mint) -> Claims {
        let credential = self.sign(mint).expect("a token");
        let key = mint.public().jwt_key.clone().expect("a key");
        let claims = jwt::read(&credential.token, &[key]).expect("ours");
        assert_eq!(claims.to_text().as_ref(), Ok(&credential.claims));
        claims
    }
}

fn subject() -> PublicKey {
    let key = P256Key::from_pkcs8(&P256Key::generate().unwrap()).unwrap();
    x509::ssh_form(key.public()).unwrap()
}

fn names(of: &[&str]) -> Vec<PrincipalId> {
    of.iter().map(|name| name.parse().unwrap()).collect()
}

#[test]
fn a_token_says_what_was_cleared_and_nothing_else() {
    let (_dir, mint) = mint(1);
    let cleared = Cleared::plain();
    let request = cleared.terms().request;
    let jkt = cleared.terms().thumbprint().unwrap().unwrap();
    let claims = cleared.read(&mint);
    let now = NOW.unix_seconds();
    assert_eq!(
        claims,
        Claims {
            act: None,
            aud: "kubernetes".to_owned(),
            cnf: Some(Confirmation { jkt }),
            exp: now + 600,
            groups: vec!["breakglass:dba".to_owned()],
            iat: now,
            iss: "https://bg.example.com".to_owned(),
            jti: format!("{request}.42"),
            nbf: now - 5,
            sub: format!("breakglass:{request}:sam"),
        }
    );
    let credential = cleared.sign(&mint).unwrap();
    assert_eq!(credential.digest, Digest::of(credential.token.as_bytes()));
    assert_eq!(credential.subject_name, claims.sub);
    assert_eq!(credential.subject, subject_digest(&cleared));
}

fn subject_digest(cleared: &Cleared) -> Digest {
    cleared.subject.as_ref().unwrap().digest()
}

#[test]
fn whoever_acts_for_others_stands_outside_and_whose_authority_it_is_does_not_act() {
    let (_dir, mint) = mint(1);
    let mut cleared = Cleared::plain();
    cleared.holder = "deploy-bot".parse().unwrap();
    cleared.on_behalf_of = names(&["sam"]);
    let claims = cleared.read(&mint);
    assert_eq!(claims.holder(), Some("sam".parse().unwrap()));
    let text = claims.to_text().unwrap();
    assert!(text.starts_with(r#"{"act":{"sub":"deploy-bot"},"#), "{text}");
    cleared.on_behalf_of = names(&["sam", "ci", "runner"]);
    let text = cleared.read(&mint).to_text().unwrap();
    let nested = r#"{"act":{"act":{"act":{"sub":"ci"},"sub":"runner"},"sub":"deploy-bot"},"#;
    assert!(text.starts_with(nested), "{text}");
}

#[test]
fn a_bearer_token_is_bound_to_no_key_and_needs_a_scope_that_says_so() {
    let (_dir, mint) = mint(1);
    let mut cleared = Cleared { subject: None, ..Cleared::plain() };
    assert!(matches!(cleared.error(&mint), MintError::Value { field: "cnf", .. }));
    cleared.profile.bearer = true;
    assert_eq!(cleared.read(&mint).cnf, None);
    assert_eq!(cleared.sign(&mint).unwrap().subject, Digest::ZERO);
}

#[test]
fn what_could_never_be_taken_back_is_not_signed() {
    let (_dir, mint) = mint(1);
    let with = |change: fn(&mut Cleared)| {
        let mut cleared = Cleared::plain();
        change(&mut cleared);
        cleared.error(&mint)
    };
    let group = |change: fn(&mut Cleared)| {
        assert!(matches!(with(change), MintError::Value { field: "groups", .. }));
    };
    group(|cleared| cleared.profile.groups = vec!["System:masters".to_owned()]);
    group(|cleared| cleared.profile.groups = vec!["drill-dba".to_owned()]);
    group(|cleared| cleared.lane = Lane::Drill);
    assert!(matches!(with(|c| c.valid_before = NOW.plus(601)), MintError::Lifetime));
    assert!(matches!(with(|c| c.valid_before = NOW), MintError::Lifetime));
    assert!(matches!(
        with(|c| c.profile.audience = "a,b".to_owned()),
        MintError::Value { field: "audience", .. }
    ));
    let zero = mint.certify_jwt(&Cleared::plain().terms(), 0);
    assert!(matches!(zero, Err(MintError::SerialZero)));
}

#[test]
fn a_key_of_ours_or_of_another_type_is_nobodys_subject() {
    let (_dir, mint) = mint(1);
    let of = |subject| Cleared { subject: Some(subject), ..Cleared::plain() }.error(&mint);
    let own = mint.public().jwt_ssh_key().unwrap().unwrap();
    assert!(matches!(of(own), MintError::OwnKey));
    let (_other_dir, other) = mint_of_others();
    let ed25519 = other.public().ssh_ca.clone();
    assert!(matches!(of(ed25519), MintError::SubjectType));
}

#[test]
fn a_drills_token_is_marked_in_every_group() {
    let (_dir, mint) = mint(1);
    let mut cleared = Cleared { lane: Lane::Drill, ..Cleared::plain() };
    cleared.profile.groups = vec!["drill-dba".to_owned()];
    assert_eq!(cleared.read(&mint).groups, ["drill-dba"]);
}

/// R35, for tokens: whatever differs from the clearance is seen in the final bytes.
#[test]
fn a_token_that_says_anything_else_is_thrown_away() {
    let (_dir, mint) = mint(1);
    let key = mint.jwt.as_ref().unwrap();
    let mut cleared = Cleared::plain();
    cleared.holder = "deploy-bot".parse().unwrap();
    cleared.on_behalf_of = names(&["sam", "ci"]);
    let plain = cleared.read(&mint);
    let differs = |change: &dyn Fn(&mut Claims)| {
        let mut claims = plain.clone();
        change(&mut claims);
        let text = claims.to_text().unwrap();
        let token = key.sign(&text).unwrap();
        match examine::examine(&token, &text, &cleared.terms(), 42, key.public()) {
            Err(MintError::Mismatch { field }) => field,
            Err(other) => panic!("{other}"),
            Ok(()) => panic!("handed out"),
        }
    };
    assert_eq!(differs(&|c| c.iss = "https://evil.example.com".to_owned()), "issuer");
    assert_eq!(differs(&|c| c.aud.push('x')), "audience");
    assert_eq!(differs(&|c| c.groups.push("root".to_owned())), "groups");
    assert_eq!(differs(&|c| c.exp += 1), "end");
    assert_eq!(differs(&|c| (c.iat, c.nbf) = (c.iat + 1, c.nbf + 1)), "start");
    assert_eq!(differs(&|c| c.cnf = None), "key");
    assert_eq!(differs(&|c| c.act = None), "actors");
    assert_eq!(differs(&|c| c.jti = c.jti.replace(".42", ".43")), "identifier");
    assert_eq!(differs(&|c| c.sub = c.sub.replace(":sam", ":ada")), "subject");
    let (_other_dir, other) = mint_of_others();
    let token = other.jwt.as_ref().unwrap().sign(&plain.to_text().unwrap()).unwrap();
    let text = plain.to_text().unwrap();
    let refused = examine::examine(&token, &text, &cleared.terms(), 42, key.public());
    assert!(matches!(refused, Err(MintError::Token(jwt::TokenError::Key))));
}

fn mint_of_others() -> (tempfile::TempDir, Mint) {
    mint(2)
}

#[test]
fn keys_of_before_sign_no_tokens_and_say_what_to_do() {
    let (dir, _) = mint(1);
    std::fs::remove_file(dir.path().join("keys/jwt-key.pem")).unwrap();
    let old = Mint::open(dir.path(), "payments").unwrap();
    assert_eq!(old.public().jwt_key, None);
    let error = Cleared::plain().error(&old);
    assert!(error.to_string().contains("breakglassd rotate"), "{error}");
}

#[test]
fn a_token_of_the_largest_scope_fits() {
    let (_dir, mint) = mint(1);
    let mut cleared = Cleared::plain();
    cleared.profile.audience = "a".repeat(255);
    cleared.profile.groups = (0..16).map(|n| format!("{n:064}")).collect();
    cleared.on_behalf_of = (0..8).map(|n| format!("{n:064}").parse().unwrap()).collect();
    cleared.issuer = Issuer::new(&format!("https://{}", "a".repeat(247))).unwrap();
    cleared.read(&mint);
}
