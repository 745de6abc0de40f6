//! The far side of notices: an HTTP server of a few lines that can be made to fail, and a mail relay.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use serde_json::Value;

/// How the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// As the service behind each path would.
    Works,
    /// With 500.
    Fails,
    /// With 429, to come back after an hour.
    Limits,
    /// With something that is no HTTP.
    Babbles,
    /// Not at all.
    Hangs,
}

/// One POST.
#[derive(Clone, Debug)]
pub struct Post {
    /// Its path: `/slack`, `/ntfy`, ….
    pub path: String,
    /// Its head, in lower case.
    pub head: String,
    /// Its body as it came.
    pub text: String,
    /// The same as JSON.
    pub body: Value,
    /// Whether the answer was that of a server that works.
    pub taken: bool,
}

impl Post {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// An HTTP server on loopback.
#[derive(Clone)]
pub struct Sink {
    /// Where it listens.
    pub port: u16,
    mood: Arc<Mutex<Mood>>,
    posts: Arc<Mutex<Vec<Post>>>,
}

impl Sink {
    /// Listens, in this mood, until the test ends.
    ///
    /// # Panics
    ///
    /// Panics if there is no port.
    #[must_use]
    pub fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let sink = Self { port, mood: Arc::new(Mutex::new(mood)), posts: Arc::default() };
        let served = sink.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let sink = served.clone();
                thread::spawn(move || sink.serve(stream));
            }
        });
        sink
    }

    /// From now on it answers like this.
    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// Everything that came so far.
    #[must_use]
    pub fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What came to `path` and was taken.
    #[must_use]
    pub fn taken(&self, path: &str) -> Vec<Post> {
        self.posts().into_iter().filter(|post| post.taken && post.path == path).collect()
    }

    /// The URL of `path`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn serve(&self, mut stream: TcpStream) {
        let Some((head, text)) = receive(&mut stream) else { return };
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let mood = *self.mood.lock().unwrap_or_else(PoisonError::into_inner);
        let body = serde_json::from_str(&text).unwrap_or_default();
        let taken = mood == Mood::Works;
        let answer = match mood {
            Mood::Works => good(&path),
            Mood::Fails => answer("500 Oops", "", "<html>"),
            Mood::Limits => answer("429 Slow", "retry-after: 3600\r\n", ""),
            Mood::Babbles => "SSH-2.0-OpenSSH_9.6\r\n\r\n".to_owned(),
            Mood::Hangs => String::new(),
        };
        let post = Post { path, head: head.to_lowercase(), text, body, taken };
        self.posts.lock().unwrap_or_else(PoisonError::into_inner).push(post);
        if answer.is_empty() {
            // Until the other side has had enough.
            let _ = stream.read(&mut [0]);
        }
        let _ = stream.write_all(answer.as_bytes());
    }
}

/// Head and body of one request; `None` if it is cut off.
fn receive(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut read = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).ok().filter(|count| *count > 0)?;
        read.extend_from_slice(part.get(..count)?);
        let text = String::from_utf8_lossy(&read);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .to_lowercase()
            .lines()
            .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if body.len() >= length.unwrap_or(0) {
            return Some((head.to_owned(), body.to_owned()));
        }
    }
}

/// What the service behind `path` says when it takes a notice.
fn good(path: &str) -> String {
    match path {
        "/slack" => answer("200 OK", "", "ok"),
        "/ntfy" => answer("200 OK", "", "{\"id\":\"Xk1\",\"event\":\"message\"}"),
        "/teams" | "/pagerduty" => answer("202 Accepted", "", ""),
        _ => answer("200 OK", "", ""),
    }
}

fn answer(status: &str, more: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{more}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// A mail relay on loopback; killed when dropped.
pub struct Relay {
    child: Child,
    /// Where it listens.
    pub port: u16,
    /// The authority of its certificate, PEM.
    pub ca: PathBuf,
    mails: Arc<Mutex<Vec<Value>>>,
}

impl Relay {
    /// One with a certificate for `localhost`, whose files go to `dir`; without `starttls` it does
    /// not offer it.
    ///
    /// # Panics
    ///
    /// Panics if it does not start.
    #[must_use]
    pub fn start(dir: &Path, starttls: bool) -> Self {
        let path = |name: &str| dir.join(name);
        let (ca, ca_key) = (path("ca.crt"), path("ca.key"));
        let (leaf, leaf_key) = (path("leaf.crt"), path("leaf.key"));
        certificate(&ca, &ca_key, &["-subj", "/CN=a test's authority"], None);
        let leaf_is = [
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ];
        certificate(&leaf, &leaf_key, &leaf_is, Some((&ca, &ca_key)));
        let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools").join("mail-sink");
        let mut command = Command::new(tool);
        if starttls {
            command.arg(&leaf).arg(&leaf_key);
        }
        let mut child =
            command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().expect("python3");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let port = lines.next().expect("a line").expect("text").parse().expect("a port");
        let mails: Arc<Mutex<Vec<Value>>> = Arc::default();
        let kept = Arc::clone(&mails);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mail = serde_json::from_str(&line).expect("JSON");
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(mail);
            }
        });
        Self { child, port, ca, mails }
    }

    /// Everything that was sent so far.
    #[must_use]
    pub fn mails(&self) -> Vec<Value> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn certificate(out: &Path, key: &Path, more: &[&str], by: Option<(&Path, &Path)>) {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    command.args(["-nodes", "-days", "2", "-keyout"]).arg(key).arg("-out").arg(out).args(more);
    if let Some((ca, ca_key)) = by {
        command.arg("-CA").arg(ca).arg("-CAkey").arg(ca_key);
    }
    let made = command.output().expect("openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
