//! Mail through one's own relay: STARTTLS or nothing, plain text, marked as automatic.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use breakglass_ledger::time::Timestamp;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Letter};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::http::authorities;
use super::{NotifyError, Trouble};
use crate::notify::config::ChannelConfig;
use crate::notify::notice::Notice;
use crate::notify::secret::Secret;
use crate::notify::words::Message;

/// Time for each step of the conversation.
const STEP_MAX: Duration = Duration::from_secs(5);

pub(super) struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mail {
    pub(super) fn open(
        config: &ChannelConfig,
        host: &str,
        port: u16,
        from: &Mailbox,
        login: Option<&(String, PathBuf)>,
    ) -> Result<Self, NotifyError> {
        let setup = |what: String| NotifyError::Setup { channel: config.name.clone(), what };
        let tls = tls(host, config.ca_file.as_deref())?;
        let tls = tls.map_err(|error| setup(error.to_string()))?;
        // The relay's name is checked in its certificate, so `dangerous` is not what this is: the
        // builder is named for what it does without the line on TLS.
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(port)
            .tls(Tls::Required(tls))
            .timeout(Some(STEP_MAX));
        if let Some((user, file)) = login {
            let password = Secret::read(file)?.reveal().to_owned();
            transport = transport.credentials(Credentials::new(user.clone(), password));
        }
        Ok(Self { transport: transport.build(), from: from.clone() })
    }

    pub(super) async fn deliver(&self, notice: &Notice, now: Timestamp) -> Result<(), Trouble> {
        let letter = letter(notice, &self.from, now)?;
        match self.transport.send(letter).await {
            Ok(_) => Ok(()),
            // The relay's own words may repeat ours, credentials among them.
            Err(error) if error.is_permanent() => {
                let code = error.status().map(|code| code.to_string()).unwrap_or_default();
                Err(Trouble::notice(format!("the relay refuses it ({code})")))
            }
            Err(error) if error.is_tls() => Err(Trouble::channel("STARTTLS failed")),
            Err(error) if error.is_timeout() => Err(Trouble::channel("the relay does not answer")),
            Err(error) => {
                let code = error.status().map(|code| format!(" ({code})")).unwrap_or_default();
                Err(Trouble::channel(format!("the relay cannot be used{code}")))
            }
        }
    }
}

type TlsResult = Result<TlsParameters, lettre::transport::smtp::Error>;

/// TLS to `host` under the authorities of `ca`, or else the system's.
fn tls(host: &str, ca: Option<&Path>) -> Result<TlsResult, NotifyError> {
    let mut tls = TlsParameters::builder(host.to_owned());
    if let Some(path) = ca {
        tls = tls.certificate_store(CertificateStore::None);
        for authority in authorities(path)? {
            match Certificate::from_der(authority.to_vec()) {
                Ok(authority) => tls = tls.add_root_certificate(authority),
                Err(error) => return Ok(Err(error)),
            }
        }
    }
    Ok(tls.build_rustls())
}

fn letter(notice: &Notice, from: &Mailbox, now: Timestamp) -> Result<Letter, Trouble> {
    let no_address = || Trouble::notice("its address is no mail address");
    let to: Address = notice.address.rest().parse().map_err(|_| no_address())?;
    let message = Message::of(notice);
    let date = UNIX_EPOCH.checked_add(Duration::from_secs(now.unix_seconds()));
    Letter::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(message.title.clone())
        .date(date.unwrap_or(UNIX_EPOCH))
        .message_id(Some(format!("<{}@{}>", notice.id, from.email.domain())))
        .header(AutoSubmitted)
        .header(ContentType::TEXT_PLAIN)
        .body(format!("{}\n\n{}\n", message.title, message.body()))
        .map_err(|_| Trouble::notice("it makes no mail"))
}

/// `Auto-Submitted: auto-generated` (RFC 3834, section 5): no vacation notes in return.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
