//! `AuthorizedPrincipalsCommand`: which roles open an account, from what is on this host alone.

use breakglass_ledger::time::Timestamp;

use super::config::HostConfig;
use super::list::Place;

/// The roles that open `account` for the certificate with this key id and `serial`, at `now`; none if
/// it is not one of the broker's, is revoked, the list is missing or damaged, or the broker was away
/// longer than the configuration allows.
///
/// `sshd` compares them with the certificate itself and looks at its own list as well: this can only
/// say no where `sshd` would say yes.
#[must_use]
pub fn principals(
    config: &HostConfig,
    account: &str,
    key_id: &str,
    serial: &str,
    now: Timestamp,
) -> Vec<String> {
    let Some(roles) = config.principals.get(account) else { return Vec::new() };
    // The number as sshd prints it, and nothing that only reads like one.
    let is_number = !serial.is_empty() && serial.bytes().all(|byte| byte.is_ascii_digit());
    let serial = serial.parse().ok().filter(|serial| is_number && *serial > 0);
    let Some(serial) = serial.filter(|_| key_id.starts_with("bg:")) else { return Vec::new() };
    let place = Place::new(&config.dir, config.ssh_ca.clone(), config.lists_key.clone());
    let Ok(Some(held)) = place.held() else { return Vec::new() };
    let is_stale =
        config.refuse_after.is_some_and(|most| now.since(place.reached()) > most.as_secs());
    if is_stale || held.krl.revokes(serial) {
        return Vec::new();
    }
    roles.clone()
}
