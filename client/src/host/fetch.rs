//! One HTTP GET from the broker's public side. What comes is public and signed, so there is no TLS;
//! who is in between can only withhold it.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use data_encoding::BASE64;

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The same as before; and whether the server kept the question until it knew.
    Unchanged {
        /// `Preference-Applied` (RFC 7240, 3): there is no need to pause before the next question.
        held: bool,
    },
    /// This.
    Page(Page),
}

/// A page, whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// What it holds.
    pub(super) body: Vec<u8>,
    /// What names these bytes.
    pub(super) etag: Option<String>,
    /// The list's version, as the server says; not believed, only asked for again.
    pub(super) version: Option<u64>,
    /// Its signature file, if the server sends it along.
    pub(super) signature: Option<Vec<u8>>,
}

/// A question: where, for what, and what is known already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    /// The server, `host:port`.
    pub(super) address: &'a str,
    /// The page.
    pub(super) path: &'a str,
    /// What names the page that is known.
    pub(super) known: Option<&'a str>,
    /// How long the server may keep the question while there is none but the known one.
    pub(super) wait: Duration,
    /// Most bytes of a page.
    pub(super) limit: usize,
}

/// The page that is asked for, if it is not the one that is known.
///
/// # Errors
///
/// A sentence on what is wrong: nobody there, another status, or a page that is cut off.
pub(super) fn get(question: Question<'_>) -> Result<Answer, String> {
    let Question { address, path, .. } = question;
    let failed = |why: String| format!("http://{address}{path}: {why}");
    let answer = exchange(question).map_err(|error| failed(error.to_string()))?;
    read(&answer).map_err(|why| failed(why.to_owned()))
}

fn exchange(question: Question<'_>) -> Result<Vec<u8>, std::io::Error> {
    let Question { address, path, known, wait, limit } = question;
    let begun = Instant::now();
    let mut addresses = address.to_socket_addrs()?;
    let first = addresses.next().ok_or(ErrorKind::AddrNotAvailable)?;
    let mut stream = TcpStream::connect_timeout(&first, WITHIN)?;
    stream.set_write_timeout(Some(WITHIN))?;
    // HTTP/1.0: no chunks, and the body ends with the connection.
    let mut asked = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n");
    if let Some(known) = known {
        asked.push_str(&format!("If-None-Match: {known}\r\n"));
        // RFC 7240, 4.3; a server that does not know it answers at once.
        if !wait.is_zero() {
            asked.push_str(&format!("Prefer: wait={}\r\n", wait.as_secs()));
        }
    }
    asked.push_str("\r\n");
    stream.write_all(asked.as_bytes())?;
    let (mut answer, mut part) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let left = WHOLE.saturating_add(wait).saturating_sub(begun.elapsed());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        let patience = if answer.is_empty() { WITHIN.saturating_add(wait) } else { WITHIN };
        stream.set_read_timeout(Some(left.min(patience)))?;
        let length = stream.read(&mut part)?;
        if length == 0 {
            return Ok(answer);
        }
        answer.extend_from_slice(part.get(..length).unwrap_or_default());
        if answer.len() > limit.saturating_add(HEAD_MAX) {
            return Err(std::io::Error::other("the answer is longer than any list"));
        }
    }
}

fn read(answer: &[u8]) -> Result<Answer, &'static str> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").ok_or("not HTTP")?;
    let (head, body) = answer.split_at_checked(end.saturating_add(4)).unwrap_or_default();
    let head = std::str::from_utf8(head).map_err(|_| "not HTTP")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let header = |name: &str| {
        head.split("\r\n").skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    match status {
        "304" => {
            let applied = header("preference-applied").unwrap_or_default();
            return Ok(Answer::Unchanged { held: applied.starts_with("wait=") });
        }
        "200" => {}
        _ => return Err("the server answers with another status than 200 or 304"),
    }
    let length: Option<usize> = header("content-length").and_then(|text| text.parse().ok());
    if length.is_some_and(|length| length != body.len()) {
        return Err("the answer is cut off");
    }
    let version = header("breakglass-list-version").and_then(|text| text.parse().ok());
    let signature = header("breakglass-list-signature");
    let signature = signature.and_then(|text| BASE64.decode(text.as_bytes()).ok());
    Ok(Answer::Page(Page { body: body.to_vec(), etag: header("etag"), version, signature }))
}

/// For a connection, and for each part of an answer.
const WITHIN: Duration = Duration::from_secs(3);

/// For a whole answer: a megabyte over a poor line. Who is slower is as good as away.
const WHOLE: Duration = Duration::from_secs(20);

/// Most bytes of status line and headers.
const HEAD_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_whole_page_or_unchanged() {
        let page = b"HTTP/1.1 200 OK\r\nETag: \"a\"\r\nBreakglass-List-Version: 7\r\n\
            Breakglass-List-Signature: c2ln\r\nContent-Length: 3\r\n\r\nkrl";
        let expected = Page {
            body: b"krl".to_vec(),
            etag: Some("\"a\"".to_owned()),
            version: Some(7),
            signature: Some(b"sig".to_vec()),
        };
        assert_eq!(read(page), Ok(Answer::Page(expected)));
        let none = b"HTTP/1.1 304 Not Modified\r\n\r\n";
        assert_eq!(read(none), Ok(Answer::Unchanged { held: false }));
        let none = b"HTTP/1.1 304 Not Modified\r\nPreference-Applied: wait=10\r\n\r\n";
        assert_eq!(read(none), Ok(Answer::Unchanged { held: true }));
        assert!(read(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nkrl").is_err());
        assert!(read(b"HTTP/1.1 503 No\r\n\r\n").is_err());
        assert!(read(b"").is_err());
    }
}
