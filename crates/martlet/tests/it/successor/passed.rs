//! Sockets that are passed in, as systemd does it.

use std::net::{TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::{Command, Output, Stdio};

use super::house::{House, kill, processes, runs, without_variables};
use crate::cluster::http::Ask;
use crate::cluster::process::{Process, free_port, have, local, until};
use crate::cluster::world::CONFIGURATION;
use crate::program::MARTLET;

/// The program with its third descriptor passed in, by the rules: a shell that becomes it.
fn passing(socket: impl Into<OwnedFd>, arguments: &str) -> Command {
    let mut command = Command::new("sh");
    without_variables(&mut command);
    let become_it =
        format!("LISTEN_FDS=1 LISTEN_PID=$$ exec {MARTLET} serve {arguments} 3<&0 0</dev/null");
    command.args(["-c", &become_it]).stdin(Stdio::from(socket.into()));
    command
}

#[tokio::test]
async fn a_passed_socket_is_listened_on_instead_of_the_configured_address() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    // Nobody accepts yet; whoever comes waits.
    let early = std::thread::spawn(move || std::net::TcpStream::connect(at).map(drop));
    let mut command = passing(listener, "--listen 127.0.0.1:1");
    let log_file = std::fs::File::create(&log).unwrap();
    let mut child = command.stderr(log_file).spawn().unwrap();
    early.join().unwrap().unwrap();
    let said = || std::fs::read_to_string(&log).unwrap();
    let health = async || Ask::get("/health").json(at).await.is_ok_and(|(s, _)| s == 200);
    until("it serves", health).await;
    // Its successor has the socket too, though nobody passes it in again.
    kill("-USR2", child.id());
    until("a successor serves", async || said().contains("a successor serves")).await;
    until("the node before has gone", async || child.try_wait().unwrap().is_some()).await;
    until("it serves", health).await;
    let heir = processes(&said(), "a successor serves")[0];
    kill("-TERM", heir);
    until("it ends", async || !runs(heir)).await;
    assert_eq!(said().matches(&format!("listening on http://{at}")).count(), 2, "{}", said());
}

fn refused(socket: impl Into<OwnedFd>) -> String {
    let Output { status, stderr, .. } = passing(socket, "").output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(matches!(status.code(), Some(1 | 2)), "{said}");
    said
}

#[test]
fn other_sockets_are_refused() {
    let said = refused(UdpSocket::bind("127.0.0.1:0").unwrap());
    assert!(said.contains("socket 0 that was passed in cannot be used"), "{said}");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let said = refused(connected);
    assert!(said.contains("nobody listens on it"), "{said}");
    // Without a configuration everything is open, and not to other machines.
    let said = refused(TcpListener::bind("0.0.0.0:0").unwrap());
    assert!(said.contains("everything is open to everybody"), "{said}");
}

/// Variables that are meant for another process are not taken.
#[tokio::test]
async fn sockets_of_another_process_are_left_alone() {
    let house = House::open_with(|command, _| {
        command.env("LISTEN_FDS", "1").env("LISTEN_PID", "1");
    });
    until("it says so", async || house.times(&format!("listening on {}", house.url())) == 1).await;
}

#[tokio::test]
async fn systemd_passes_the_socket() {
    if !have(&["systemd-socket-activate"], "a socket of systemd") {
        return;
    }
    let port = free_port();
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("martlet.toml");
    std::fs::write(&configuration, CONFIGURATION).unwrap();
    let mut command = Command::new("systemd-socket-activate");
    without_variables(&mut command);
    command.args(["-l", &local(port).to_string(), MARTLET, "serve", "--config"]);
    command.arg(&configuration).current_dir(folder.path());
    // It starts the program when the first connection comes.
    let process = Process::start(&mut command, port, &folder.path().join("log"));
    let health = async || Ask::get("/health").json(local(port)).await.is_ok_and(|(s, _)| s == 200);
    until("it serves", health).await;
    let listens = format!("listening on http://{}", local(port));
    until("it says so", async || process.said().contains(&listens)).await;
}
