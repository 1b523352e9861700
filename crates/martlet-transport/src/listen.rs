//! Listening sockets and the loop that accepts from them.
//!
//! Accepted sockets are handed to a callback as they are; which worker serves one is not decided
//! here. The loop outlives every error that is about one connection, and pauses where the process
//! has run out of something, instead of spinning.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// How long accepting pauses when the process has run out of descriptors or memory.
const PAUSE: Duration = Duration::from_millis(100);

/// Binds an address to listen on. An IPv6 wildcard listens for IPv4 too.
pub fn bind(address: SocketAddr, backlog: u32) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
    Ok(socket.into())
}

/// Takes a listening socket that another process has opened, and shares it with that one.
pub fn adopt(listener: TcpListener) -> io::Result<TcpListener> {
    let socket = SockRef::from(&listener);
    let wrong = |what| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    match (socket.r#type()?, socket.local_addr()?.as_socket(), socket.is_listener()?) {
        (Type::STREAM, Some(_), true) => {}
        (Type::STREAM, Some(_), false) => return wrong("nobody listens on it"),
        _ => return wrong("it is not one of TCP"),
    }
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Accepts until `stop` is done, handing every connection to `on_accept`, not blocking. What has
/// not been accepted then waits in the listener for whoever accepts from it next.
pub async fn accept(
    listener: &tokio::net::TcpListener,
    mut on_accept: impl FnMut(TcpStream, SocketAddr),
    stop: impl Future<Output = ()>,
) {
    let accepting = async {
        loop {
            let accepted = listener.accept().await;
            match accepted.and_then(|(socket, peer)| Ok((socket.into_std()?, peer))) {
                Ok((socket, peer)) => on_accept(socket, peer),
                Err(error) => recover(&error).await,
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = stop => {}
    }
}

/// Pauses if the same error would come at once again. The others are about one connection that
/// failed before it was accepted.
async fn recover(error: &io::Error) {
    if has_run_out(error) {
        tracing::warn!(%error, "accepting pauses");
        tokio::time::sleep(PAUSE).await;
    } else {
        tracing::debug!(%error, "a connection was lost before it was accepted");
    }
}

fn has_run_out(error: &io::Error) -> bool {
    let passing = [libc::ECONNABORTED, libc::ECONNRESET, libc::EINTR, libc::EPROTO, libc::EPERM];
    error.raw_os_error().is_none_or(|code| !passing.contains(&code))
}

#[cfg(test)]
mod tests;
