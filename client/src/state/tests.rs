use std::os::unix::fs::PermissionsExt;

use breakglass_ledger::bytes::Digest;
use breakglass_ledger::statement::Kind;

use super::*;

fn id() -> RequestId {
    RequestId::new(1_795_341_600_000, [7; 10])
}

fn state() -> (tempfile::TempDir, State) {
    let dir = tempfile::tempdir().unwrap();
    let log: Origin = "payments/3f9a1c0e5b7d2a44".parse().unwrap();
    let state = State::open(&dir.path().join("breakglass"), &log).unwrap();
    (dir, state)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_subject_key_is_kept_where_only_its_owner_reads_and_comes_back_the_same() {
    let (_dir, state) = state();
    let (holding, key) = (state.holding(id()), SubjectKey::generate(&[Kind::Ssh]).unwrap());
    holding.begin("breakglass-request/v1\n", &key).unwrap();
    assert_eq!(mode(&holding.key_path()), 0o600);
    assert_eq!(mode(holding.dir()), 0o700);
    assert_eq!(holding.key().unwrap().unwrap().public(), key.public());
    assert_eq!(holding.statement().unwrap().unwrap(), b"breakglass-request/v1\n");
    assert_eq!(state.holdings().unwrap().len(), 1);
}

#[test]
fn two_requests_never_share_a_key() {
    let (one, two) =
        (SubjectKey::generate(&[Kind::Ssh]).unwrap(), SubjectKey::generate(&[Kind::Ssh]).unwrap());
    assert_ne!(one.public(), two.public());
}

#[test]
fn what_is_forgotten_is_gone() {
    let (_dir, state) = state();
    let holding = state.holding(id());
    holding.begin("x\n", &SubjectKey::generate(&[Kind::Ssh]).unwrap()).unwrap();
    holding.keep(Kind::Ssh, "ssh-ed25519-cert-v01@openssh.com AAAA", Digest::ZERO).unwrap();
    holding.forget().unwrap();
    assert!(holding.key().unwrap().is_none());
    assert!(holding.credential(Kind::Ssh).unwrap().is_none());
    assert!(state.holdings().unwrap().is_empty());
    holding.forget().unwrap();
}

#[test]
fn a_damaged_key_is_an_error_not_an_absence() {
    let (_dir, state) = state();
    let holding = state.holding(id());
    holding.begin("x\n", &SubjectKey::generate(&[Kind::Ssh]).unwrap()).unwrap();
    std::fs::write(holding.key_path(), "hello").unwrap();
    assert!(matches!(holding.key(), Err(StateError::Damaged(_))));
}

#[test]
fn a_session_comes_back_as_it_was_kept() {
    let (_dir, state) = state();
    assert_eq!(state.session("ab").unwrap(), None);
    let signature = format!("{SIGNATURE_BEGINS}\nAAAA\n-----END SSH SIGNATURE-----\n");
    state.keep_session("ab", "breakglass-session/v1\n", &signature).unwrap();
    let kept = state.session("ab").unwrap();
    assert_eq!(kept, Some(("breakglass-session/v1\n".to_owned(), signature)));
    assert_eq!(mode(&state.session_path("ab")), 0o600);
}

#[test]
fn a_directory_that_others_may_write_is_refused() {
    let (dir, state) = state();
    std::fs::set_permissions(state.dir(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let log: Origin = "payments/3f9a1c0e5b7d2a44".parse().unwrap();
    let again = State::open(&dir.path().join("breakglass"), &log);
    assert!(matches!(again, Err(StateError::Open(_))));
}

#[test]
fn more_than_the_limit_is_never_read() {
    let (dir, _) = state();
    let path = dir.path().join("big");
    std::fs::write(&path, [b'x'; 11]).unwrap();
    assert!(matches!(read_bounded(&path, 10), Err(StateError::Damaged(_))));
    assert_eq!(read_bounded(&path, 11).unwrap().unwrap().len(), 11);
    assert_eq!(read_bounded(&dir.path().join("none"), 1).unwrap(), None);
}

#[test]
fn a_copy_elsewhere_goes_with_the_rest_unless_another_took_its_place() {
    let (dir, state) = state();
    let (holding, place) = (state.holding(id()), dir.path().join("key"));
    private_dir(&place).unwrap();
    let copy = |certificate: &str| {
        write_private(&place.join("id"), b"key").unwrap();
        write_private(&place.join("id-cert.pub"), format!("{certificate}\n").as_bytes()).unwrap();
    };
    for (there, is_ours) in [("mine", true), ("another's", false)] {
        holding.begin("x\n", &SubjectKey::generate(&[Kind::Ssh]).unwrap()).unwrap();
        holding.keep(Kind::Ssh, "mine", Digest::ZERO).unwrap();
        copy(there);
        assert_eq!(holding.keep_place(Kind::Ssh, &place).unwrap(), place.canonicalize().unwrap());
        holding.forget().unwrap();
        assert_eq!(place.join("id").exists(), !is_ours, "{there}");
    }
}
