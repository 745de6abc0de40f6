//! One HTTP GET from the broker's public side on loopback, as a host's `curl` would do it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// The body at `path` of the server at `address`.
///
/// # Errors
///
/// A sentence on what is wrong.
pub(super) fn get(address: &str, path: &str) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("http://{address}{path}: {error}");
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    stream.set_read_timeout(Some(WITHIN)).map_err(failed)?;
    // HTTP/1.0: no chunks, and the body ends with the connection.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").map_err(failed)?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer).map_err(failed)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or_else(|| format!("http://{address}{path}: not an HTTP answer"))?;
    let (head, body) = answer.split_at_checked(end.saturating_add(4)).unwrap_or_default();
    let status = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    if status == b"200" {
        return Ok(body.to_vec());
    }
    Err(format!("http://{address}{path}: status {}", String::from_utf8_lossy(status)))
}

const WITHIN: Duration = Duration::from_secs(5);

/// A list of a demo is a few hundred bytes.
const ANSWER_MAX: u64 = 1024 * 1024;
