//! Times and lengths of time in words, and text made safe to show.

use std::fmt::Write as _;

use breakglass_ledger::time::Timestamp;
use jiff::tz::TimeZone;

/// `14 s ago (14:03:21 CET, 13:03:21 UTC)`: relative, then absolute in `zone` with UTC beside it;
/// with the date where it is not the day of `now`.
#[must_use]
pub fn when(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let relative = if at > now {
        format!("in {}", short_duration(at.since(now)))
    } else {
        format!("{} ago", short_duration(now.since(at)))
    };
    let (local, day) = local(at, zone);
    let (utc, utc_day) = self::local(at, &TimeZone::UTC);
    let is_today = self::local(now, zone).1 == day;
    let local = if is_today { local } else { format!("{day} {local}") };
    let utc = if utc_day == day { utc } else { format!("{utc_day} {utc}") };
    // The user's zone may be UTC under any of its names.
    if local.ends_with(&utc) {
        return format!("{relative} ({local})");
    }
    format!("{relative} ({local}, {utc})")
}

/// `14:03:21 CET`: for a line of a log, which has its day before it.
#[must_use]
pub fn time_of_day(at: Timestamp, zone: &TimeZone) -> String {
    local(at, zone).0
}

/// Time of day with the zone's abbreviation, and the date.
fn local(at: Timestamp, zone: &TimeZone) -> (String, String) {
    let seconds = i64::try_from(at.unix_seconds()).unwrap_or(i64::MAX);
    let instant = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    let zoned = instant.to_zoned(zone.clone());
    (zoned.strftime("%H:%M:%S %Z").to_string(), zoned.strftime("%Y-%m-%d").to_string())
}

/// `30 minutes`, `1 hour 5 minutes`, `45 seconds`: for a sentence.
#[must_use]
pub fn duration(seconds: u64) -> String {
    spell(seconds, [" day", " hour", " minute", " second"], true)
}

/// `13 m 5 s`, `2 h 10 m`: for a line that changes.
#[must_use]
pub fn short_duration(seconds: u64) -> String {
    spell(seconds, [" d", " h", " m", " s"], false)
}

/// The two largest units that are not zero.
fn spell(seconds: u64, units: [&str; 4], is_plural: bool) -> String {
    let counts = [seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60];
    let spelled = counts.iter().zip(units).filter(|(count, _)| **count > 0).map(|(count, unit)| {
        let plural = if is_plural && *count != 1 { "s" } else { "" };
        format!("{count}{unit}{plural}")
    });
    let two: Vec<String> = spelled.take(2).collect();
    if two.is_empty() {
        let [_, _, _, second] = units;
        return format!("0{second}{}", if is_plural { "s" } else { "" });
    }
    two.join(" ")
}

/// Reads `30m`, `1h`, `90s`, `1h30m`; a bare number is refused, because nobody knows its unit.
///
/// # Errors
///
/// A sentence on what is wrong.
pub fn parse_duration(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a length of time such as 30m, 1h30m or 90s");
    let mut total = 0_u64;
    let mut rest = text;
    let mut last_unit = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, tail) = rest.split_at_checked(digits).ok_or_else(wrong)?;
        let unit = match tail.chars().next() {
            Some('d') => 86_400,
            Some('h') => 3600,
            Some('m') => 60,
            Some('s') => 1,
            Some(_) | None => return Err(wrong()),
        };
        if unit >= last_unit {
            return Err(wrong());
        }
        last_unit = unit;
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let part = number.checked_mul(unit).ok_or_else(wrong)?;
        total = total.checked_add(part).ok_or_else(wrong)?;
        rest = tail.get(1..).unwrap_or_default();
    }
    if total == 0 { Err(wrong()) } else { Ok(total) }
}

/// `text` with everything that could move a cursor, change colours or reorder letters made
/// visible: control characters, and the bidirectional and invisible ones of Unicode ("Trojan
/// Source", CVE-2021-42574). What an approver reads is what was signed.
#[must_use]
pub fn clean(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// JSON as serde writes it, with the same characters escaped: programs read what was there, and a
/// terminal that it is looked at on obeys nothing of it. RFC 8259, 7, names no character of these as one
/// that must be escaped beyond U+001F, and lets any be.
#[must_use]
pub fn json_text(written: &str) -> String {
    let mut safe = String::with_capacity(written.len());
    for c in written.chars() {
        // Below stands only what serde put between the values; in strings it has escaped it.
        if c < ' ' || !is_unsafe(c) {
            safe.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(safe, "\\u{unit:04x}");
        }
    }
    safe
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{fff0}'..='\u{fffb}')
        || matches!(c, '\u{e0000}'..='\u{e007f}')
}
