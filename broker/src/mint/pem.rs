//! PEM as it is written here (RFC 7468, strict form): one block, lines of 64, nothing around it.

use data_encoding::BASE64;
use zeroize::Zeroizing;

/// `der` in one block of this label.
pub(super) fn encode(label: &str, der: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut base64 = Zeroizing::new(vec![0; BASE64.encode_len(der.len())]);
    BASE64.encode_mut(der, &mut base64);
    // Room for all of it from the start: growing would leave copies behind.
    let room = base64.len().saturating_mul(2).saturating_add(FRAME);
    let mut text = Zeroizing::new(Vec::with_capacity(room));
    text.extend_from_slice(format!("-----BEGIN {label}-----\n").as_bytes());
    for line in base64.chunks(LINE) {
        text.extend_from_slice(line);
        text.push(b'\n');
    }
    text.extend_from_slice(format!("-----END {label}-----\n").as_bytes());
    text
}

/// What the one block of this label holds; `None` if `text` is anything else.
pub(super) fn decode(label: &str, text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let begin = format!("-----BEGIN {label}-----\n");
    let end = format!("-----END {label}-----\n");
    let lines = text.strip_prefix(begin.as_bytes())?.strip_suffix(end.as_bytes())?;
    let mut base64 = Zeroizing::new(Vec::with_capacity(lines.len()));
    base64.extend(lines.iter().copied().filter(|byte| *byte != b'\n'));
    let mut der = Zeroizing::new(vec![0; BASE64.decode_len(base64.len()).ok()?]);
    let length = BASE64.decode_mut(&base64, &mut der).ok()?;
    der.truncate(length);
    (encode(label, &der).as_slice() == text).then_some(der)
}

/// Characters of base64 in a line.
const LINE: usize = 64;
/// More than the two boundary lines take.
const FRAME: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_read_back() {
        for length in 0..200 {
            let der: Vec<u8> = (0..length).collect();
            let text = encode("X", &der);
            assert_eq!(decode("X", &text).unwrap().as_slice(), der);
            assert!(decode("Y", &text).is_none());
        }
    }

    #[test]
    fn anything_around_or_between_is_refused() {
        let text = encode("X", &[7; 60]);
        let text = std::str::from_utf8(&text).unwrap();
        assert!(decode("X", format!("{text}\n").as_bytes()).is_none());
        assert!(decode("X", format!("comment\n{text}").as_bytes()).is_none());
        assert!(decode("X", text.replace("BwcH\n", "Bw\ncH\n").as_bytes()).is_none());
        assert!(decode("X", text.replace('\n', "\r\n").as_bytes()).is_none());
    }
}
