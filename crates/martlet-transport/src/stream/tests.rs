//! Streams over real sockets, plain and TLS: nothing is lost, nobody waits inside a call.

use std::rc::Rc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::*;
use crate::tls::{Tls, development_certificate};

trait Client: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Client for T {}

async fn sockets() -> (TcpStream, std::net::TcpStream) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    let server = accepted.expect("a connection").0.into_std().expect("a socket");
    (client.expect("a connection"), server)
}

async fn plain() -> (Box<dyn Client>, Stream) {
    let (client, server) = sockets().await;
    let stream = Stream::plain(server, &SocketOptions::default()).expect("a socket");
    // A new socket is not known to take anything until the runtime has looked.
    stream.writable().await.expect("it is connected");
    (Box::new(client), stream)
}

async fn tls() -> (Box<dyn Client>, Stream) {
    let (client, server) = sockets().await;
    let (config, connector) = configs();
    let name = ServerName::try_from("localhost").expect("a name");
    let connecting = connector.connect(name, client);
    let (client, stream) = tokio::join!(connecting, encrypted(server, config));
    (Box::new(client.expect("a trusted server")), stream.expect("a handshake"))
}

async fn encrypted(server: std::net::TcpStream, config: Arc<ServerConfig>) -> io::Result<Stream> {
    Stream::plain(server, &SocketOptions::default())?.encrypted(config).await
}

fn configs() -> (Arc<ServerConfig>, tokio_rustls::TlsConnector) {
    let made = development_certificate(&["localhost".into()]).expect("a certificate");
    let directory = tempfile::tempdir().expect("a directory");
    let (cert, key) = (directory.path().join("cert"), directory.path().join("key"));
    std::fs::write(&cert, &made.cert_pem).expect("room");
    std::fs::write(&key, &made.key_pem).expect("room");
    let tls = Tls::from_files(&cert, &key).expect("good files");
    let mut roots = RootCertStore::empty();
    let der = CertificateDer::from_pem_slice(made.cert_pem.as_bytes()).expect("PEM");
    roots.add(der).expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    (tls.config(), Arc::new(client).into())
}

async fn read(stream: &Stream, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.try_read(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.readable().await?,
            done => return done,
        }
    }
}

/// Writes until the socket takes no more; returns how much it took.
fn fill(stream: &Stream, pattern: &[u8]) -> usize {
    let mut taken = 0;
    loop {
        let start = taken % pattern.len();
        let slices = [IoSlice::new(&pattern[start..]), IoSlice::new(&pattern[..start])];
        match stream.try_write(&slices) {
            Ok(count) => taken += count,
            Err(error) => {
                assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                return taken;
            }
        }
        assert!(taken < 1 << 30, "a socket takes no more than its buffers");
    }
}

fn pattern() -> Vec<u8> {
    (0..100_003u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

async fn echo_and_end((mut client, stream): (Box<dyn Client>, Stream)) {
    let nothing = stream.try_read(&mut [0; 10]).expect_err("nothing was sent");
    assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    client.write_all(b"hello").await.expect("it reads");
    client.flush().await.expect("it reads");
    let mut bytes = [0; 3];
    assert_eq!(read(&stream, &mut bytes).await.expect("sent"), 3);
    // What did not fit is still there, and nobody has to wait for the socket to get it.
    stream.readable().await.expect("it is connected");
    assert_eq!(read(&stream, &mut bytes).await.expect("sent"), 2);
    let slices = [IoSlice::new(b"wor"), IoSlice::new(b"ld")];
    assert_eq!(stream.try_write(&slices).expect("an empty socket"), 5);
    let mut answer = [0; 5];
    client.read_exact(&mut answer).await.expect("sent");
    assert_eq!(&answer, b"world");
    stream.shutdown();
    assert_eq!(client.read(&mut answer).await.expect("ended"), 0);
    client.shutdown().await.expect("it reads");
    assert_eq!(read(&stream, &mut bytes).await.expect("ended"), 0);
    stream.closed().await;
}

#[tokio::test]
async fn a_plain_stream_echoes_and_ends() {
    echo_and_end(plain().await).await;
}

#[tokio::test]
async fn a_tls_stream_echoes_and_ends() {
    let pair = tls().await;
    assert_eq!(pair.1.alpn().as_deref(), Some(&b"http/1.1"[..]));
    echo_and_end(pair).await;
}

/// A client that does not read costs `WouldBlock`, and gets everything once it reads again.
async fn slow_reader((mut client, stream): (Box<dyn Client>, Stream)) {
    let pattern = pattern();
    let stream = Rc::new(stream);
    let mut taken = fill(&stream, &pattern);
    assert!(taken > 0);
    let mut seen = 0;
    let mut bytes = vec![0; 64 * 1024];
    for _ in 0..3 {
        // Room comes only from the client's reading, which goes on beside the waiting.
        let waiting = stream.clone();
        let writable = async move { waiting.writable().await.expect("it is connected") };
        let mut writable = std::pin::pin!(writable);
        loop {
            tokio::select! {
                biased;
                () = &mut writable => break,
                count = client.read(&mut bytes) => {
                    let count = count.expect("sent");
                    check(&bytes[..count], &pattern, seen);
                    seen += count;
                }
            }
        }
        let start = taken % pattern.len();
        let again = [&pattern[start..], &pattern[..start]].concat();
        taken += fill(&stream, &again);
    }
    stream.shutdown();
    // With TLS the last sealed bytes are sent by whoever waits for reading.
    let waiting = stream.clone();
    let last = async move {
        while waiting.readable().await.is_ok() {
            if waiting.try_read(&mut [0; 9]).is_ok_and(|count| count == 0) {
                break;
            }
        }
    };
    let rest = async {
        loop {
            let count = client.read(&mut bytes).await.expect("sent");
            if count == 0 {
                break;
            }
            check(&bytes[..count], &pattern, seen);
            seen += count;
        }
        client.shutdown().await.expect("it reads");
    };
    tokio::join!(last, rest);
    assert_eq!(seen, taken);
}

fn check(bytes: &[u8], pattern: &[u8], offset: usize) {
    let expected = pattern.iter().cycle().skip(offset % pattern.len());
    assert!(bytes.iter().zip(expected).all(|(one, two)| one == two), "wrong bytes near {offset}");
}

#[tokio::test]
async fn a_slow_reader_of_a_plain_stream_loses_nothing() {
    slow_reader(plain().await).await;
}

#[tokio::test]
async fn a_slow_reader_of_a_tls_stream_loses_nothing() {
    slow_reader(tls().await).await;
}

/// The reader's task is waiting already when a write leaves sealed bytes behind.
#[tokio::test]
async fn what_tls_owes_is_sent_by_the_task_that_waits_for_reading() {
    let (mut client, stream) = tls().await;
    let stream = Rc::new(stream);
    let reader = stream.clone();
    let local = tokio::task::LocalSet::new();
    local.spawn_local(async move { read(&reader, &mut [0; 9]).await });
    let test = async {
        // Lets the other task begin to wait.
        tokio::task::yield_now().await;
        let pattern = pattern();
        let taken = fill(&stream, &pattern);
        assert!(stream.secure.as_ref().is_some_and(|secure| secure.owes()));
        let mut bytes = vec![0; taken];
        let reading = client.read_exact(&mut bytes);
        tokio::time::timeout(Duration::from_secs(5), reading)
            .await
            .expect("all of it is sent")
            .expect("it is connected");
        check(&bytes, &pattern, 0);
        drop(client);
    };
    local.run_until(test).await;
}

#[tokio::test]
async fn what_tls_has_opened_is_readable_without_the_socket() {
    let (mut client, stream) = tls().await;
    client.write_all(b"hello").await.expect("it reads");
    client.flush().await.expect("it reads");
    assert_eq!(read(&stream, &mut [0; 2]).await.expect("sent"), 2);
    // Makes the runtime forget that the socket had something.
    let nothing = stream.socket.try_read(&mut [0; 1]).expect_err("all was taken in");
    assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    let readable = tokio::time::timeout(Duration::from_secs(5), stream.readable()).await;
    readable.expect("there is more").expect("it is connected");
    assert_eq!(stream.try_read(&mut [0; 9]).expect("there is more"), 3);
}

#[tokio::test]
async fn a_tls_stream_ends_tls_and_then_the_socket() {
    let (client, server) = sockets().await;
    let (config, connector) = configs();
    let name = ServerName::try_from("localhost").expect("a name");
    let connecting = connector.connect(name, client);
    let (client, stream) = tokio::join!(connecting, encrypted(server, config));
    let (mut client, stream) = (client.expect("a trusted server"), stream.expect("a handshake"));
    stream.shutdown();
    let ended = tokio::time::timeout(Duration::from_secs(5), async {
        assert_eq!(client.read(&mut [0; 9]).await.expect("TLS ends properly"), 0);
        client.get_mut().0.read(&mut [0; 9]).await
    });
    assert_eq!(ended.await.expect("the socket ends").expect("properly"), 0);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_given_up_by_the_kernel() {
    let (_client, server) = sockets().await;
    let options = SocketOptions { user_timeout: Duration::from_millis(300), ..Default::default() };
    let stream = Stream::plain(server, &options).expect("a socket");
    stream.writable().await.expect("it is connected");
    fill(&stream, &pattern());
    let gone = tokio::time::timeout(Duration::from_secs(20), read(&stream, &mut [0; 9])).await;
    let error = gone.expect("it is given up").expect_err("the client sent nothing");
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn no_tls_on_a_tls_port_is_an_error() {
    let (mut client, server) = sockets().await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.expect("it reads");
    let refused = encrypted(server, configs().0).await;
    assert_eq!(refused.expect_err("not TLS").kind(), io::ErrorKind::InvalidData);
}

#[tokio::test]
async fn a_client_with_nothing_to_say_may_not_say_much() {
    let (mut client, stream) = plain().await;
    let talking = async {
        let noise = vec![0; 10_000];
        // The stream may be gone before all is written.
        while client.write_all(&noise).await.is_ok() {}
    };
    tokio::select! {
        () = stream.closed() => {}
        () = talking => panic!("it was still open"),
    }
}

async fn rewound((mut client, stream): (Box<dyn Client>, Stream)) {
    let mut rewind = Rewind::new(stream, b"already ".to_vec());
    client.write_all(b"read").await.expect("it reads");
    client.flush().await.expect("it reads");
    let mut bytes = [0; 12];
    rewind.read_exact(&mut bytes[..3]).await.expect("it is there");
    rewind.read_exact(&mut bytes[3..]).await.expect("it is there");
    assert_eq!(&bytes, b"already read");
    let pattern = pattern();
    let writing = async {
        rewind.write_all(&pattern).await.expect("it reads");
        rewind.shutdown().await.expect("it reads");
    };
    let mut seen = Vec::new();
    let (read, ()) = tokio::join!(client.read_to_end(&mut seen), writing);
    assert_eq!(read.expect("sent"), pattern.len());
    assert!(seen == pattern);
}

#[tokio::test]
async fn a_rewound_stream_replays_and_then_goes_on() {
    rewound(plain().await).await;
    rewound(tls().await).await;
}

#[tokio::test]
async fn what_was_not_replayed_is_given_back() {
    let (_client, stream) = plain().await;
    let mut rewind = Rewind::new(stream, b"abc".to_vec());
    rewind.read_exact(&mut [0; 1]).await.expect("it is there");
    assert_eq!(rewind.into_parts().1, b"bc");
}

/// A reader that always finds something still lets others have a turn.
#[tokio::test]
async fn whoever_reads_a_flood_is_interrupted() {
    let (mut client, stream) = plain().await;
    let mut rewind = Rewind::new(stream, Vec::new());
    let flooding = async {
        // The stream is gone before all is written.
        while client.write_all(&[0; 16 * 1024]).await.is_ok() {}
    };
    let turns = std::cell::Cell::new(0);
    let others = async {
        loop {
            turns.set(turns.get() + 1);
            tokio::task::yield_now().await;
        }
    };
    let reading = async {
        for _ in 0..1_000 {
            rewind.read_exact(&mut [0; 1024]).await.expect("there is always more");
        }
    };
    tokio::select! {
        () = reading => {}
        () = flooding => {}
        () = others => {}
    }
    assert!(turns.get() >= 1_000 / 32 - 1, "the others had {} turns", turns.get());
}
