//! Certificates are read, exchanged, and kept when the new ones are no good.

use std::fs;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConnection};

use super::*;

struct Files {
    _directory: tempfile::TempDir,
    cert: PathBuf,
    key: PathBuf,
}

fn names() -> Vec<String> {
    vec!["localhost".into(), "127.0.0.1".into()]
}

impl Files {
    fn new(certificate: &DevelopmentCertificate) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let cert = directory.path().join("cert.pem");
        let key = directory.path().join("key.pem");
        let files = Self { _directory: directory, cert, key };
        files.write(certificate);
        files
    }

    fn write(&self, certificate: &DevelopmentCertificate) {
        fs::write(&self.cert, &certificate.cert_pem).expect("room");
        fs::write(&self.key, &certificate.key_pem).expect("room");
    }
}

/// The hash of the certificate that a new client is shown, by a handshake in memory.
fn shown(config: Arc<ServerConfig>, trusted: &DevelopmentCertificate) -> Option<[u8; 32]> {
    let mut roots = RootCertStore::empty();
    let der = CertificateDer::from_pem_slice(trusted.cert_pem.as_bytes()).expect("PEM");
    roots.add(der).expect("a certificate");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let mut client = ClientConnection::new(Arc::new(client), name).expect("a client");
    let mut server = ServerConnection::new(config).expect("a server");
    for _ in 0..10 {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).expect("memory");
        }
        server.read_tls(&mut bytes.as_slice()).expect("memory");
        server.process_new_packets().ok()?;
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).expect("memory");
        }
        let mut bytes = bytes.as_slice();
        while !bytes.is_empty() {
            client.read_tls(&mut bytes).expect("memory");
            client.process_new_packets().ok()?;
        }
    }
    let certificate = &client.peer_certificates()?[0];
    Some(Sha256::digest(certificate).into())
}

#[test]
fn a_new_certificate_is_shown_after_a_reload() {
    let old = development_certificate(&names()).expect("a certificate");
    let new = development_certificate(&names()).expect("a certificate");
    let files = Files::new(&old);
    let tls = Tls::from_files(&files.cert, &files.key).expect("good files");
    assert_eq!(shown(tls.config(), &old), Some(old.sha256));
    assert_eq!(shown(tls.config(), &new), None);
    files.write(&new);
    assert_eq!(shown(tls.config(), &old), Some(old.sha256));
    tls.reload().expect("good files");
    assert_eq!(shown(tls.config(), &new), Some(new.sha256));
}

#[test]
fn a_bad_certificate_leaves_the_old_one() {
    let old = development_certificate(&names()).expect("a certificate");
    let other = development_certificate(&names()).expect("a certificate");
    let files = Files::new(&old);
    let tls = Tls::from_files(&files.cert, &files.key).expect("good files");
    fs::write(&files.key, &other.key_pem).expect("room");
    assert!(matches!(tls.reload(), Err(TlsFault::Unusable(_))));
    fs::write(&files.cert, "no certificate").expect("room");
    let fault = tls.reload().expect_err("no certificate");
    assert!(fault.to_string().contains("cert.pem holds no certificate"), "{fault}");
    fs::remove_file(&files.cert).expect("it was there");
    assert!(matches!(tls.reload(), Err(TlsFault::File { .. })));
    assert_eq!(shown(tls.config(), &old), Some(old.sha256));
}

#[test]
fn a_development_certificate_is_one_that_browsers_take_by_its_hash() {
    let made = development_certificate(&names()).expect("a certificate");
    let der = CertificateDer::from_pem_slice(made.cert_pem.as_bytes()).expect("PEM");
    assert_eq!(made.sha256, <[u8; 32]>::from(Sha256::digest(&der)));
    assert!(development_certificate(&["mårtlet".into()]).is_err());
}
