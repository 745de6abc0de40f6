//! The small values of the files: names, texts for people, durations, references, keys.

use std::str::FromStr;

use super::fault::{FaultKind, Faults, shown};
use super::read::Value;
use crate::key::{KeyError, PublicKey};
use crate::policy::Members;
use crate::principal::PrincipalKind;
use crate::time::Ttl;

/// Longest text for people: title, purpose, a name. Longer ones hide what matters on a screen.
pub const TEXT_MAX_BYTES: usize = 400;

/// Most references in one list of members: as many as there can be principals.
pub const REFERENCES_MAX: usize = super::people::PRINCIPALS_MAX;

/// A name: id of a principal, group, scope or stage.
pub(super) fn name<T: FromStr>(value: &Value<'_>, faults: &mut Faults) -> Option<T> {
    value.parsed("1 to 64 of a-z 0-9 . _ - (lower case)", faults, |text| text.parse().ok())
}

/// A line for people: printable, one line, at most [`TEXT_MAX_BYTES`].
pub(super) fn line(value: &Value<'_>, faults: &mut Faults) -> Option<String> {
    let rule = "1 to 400 bytes on one line, without control or invisible characters";
    value.parsed(rule, faults, |text| {
        let fits = !text.trim().is_empty() && text.len() <= TEXT_MAX_BYTES;
        (fits && !text.chars().any(is_unseen)).then(|| text.to_owned())
    })
}

/// Whether a terminal would obey this character instead of showing it: control characters, and the
/// format characters that reorder or hide what stands beside them (Unicode, general category Cf).
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Seconds of `90s`, `15m`, `1h`, `90d`: one number without leading zero, one unit.
pub(super) fn seconds_of(text: &str) -> Option<u32> {
    let (digits, factor) = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)]
        .into_iter()
        .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    if digits.starts_with('0') || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u32>().ok()?.checked_mul(factor)
}

/// A duration in seconds.
pub(super) fn seconds(value: &Value<'_>, faults: &mut Faults) -> Option<u32> {
    value.parsed("a duration such as 90s, 15m, 1h or 90d", faults, seconds_of)
}

/// A duration of 1 to `max` seconds.
pub(super) fn seconds_within(value: &Value<'_>, max: u32, faults: &mut Faults) -> Option<u32> {
    let seconds = seconds(value, faults)?;
    within(value, seconds, max, faults)
}

/// `seconds`, unless it is more than `max`.
fn within(value: &Value<'_>, seconds: u32, max: u32, faults: &mut Faults) -> Option<u32> {
    if seconds > max {
        let (field, value_seconds) = (value.field(), i64::from(seconds));
        let kind = FaultKind::OutOfRange { field, value: value_seconds, min: 1, max };
        value.fault(kind, faults);
        return None;
    }
    Some(seconds)
}

/// A grant's lifetime, within the cap.
pub(super) fn ttl(value: &Value<'_>, faults: &mut Faults) -> Option<Ttl> {
    let seconds = seconds(value, faults)?;
    let ttl = Ttl::from_seconds(seconds);
    if ttl.is_none() {
        value.fault(FaultKind::TtlOverCap { field: value.field(), seconds }, faults);
    }
    ttl
}

/// An amount per window, `4h/7d`: most seconds granted in so many seconds, `max` at most.
pub(super) fn budget(value: &Value<'_>, max: u32, faults: &mut Faults) -> Option<(u32, u32)> {
    let (amount, window) = value.parsed("an amount per window such as 4h/7d", faults, |text| {
        let (amount, window) = text.split_once('/')?;
        let (amount, window) = (seconds_of(amount)?, seconds_of(window)?);
        (amount <= window).then_some((amount, window))
    })?;
    within(value, window, max, faults).map(|window| (amount, window))
}

/// Where to tell somebody: a scheme, a colon and no white space, such as `mailto:sam@example.com`.
pub(super) fn address(value: &Value<'_>, faults: &mut Faults) -> Option<String> {
    value.parsed("an address such as mailto:sam@example.com", faults, |text| {
        let (scheme, rest) = text.split_once(':')?;
        let is_scheme = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_lowercase());
        let fits = !rest.is_empty() && text.len() <= TEXT_MAX_BYTES;
        let visible = rest.bytes().all(|b| b.is_ascii_graphic());
        (is_scheme && fits && visible).then(|| text.to_owned())
    })
}

/// What kind of identity.
pub(super) fn kind(value: &Value<'_>, faults: &mut Faults) -> Option<PrincipalKind> {
    value.parsed("human, service, workload or agent", faults, |text| match text {
        "human" => Some(PrincipalKind::Human),
        "service" => Some(PrincipalKind::Service),
        "workload" => Some(PrincipalKind::Workload),
        "agent" => Some(PrincipalKind::Agent),
        _ => None,
    })
}

/// References and the line of each.
pub(super) type Referred = Vec<(u32, Members)>;

/// One reference or a list of them. A list that is there names at least one.
pub(super) fn members(value: &Value<'_>, faults: &mut Faults) -> Option<Referred> {
    if !value.is_list() {
        return Some(vec![(value.line(), member(value, faults)?)]);
    }
    list(value, REFERENCES_MAX, faults, member_at)
}

/// One reference and its line.
pub(super) fn member_at(value: &Value<'_>, faults: &mut Faults) -> Option<(u32, Members)> {
    Some((value.line(), member(value, faults)?))
}

/// One reference.
fn member(value: &Value<'_>, faults: &mut Faults) -> Option<Members> {
    value.parsed("group:<id> or principal:<id>", faults, |text| text.parse().ok())
}

/// A list of at least one element, each read by `read`; `None` if any has a fault.
pub(super) fn list<'d, T>(
    value: &Value<'d>,
    limit: usize,
    faults: &mut Faults,
    mut read: impl FnMut(&Value<'d>, &mut Faults) -> Option<T>,
) -> Option<Vec<T>> {
    let elements = value.some_elements(limit, faults)?;
    let count = elements.len();
    let read: Vec<T> = elements.iter().filter_map(|element| read(element, faults)).collect();
    (read.len() == count).then_some(read)
}

/// A list like [`list`] in which no element stands twice.
pub(super) fn set<'d, T: Ord + Clone>(
    value: &Value<'d>,
    limit: usize,
    faults: &mut Faults,
    mut read: impl FnMut(&Value<'d>, &mut Faults) -> Option<T>,
) -> Option<Vec<T>> {
    let mut met = std::collections::BTreeSet::new();
    list(value, limit, faults, |element, faults| {
        let item = read(element, faults)?;
        if !met.insert(item.clone()) {
            let value = element.text(faults).map_or_else(String::new, shown);
            element.fault(FaultKind::Repeated { field: element.field(), value }, faults);
        }
        Some(item)
    })
}

/// A public key in OpenSSH's one-line form.
pub(super) fn key(value: &Value<'_>, faults: &mut Faults) -> Option<PublicKey> {
    let text = value.text(faults)?;
    match PublicKey::from_openssh(text) {
        Ok(key) => Some(key),
        Err(error) => {
            value.fault(key_fault(error, text), faults);
            None
        }
    }
}

fn key_fault(error: KeyError, text: &str) -> FaultKind {
    match error {
        KeyError::Type(found) => FaultKind::KeyType { found: shown(&found) },
        KeyError::Weak => FaultKind::WeakKey,
        KeyError::Malformed | KeyError::TooLong => FaultKind::MalformedKey { value: shown(text) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_one_number_and_one_unit() {
        assert_eq!(seconds_of("90s"), Some(90));
        assert_eq!(seconds_of("15m"), Some(900));
        assert_eq!(seconds_of("72h"), Some(259_200));
        assert_eq!(seconds_of("90d"), Some(7_776_000));
        for bad in ["", "m", "0m", "015m", "15", "1h30m", "-1h", "+1h", "1 h", "1H", "9999999d"] {
            assert_eq!(seconds_of(bad), None, "{bad}");
        }
    }

    #[test]
    fn characters_that_a_terminal_obeys_are_unseen() {
        for c in ['\u{1b}', '\n', '\u{7f}', '\u{85}', '\u{202e}', '\u{200b}', '\u{feff}'] {
            assert!(is_unseen(c), "{c:?}");
        }
        for c in ['a', ' ', 'é', '–', '日'] {
            assert!(!is_unseen(c), "{c:?}");
        }
    }
}
