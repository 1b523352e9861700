//! What systemd is told (`sd_notify`): one datagram each, to the socket that `NOTIFY_SOCKET` names.
//! Without one nobody asks.

use std::ffi::OsStr;
use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The node serves.
pub fn ready() {
    say("READY=1\n");
}

/// A hand-over begins.
pub fn reloading() {
    say(&format!("RELOADING=1\n{}STATUS=handing over to a successor\n", monotonic()));
}

/// A hand-over has failed: everything is as before.
pub fn stayed() {
    say("READY=1\nSTATUS=\n");
}

/// Another process is the service now.
pub fn succeeded_by(process: u32) {
    say(&format!("MAINPID={process}\nREADY=1\nSTATUS=\n"));
}

/// The node stops.
pub fn stopping() {
    say("STOPPING=1\n");
}

fn say(what: &str) {
    let Some(name) = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
        return;
    };
    if let Err(error) = send(&name, what.as_bytes()) {
        tracing::warn!(%error, "systemd is not told: {}", what.trim_end().replace('\n', " "));
    }
}

fn send(name: &OsStr, what: &[u8]) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(what, &address(name)?).map(drop)
}

/// The address in a name, which may begin with `@` for a zero byte: one that is no file.
#[cfg(target_os = "linux")]
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStrExt as _;
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(name),
    }
}

#[cfg(not(target_os = "linux"))]
fn address(name: &OsStr) -> io::Result<SocketAddr> {
    SocketAddr::from_pathname(name)
}

/// The time by which systemd knows that this reload is the one it asked for.
#[cfg(target_os = "linux")]
fn monotonic() -> String {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    format!("MONOTONIC_USEC={}\n", now.tv_sec * 1_000_000 + now.tv_nsec / 1_000)
}

#[cfg(not(target_os = "linux"))]
fn monotonic() -> String {
    String::new()
}
