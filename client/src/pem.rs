//! PEM (RFC 7468): base64 between two lines that say of what.

use data_encoding::BASE64;
use zeroize::Zeroizing;

/// `bytes` as a PEM block, in lines of at most `columns`. Wiped from memory, because it may be a key.
#[must_use]
pub fn encode(label: &str, bytes: &[u8], columns: usize) -> Zeroizing<String> {
    let base64 = Zeroizing::new(BASE64.encode(bytes));
    // Grown once: a string that moves leaves a copy behind.
    let size = base64.len().saturating_mul(2).saturating_add(200);
    let mut text = Zeroizing::new(String::with_capacity(size));
    for part in ["-----BEGIN ", label, "-----\n"] {
        text.push_str(part);
    }
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(columns.max(1)).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    for part in ["-----END ", label, "-----\n"] {
        text.push_str(part);
    }
    text
}

/// The bytes of the one block of `label` that `text` is; nothing may stand around it.
#[must_use]
pub fn decode(label: &str, text: &str) -> Option<Vec<u8>> {
    let body = text.trim().strip_prefix(&format!("-----BEGIN {label}-----\n"))?;
    let body = body.strip_suffix(&format!("\n-----END {label}-----"))?;
    BASE64.decode(body.replace('\n', "").as_bytes()).ok()
}

/// Columns of RFC 7468, section 2.
pub const COLUMNS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_lines_are_as_long_as_they_should_be() {
        for length in [0, 1, 47, 48, 49, 500] {
            let bytes = vec![0xa5; length];
            let text = encode("CERTIFICATE", &bytes, COLUMNS);
            assert!(text.lines().all(|line| line.len() <= COLUMNS));
            if length > 0 {
                assert_eq!(decode("CERTIFICATE", &text), Some(bytes));
            }
        }
    }

    #[test]
    fn one_block_of_the_right_kind_is_read_and_nothing_else() {
        let one = encode("CERTIFICATE", b"abc", COLUMNS);
        assert_eq!(decode("PRIVATE KEY", &one), None);
        assert_eq!(decode("CERTIFICATE", &format!("{}{}", *one, *one)), None);
        assert_eq!(decode("CERTIFICATE", &format!("before\n{}", *one)), None);
        assert_eq!(decode("CERTIFICATE", &one.replace("YWJj", "YW Jj")), None);
    }
}
