//! Encryption: certificates from files and for development, both transports and both versions of
//! HTTP over it, and certificates exchanged while the node runs.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use martlet_client::{
    Client, Error, Fingerprint, Message, Options, SubscribeOptions, SubscriptionEvent, Tls,
    Transport,
};
use martlet_server::config::Config;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::node::{TestNode, soon};

mod looking;

use looking::shown;

/// A certificate for this machine and its key, in files; answers the certificate.
fn write_certificate(folder: &Path) -> Vec<u8> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    std::fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().to_vec()
}

/// A node with a certificate from files in a folder of its own.
fn with_files() -> (TestNode, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    write_certificate(folder.path());
    let node = TestNode::open(|options| {
        options.server.tls.certificate = Some(folder.path().join("certificate.pem"));
        options.server.tls.key = Some(folder.path().join("key.pem"));
    });
    (node, folder)
}

/// A connection by someone who believes the certificate in a file, and what else is shown.
async fn shake(
    node: &TestNode,
    believed: &Path,
    alpn: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(believed).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let mut config = builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let socket = TcpStream::connect(node.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    soon("a handshake", TlsConnector::from(Arc::new(config)).connect(name, socket)).await
}

/// What a connection gets for `/health`.
async fn health(stream: TlsStream<TcpStream>, http2: bool) -> (Version, u16) {
    let io = TokioIo::new(stream);
    let request = Request::builder().uri("https://localhost/health").header("host", "localhost");
    let request = request.body(Empty::<Bytes>::new()).unwrap();
    let response = match http2 {
        true => {
            let (mut sender, connection) =
                http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        }
        false => {
            let (mut sender, connection) = http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await.unwrap()
        }
    };
    let (parts, body) = response.into_parts();
    body.collect().await.unwrap();
    (parts.version, parts.status.as_u16())
}

/// Follows and publishes over one client.
async fn works(url: &str, transport: Transport, tls: Tls) {
    let options = Options { transport, tls, ..Options::default() };
    let client = Client::connect(url, options).unwrap();
    let mut followed = client.subscribe("a", SubscribeOptions::default()).await.unwrap();
    let begun = soon("the beginning", followed.next()).await;
    assert!(matches!(begun, Some(SubscriptionEvent::Subscribed(_))), "{begun:?}");
    let message = Message::json(&"hello").unwrap();
    let appended = soon("a receipt", client.publish("a", message)).await.unwrap();
    let came = soon("the publication", followed.publication()).await.unwrap();
    assert_eq!(came.position, appended.position);
    client.close().await;
}

#[tokio::test]
async fn both_transports_work_with_a_certificate_from_files() {
    let (node, folder) = with_files();
    assert!(node.url().starts_with("https://"));
    let url = format!("https://localhost:{}", node.address.port());
    let authorities = Some(folder.path().join("certificate.pem"));
    for transport in [Transport::WebSocket, Transport::Sse] {
        let tls = Tls { authorities: authorities.clone(), ..Tls::default() };
        works(&url, transport, tls).await;
    }
}

#[tokio::test]
async fn the_version_of_http_is_agreed_on_in_the_handshake() {
    let (node, folder) = with_files();
    let believed = folder.path().join("certificate.pem");
    for (alpn, http2) in
        [(&["h2"][..], true), (&["http/1.1"], false), (&[], false), (&["http/1.1", "h2"], true)]
    {
        let stream = shake(&node, &believed, alpn).await.unwrap();
        let agreed = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
        let expected = if http2 { "h2" } else { "http/1.1" };
        assert_eq!(agreed.is_none(), alpn.is_empty());
        if let Some(agreed) = agreed {
            assert_eq!(agreed, expected.as_bytes());
        }
        let version = if http2 { Version::HTTP_2 } else { Version::HTTP_11 };
        assert_eq!(health(stream, http2).await, (version, 200));
    }
}

#[tokio::test]
async fn a_development_certificate_is_believed_by_its_fingerprint_alone() {
    let node = TestNode::open(|options| options.server.tls.development = true);
    let fingerprint = Fingerprint::of(&shown(&node).await);
    let pinned = Tls { fingerprint: Some(fingerprint), ..Tls::default() };
    for transport in [Transport::WebSocket, Transport::Sse] {
        works(&node.url(), transport, pinned.clone()).await;
    }
    let message = Message::json(&1).unwrap();
    let unbelieved = soon("an error", node.api(None).publish("a", message)).await.unwrap_err();
    assert!(matches!(unbelieved, Error::Tls(_) | Error::Unreachable { .. }), "{unbelieved:?}");
}

#[tokio::test]
async fn a_certificate_is_exchanged_while_the_node_runs() {
    let (node, folder) = with_files();
    let believed = folder.path().join("certificate.pem");
    let old = folder.path().join("old.pem");
    std::fs::copy(&believed, &old).unwrap();
    let before = shake(&node, &old, &["http/1.1"]).await.unwrap();

    let new = write_certificate(folder.path());
    assert_ne!(shown(&node).await, new, "files alone change nothing");
    node.node().reload_certificate().unwrap();
    assert_eq!(shown(&node).await, new);
    assert!(shake(&node, &old, &["h2"]).await.is_err());
    let after = shake(&node, &believed, &["h2"]).await.unwrap();
    assert_eq!(health(after, true).await.1, 200);
    assert_eq!(health(before, false).await.1, 200, "what was there goes on");

    std::fs::write(&believed, "no certificate").unwrap();
    let fault = node.node().reload_certificate().unwrap_err();
    assert!(fault.to_string().contains("certificate.pem"), "{fault}");
    assert_eq!(shown(&node).await, new, "the good one stays");
}

#[tokio::test]
async fn whoever_speaks_plainly_to_an_encrypted_port_is_let_go() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (node, _folder) = with_files();
    let mut socket = TcpStream::connect(node.address).await.unwrap();
    socket.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut bytes = Vec::new();
    // An error is an end too.
    let _ = soon("the end", socket.read_to_end(&mut bytes)).await;
    assert!(!bytes.starts_with(b"HTTP/"), "{bytes:?}");
}

#[test]
fn a_certificate_that_cannot_be_used_is_no_start() {
    let folder = tempfile::tempdir().unwrap();
    write_certificate(folder.path());
    std::fs::write(folder.path().join("key.pem"), "no key").unwrap();
    let mut config = Config::development();
    config.options.server.listen = vec![([127, 0, 0, 1], 0).into()];
    config.options.server.tls.certificate = Some(folder.path().join("certificate.pem"));
    config.options.server.tls.key = Some(folder.path().join("key.pem"));
    let started = martlet_server::node::Node::start(&config.check().unwrap());
    let fault = started.err().unwrap().to_string();
    assert!(fault.contains("key.pem"), "{fault}");
}
