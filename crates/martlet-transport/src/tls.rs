//! TLS for listeners: certificates from files, exchanged without a restart, and a certificate
//! for development.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// How long a development certificate is valid. Browsers accept the hash of a certificate in
/// place of a known issuer only if it is valid for at most 14 days.
const DEVELOPMENT_DAYS: u64 = 13;

/// Why there is no TLS.
#[derive(Debug, Error)]
pub enum TlsFault {
    /// A file could not be read, or holds no PEM of the right kind.
    #[error("{path} holds no {what} in PEM: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// What went wrong.
        error: pem::Error,
    },
    /// Certificate and key do not go together, or are of a kind that is not supported.
    #[error("the certificate and the key cannot be used together: {0}")]
    Unusable(#[from] rustls::Error),
    /// A development certificate could not be made.
    #[error("the development certificate could not be made: {0}")]
    Making(#[from] rcgen::Error),
}

/// A certificate and its key in two files, and the configuration that uses them.
#[derive(Debug)]
pub struct Tls {
    /// The certificate and the key; `None` if they were made for this process.
    files: Option<(PathBuf, PathBuf)>,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

impl Tls {
    /// TLS 1.2 and 1.3 with the certificate chain and the key in these PEM files.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsFault> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let first = read_files(certificate, key, &provider)?;
        let current = Arc::new(Current(RwLock::new(Arc::new(first))));
        let config = server_config(current.clone(), provider)?;
        let files = Some((certificate.into(), key.into()));
        Ok(Self { files, current, config })
    }

    /// The same with a certificate that was made for this process.
    pub fn development(made: &DevelopmentCertificate) -> Result<Self, TlsFault> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let fault = |what| move |error| TlsFault::File { path: "development".into(), what, error };
        let certificate = CertificateDer::from_pem_slice(made.cert_pem.as_bytes());
        let chain = vec![certificate.map_err(fault("certificate"))?];
        let key = PrivateKeyDer::from_pem_slice(made.key_pem.as_bytes());
        let key = key.map_err(fault("private key"))?;
        let certified = CertifiedKey::from_der(chain, key, &provider)?;
        let current = Arc::new(Current(RwLock::new(Arc::new(certified))));
        let config = server_config(current.clone(), provider)?;
        Ok(Self { files: None, current, config })
    }

    /// The configuration, which follows every reload.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// Reads the files again. New connections get the new certificate; if there is anything wrong
    /// with it, they go on getting the old one.
    pub fn reload(&self) -> Result<(), TlsFault> {
        let Some((certificate, key)) = &self.files else { return Ok(()) };
        let provider = self.config.crypto_provider();
        let new = Arc::new(read_files(certificate, key, provider)?);
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }
}

/// The certificate in use.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn server_config(
    current: Arc<Current>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<ServerConfig>, TlsFault> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(current);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Tickets instead of a cache: a client that comes back brings its session along. One is
    // enough for a client with one connection.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config))
}

fn read_files(
    certificate: &Path,
    key: &Path,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsFault> {
    let chain = read_chain(certificate).map_err(|error| TlsFault::File {
        path: certificate.into(),
        what: "certificate",
        error,
    })?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| TlsFault::File {
        path: key.into(),
        what: "private key",
        error,
    })?;
    Ok(CertifiedKey::from_der(chain, key, provider)?)
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let chain = CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>()?;
    if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) }
}

/// A certificate that nobody vouches for, and its key.
#[derive(Debug, Clone)]
pub struct DevelopmentCertificate {
    /// The certificate.
    pub cert_pem: String,
    /// Its key. A secret.
    pub key_pem: String,
    /// The hash of the certificate, by which a page can tell a browser to trust it.
    pub sha256: [u8; 32],
}

/// Makes a certificate for these names or addresses (ECDSA P-256, valid for 13 days).
pub fn development_certificate(names: &[String]) -> Result<DevelopmentCertificate, TlsFault> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "martlet development");
    // A minute of the past, for clients whose clock is a little slow.
    let start = SystemTime::now() - Duration::from_secs(60);
    params.not_before = start.into();
    params.not_after = (start + Duration::from_secs(DEVELOPMENT_DAYS * 24 * 60 * 60)).into();
    let certificate = params.self_signed(&key)?;
    Ok(DevelopmentCertificate {
        cert_pem: certificate.pem(),
        key_pem: key.serialize_pem(),
        sha256: Sha256::digest(certificate.der()).into(),
    })
}

#[cfg(test)]
mod tests;
