//! Which certificates are believed, over both transports and the API.

use std::sync::Arc;
use std::time::Duration;

use martlet_client::{Api, ApiOptions, Client, Error, Fingerprint, Options, State, Tls, Transport};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A server with a certificate of its own that answers every request with an error of martlet's.
async fn secure() -> (String, rcgen::CertifiedKey<rcgen::KeyPair>) {
    let certificate = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut socket) = acceptor.accept(socket).await else { return };
                let mut request = vec![0; 4096];
                let _ = socket.read(&mut request).await;
                let _ = socket.write_all(ANSWER.as_bytes()).await;
                let _ = socket.shutdown().await;
            });
        }
    });
    (url, certificate)
}

const ANSWER: &str = concat!(
    "HTTP/1.1 403 Forbidden\r\nconnection: close\r\ncontent-length: 64\r\n\r\n",
    r#"{"code":1109,"name":"origin_denied","message":"Seen.","hint":""}"#,
);

/// What each way of reaching the server comes to.
async fn reached(url: &str, tls: &Tls) -> Vec<Error> {
    let options = ApiOptions { tls: tls.clone(), ..ApiOptions::default() };
    let api = Api::with(url, None, options).unwrap();
    let mut errors = vec![api.presence("a").await.unwrap_err()];
    for transport in [Transport::WebSocket, Transport::Sse] {
        let backoff_min = Duration::from_secs(60);
        let backoff_max = backoff_min;
        let tls = tls.clone();
        let options = Options { tls, transport, backoff_min, backoff_max, ..Options::default() };
        let client = Client::connect(url, options).unwrap();
        let mut states = client.states();
        while let Some(state) = states.next().await {
            if let State::Disconnected { why, .. } = state {
                errors.push(why);
                break;
            }
        }
    }
    assert_eq!(errors.len(), 3);
    errors
}

fn seen(errors: &[Error]) -> bool {
    errors.iter().all(|error| error.to_string() == "Seen.")
}

#[tokio::test]
async fn a_strange_certificate_is_not_believed() {
    let (url, _) = secure().await;
    for error in reached(&url, &Tls::default()).await {
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn an_authority_of_the_users_own_is_believed() {
    let (url, certificate) = secure().await;
    let file = std::env::temp_dir().join(format!("martlet-authority-{}.pem", std::process::id()));
    std::fs::write(&file, certificate.cert.pem()).unwrap();
    let tls = Tls { authorities: Some(file.clone()), ..Tls::default() };
    let errors = reached(&url, &tls).await;
    std::fs::remove_file(file).unwrap();
    assert!(seen(&errors), "{errors:?}");
}

#[tokio::test]
async fn one_certificate_is_believed_by_its_fingerprint_and_no_other() {
    let (url, certificate) = secure().await;
    let fingerprint = Fingerprint::of(certificate.cert.der());
    let read = Fingerprint::parse(&fingerprint.to_string()).unwrap();
    let errors = reached(&url, &Tls { fingerprint: Some(read), ..Tls::default() }).await;
    assert!(seen(&errors), "{errors:?}");

    let other = Some(Fingerprint::of(b"another"));
    for error in reached(&url, &Tls { fingerprint: other, ..Tls::default() }).await {
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    }
}

#[test]
fn settings_that_cannot_be_used_are_refused() {
    for text in ["", "abc", &"g".repeat(64), &"a".repeat(63)] {
        assert!(Fingerprint::parse(text).is_err(), "{text:?} was taken");
    }
    let tls = Tls { authorities: Some("/does/not/exist.pem".into()), ..Tls::default() };
    let options = ApiOptions { tls, ..ApiOptions::default() };
    let error = Api::with("https://localhost", None, options).unwrap_err();
    assert!(error.to_string().contains("/does/not/exist.pem"), "{error}");
}
