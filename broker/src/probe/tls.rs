//! Whom the probes trust: the system's authorities, or a file's instead.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

/// Largest file of authorities: the system's own bundle has some 200 KiB.
const CA_MAX_BYTES: u64 = 1024 * 1024;

/// A file of authorities that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the authorities in {} cannot be used: {what}", path.display())]
pub struct CaError {
    path: PathBuf,
    what: String,
}

/// TLS as the probes speak it: verified like everybody else's.
pub(super) fn config(ca_file: Option<&Path>) -> Result<ClientConfig, CaError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        Some(path) => {
            let unusable = |what: String| CaError { path: path.to_owned(), what };
            for certificate in read(path).map_err(unusable)? {
                roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let path = ca_file.unwrap_or(Path::new("the system")).to_owned();
    let builder = versions.map_err(|error| CaError { path, what: error.to_string() })?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut pem = Vec::new();
    file.take(CA_MAX_BYTES).read_to_end(&mut pem).map_err(|error| error.to_string())?;
    let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(|error| error.to_string())?;
    if certificates.is_empty() {
        return Err("there is no certificate in it".to_owned());
    }
    Ok(certificates)
}

impl CaError {
    /// The client could not be made of it.
    pub(super) fn of_client(ca_file: Option<&Path>, error: &reqwest::Error) -> Self {
        let path = ca_file.unwrap_or(Path::new("the system")).to_owned();
        Self { path, what: crate::report::chain(error) }
    }
}
