//! Accepting goes on through everything but the order to stop.

use std::io::Read;
use std::process::Command;
use std::time::Instant;

use tokio::sync::oneshot;

use super::*;

const ANY: &str = "127.0.0.1:0";
/// Set for the child process whose descriptors run out.
const CHILD: &str = "MARTLET_TEST_FEW_DESCRIPTORS";

fn listener() -> (TcpListener, SocketAddr) {
    let listener = bind(ANY.parse().expect("an address"), 16).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

#[tokio::test]
async fn connections_are_handed_over_until_the_stop() {
    let (listener, address) = listener();
    let (stop, stopped) = oneshot::channel::<()>();
    let (send, mut accepted) = tokio::sync::mpsc::unbounded_channel();
    let listener = tokio::net::TcpListener::from_std(listener).expect("it does not block");
    let accepting = accept(
        &listener,
        move |socket, peer| send.send((socket, peer)).expect("the test waits"),
        async { stopped.await.expect("the test says when") },
    );
    let connecting = async {
        for _ in 0..3 {
            let client = tokio::net::TcpStream::connect(address).await.expect("it listens");
            let (mut socket, peer) = accepted.recv().await.expect("it accepts");
            assert_eq!(peer, client.local_addr().expect("it is connected"));
            let nothing = socket.read(&mut [0; 1]).expect_err("nothing was sent");
            assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        }
        stop.send(()).expect("it still accepts");
    };
    tokio::join!(accepting, connecting);
    // Whoever comes now waits for the next who accepts.
    let mut waiting = std::net::TcpStream::connect(address).expect("it is still bound");
    let (send, accepted) = oneshot::channel();
    let mut send = Some(send);
    let on_accept = |socket, peer| drop(send.take().map(|send| send.send((socket, peer))));
    let (stop, stopped) = oneshot::channel::<()>();
    let accepting = accept(&listener, on_accept, async { drop(stopped.await) });
    let served = async {
        let (mut socket, peer) = accepted.await.expect("it is accepted");
        assert_eq!(peer, waiting.local_addr().expect("it is connected"));
        io::Write::write_all(&mut socket, b"1").expect("it is served");
        drop(stop);
    };
    tokio::join!(accepting, served);
    waiting.read_exact(&mut [0; 1]).expect("it was served");
    drop(listener);
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn only_a_listener_of_tcp_is_adopted() {
    let (listener, address) = listener();
    let shared = adopt(listener.try_clone().expect("it is shared")).expect("a listener");
    assert_eq!(shared.local_addr().expect("it is bound"), address);
    let refused = |socket: Socket, why: &str| {
        let error = adopt(socket.into()).expect_err("not a listener");
        assert_eq!(error.to_string(), why);
    };
    let bound = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    refused(bound, "nobody listens on it");
    let datagrams = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a socket");
    refused(datagrams, "it is not one of TCP");
    let local = std::os::unix::net::UnixDatagram::unbound().expect("a socket");
    refused(Socket::from(std::os::fd::OwnedFd::from(local)), "it is not one of TCP");
}

#[test]
fn an_address_in_use_is_told() {
    let (_listener, address) = listener();
    assert_eq!(bind(address, 16).expect_err("in use").kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn errors_of_one_connection_do_not_pause() {
    for code in [libc::ECONNABORTED, libc::EINTR, libc::EPROTO] {
        assert!(!has_run_out(&io::Error::from_raw_os_error(code)));
    }
    for code in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM] {
        assert!(has_run_out(&io::Error::from_raw_os_error(code)));
    }
}

/// Descriptors are counted for each process, so this needs one of its own.
#[test]
fn running_out_of_descriptors_pauses_and_passes() {
    let name = "listen::tests::child_with_few_descriptors";
    let program = std::env::current_exe().expect("this test is a program");
    let output = Command::new(program)
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("the child runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test]
async fn child_with_few_descriptors() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let (listener, address) = listener();
    let client = std::net::TcpStream::connect(address).expect("it listens");
    let mut hoard = Vec::new();
    allow_descriptors(64);
    while let Ok(file) = std::fs::File::open("/dev/null") {
        hoard.push(file);
    }
    let (send, accepted) = oneshot::channel();
    let mut send = Some(send);
    let start = Instant::now();
    let cpu = cpu_time();
    let freeing = async {
        tokio::time::sleep(PAUSE * 3).await;
        assert!(cpu_time() - cpu < PAUSE, "accepting spins");
        hoard.clear();
        accepted.await.expect("it accepts again");
    };
    let on_accept = |socket, _| {
        if let Some(send) = send.take() {
            send.send(socket).expect("the test waits");
        }
    };
    let listener = tokio::net::TcpListener::from_std(listener).expect("it does not block");
    accept(&listener, on_accept, freeing).await;
    assert!(start.elapsed() >= PAUSE * 3);
    drop(client);
}

fn allow_descriptors(count: u64) {
    let limit = libc::rlimit { rlim_cur: count, rlim_max: count };
    // SAFETY: the call reads the limit that it is given and nothing else.
    let outcome = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    assert_eq!(outcome, 0);
}

fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes the time where it is told to and nothing else.
    let outcome = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(outcome, 0);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}
