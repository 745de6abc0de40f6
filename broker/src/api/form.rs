//! Bodies of `application/x-www-form-urlencoded` (URL standard, section 5; RFC 6749, appendix B), strictly.

/// Most parameters: two are known, and unknown ones are passed over.
const PARAMETERS_MAX: usize = 16;

/// The parameter `name` of the form in `body`; `None` if it is not there, or has no value, which is the
/// same (RFC 6749, section 3.2).
///
/// # Errors
///
/// A sentence about what is wrong: a parameter twice (same section), too many, or bytes that are no form.
pub(super) fn parameter(body: &[u8], name: &str) -> Result<Option<String>, &'static str> {
    let mut seen = Vec::new();
    let mut found = None;
    for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (key, value) = pair.split_at(at);
        let key = decoded(key)?;
        let value = decoded(value.strip_prefix(b"=").unwrap_or_default())?;
        if seen.contains(&key) {
            return Err("a parameter is there twice");
        }
        if seen.len() >= PARAMETERS_MAX {
            return Err("there are too many parameters");
        }
        if key == name && !value.is_empty() {
            found = Some(value);
        }
        seen.push(key);
    }
    Ok(found)
}

fn decoded(text: &[u8]) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => rest
                .next()
                .zip(rest.next())
                .and_then(|(high, low)| Some(nibble(high)? << 4 | nibble(low)?))
                .ok_or("a percent sign is not followed by two hexadecimal digits")?,
            plain => plain,
        });
    }
    String::from_utf8(bytes).map_err(|_| "the form is not UTF-8")
}

fn nibble(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(body: &str) -> Result<Option<String>, &'static str> {
        parameter(body.as_bytes(), "token")
    }

    #[test]
    fn a_parameter_is_read_as_it_was_meant() {
        for body in ["token=a.b-c_d", "x=1&token=a.b-c_d", "token=a%2Eb%2dc_d&y", "%74oken=a.b-c_d"]
        {
            assert_eq!(token(body), Ok(Some("a.b-c_d".to_owned())), "{body}");
        }
        assert_eq!(token("token=a+b%20c"), Ok(Some("a b c".to_owned())));
    }

    #[test]
    fn without_value_it_is_not_there() {
        for body in ["", "token", "token=", "&&", "Token=a", "x=token"] {
            assert_eq!(token(body), Ok(None), "{body}");
        }
    }

    /// RFC 6749, section 3.2: parameters must not be included more than once; also not under another
    /// spelling, nor if it is one that we pass over.
    #[test]
    fn a_parameter_twice_is_no_form() {
        for body in ["token=a&token=a", "token=a&%74oken=b", "token&token=a", "x=1&token=a&x=2"] {
            assert_eq!(token(body), Err("a parameter is there twice"), "{body}");
        }
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for body in ["token=%", "token=%4", "token=%zz", "token=%+1", "token=%ff"] {
            assert!(token(body).is_err(), "{body}");
        }
        let many: Vec<String> = (0..=PARAMETERS_MAX).map(|n| format!("p{n}=1")).collect();
        assert!(token(&many.join("&")).is_err());
    }
}
