//! Whether a new policy opens less than a credential that is out does.

use std::net::IpAddr;

use crate::policy::{JwtProfile, Policy, SshProfile, X509Profile};
use crate::statement::{Ask, Kind};

/// Whether `new` grants less than `old`, under which it was issued, of any kind asked for.
pub(super) fn is_narrower(ask: &Ask, old: &Policy, new: &Policy) -> bool {
    let (Some(old), Some(new)) = (old.scope(&ask.scope), new.scope(&ask.scope)) else {
        return true;
    };
    ask.kinds.iter().any(|kind| match kind {
        Kind::Ssh => compared(old.ssh.as_ref(), new.ssh.as_ref(), opens_less),
        Kind::X509 => compared(old.x509.as_ref(), new.x509.as_ref(), names_less),
        Kind::Jwt => compared(old.jwt.as_ref(), new.jwt.as_ref(), claims_less),
    })
}

fn compared<T>(old: Option<&T>, new: Option<&T>, less: impl FnOnce(&T, &T) -> bool) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => less(old, new),
        (Some(_), None) => true,
        (None, _) => false,
    }
}

fn lost(old: &[String], new: &[String]) -> bool {
    old.iter().any(|one| !new.contains(one))
}

fn names_less(old: &X509Profile, new: &X509Profile) -> bool {
    lost(&old.organizations, &new.organizations)
        || lost(&old.organizational_units, &new.organizational_units)
        || old.uri.is_some() && old.uri != new.uri
        || old.svid && !new.svid
}

fn claims_less(old: &JwtProfile, new: &JwtProfile) -> bool {
    old.audience != new.audience
        || lost(&old.groups, &new.groups)
        || old.ttl_max > new.ttl_max
        || old.bearer && !new.bearer
}

fn opens_less(old: &SshProfile, new: &SshProfile) -> bool {
    lost(&old.principals, &new.principals)
        || lost(&old.extensions, &new.extensions)
        || new.force_command.is_some() && old.force_command != new.force_command
        || is_closer(&old.source_address, &new.source_address)
}

/// Whether addresses are shut out that were not. No addresses are all of them.
fn is_closer(old: &[String], new: &[String]) -> bool {
    if new.is_empty() {
        return false;
    }
    let blocks: Vec<_> = new.iter().filter_map(|text| block(text)).collect();
    let is_inside = |text: &String| {
        block(text).is_some_and(|one| blocks.iter().any(|other| contains(other, &one)))
    };
    old.is_empty() || !old.iter().all(is_inside)
}

/// Family, address as a number, bits that count.
type Block = (bool, u128, u32);

fn block(text: &str) -> Option<Block> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let (is_six, number, most) = match address.parse().ok()? {
        IpAddr::V4(four) => (false, u128::from(u32::from(four)), 32),
        IpAddr::V6(six) => (true, u128::from(six), 128),
    };
    let bits = bits.map_or(Some(most), |bits| bits.parse().ok())?;
    // Counted from the top of 128 bits, so that both families are cut alike.
    let shift = if is_six { 0 } else { 96 };
    (bits <= most).then(|| (is_six, number << shift, bits))
}

fn contains(outer: &Block, inner: &Block) -> bool {
    let mask = u128::MAX.checked_shl(128_u32.saturating_sub(outer.2)).unwrap_or(0);
    outer.0 == inner.0 && outer.2 <= inner.2 && outer.1 & mask == inner.1 & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_closer_if_one_is_shut_out() {
        let list = |texts: &[&str]| texts.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        for (old, new, closer) in [
            (&[][..], &[][..], false),
            (&["10.0.0.0/8"], &[], false),
            (&[], &["10.0.0.0/8"], true),
            (&["10.1.0.0/16"], &["10.0.0.0/8"], false),
            (&["10.0.0.0/8"], &["10.1.0.0/16"], true),
            (&["10.0.0.1"], &["10.0.0.1", "::1"], false),
            (&["10.0.0.1", "::1"], &["10.0.0.1"], true),
            (&["2001:db8::/48"], &["2001:db8::/32"], false),
            (&["::/1"], &["0.0.0.0/1"], true),
        ] {
            assert_eq!(is_closer(&list(old), &list(new)), closer, "{old:?} {new:?}");
        }
    }
}
