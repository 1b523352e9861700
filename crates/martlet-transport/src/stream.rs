//! One accepted connection, plain or TLS, read and written by calls that never wait.
//!
//! A stream owns no buffers of its own: what is read goes where the caller says, what is written
//! goes to the kernel. (TLS keeps what its records need.) It lives on the worker that made it
//! and is shared there as `Rc<Stream>` between the task that reads and the sweep that writes.

use std::io::{self, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::Interest;
use tokio::net::TcpStream;

use secure::Secure;

mod rewind;
mod secure;

pub use rewind::Rewind;

/// How much a client that should be silent may still send before it counts as gone. Clients send
/// a message whole before they read why it was refused, and that it is too large is often why.
const TOLERATED_BYTES: usize = 4 * 1024 * 1024;

/// What every accepted socket is set to, beside `TCP_NODELAY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketOptions {
    /// How long sent bytes may stay unacknowledged, or a full window unopened, before the kernel
    /// gives the connection up.
    pub user_timeout: Duration,
    /// After how much silence the kernel asks whether the peer is still there.
    pub keepalive: Duration,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self { user_timeout: Duration::from_secs(30), keepalive: Duration::from_secs(60) }
    }
}

/// One accepted connection.
#[derive(Debug)]
pub struct Stream {
    socket: TcpStream,
    secure: Option<Box<Secure>>,
}

impl Stream {
    /// Takes over an accepted socket, on the worker that will serve it.
    pub fn plain(socket: std::net::TcpStream, options: &SocketOptions) -> io::Result<Self> {
        set_options(&socket, options)?;
        let socket = TcpStream::from_std(socket)?;
        Ok(Self { socket, secure: None })
    }

    /// Shakes hands for TLS, on a stream of which nothing has been read. To be given a timeout.
    pub async fn encrypted(mut self, config: Arc<ServerConfig>) -> io::Result<Self> {
        let secure = Box::new(Secure::new(config)?);
        secure.handshake(&self.socket).await?;
        self.secure = Some(secure);
        Ok(self)
    }

    /// The address at the other end; `0.0.0.0:0` if it has gone already.
    pub fn peer(&self) -> SocketAddr {
        self.socket.peer_addr().unwrap_or(SocketAddr::from(([0, 0, 0, 0], 0)))
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        self.secure.is_some()
    }

    /// The protocol agreed on in the TLS handshake.
    pub fn alpn(&self) -> Option<Vec<u8>> {
        self.secure.as_ref()?.alpn()
    }

    /// Waits until reading may succeed. Whoever waits here also sends what TLS still owes, so a
    /// TLS stream that is written to needs a task that waits here. For one task at a time.
    pub async fn readable(&self) -> io::Result<()> {
        std::future::poll_fn(|context| self.poll_read_ready(context)).await
    }

    /// Reads what is there. 0 is the end; `WouldBlock` means that there is nothing yet.
    pub fn try_read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match &self.secure {
            None => self.socket.try_read(bytes),
            Some(secure) => secure.try_read(&self.socket, bytes),
        }
    }

    /// Waits until writing may succeed.
    pub async fn writable(&self) -> io::Result<()> {
        loop {
            self.socket.writable().await?;
            let Some(secure) = &self.secure else {
                return Ok(());
            };
            match secure.flush(&self.socket) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
        }
    }

    /// Writes what can be taken at once. `WouldBlock` means that nothing can. What was taken
    /// will be sent; nothing has to be offered twice.
    pub fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &self.secure {
            None => self.send(slices),
            Some(secure) => secure.try_write(&self.socket, slices),
        }
    }

    /// Asks the kernel first, and the runtime only about a socket that is full: most are not, and
    /// looking at what the runtime knows of each would cost as much as the rest of a delivery. A
    /// single slice goes by `send`, which costs the kernel less than a vectored write.
    fn send(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let socket = SockRef::from(&self.socket);
        let send = || match slices {
            [slice] => socket.send(slice),
            slices => socket.send_vectored(slices),
        };
        match send() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.socket.try_io(Interest::WRITABLE, send)
            }
            sent => sent,
        }
    }

    /// Writes everything, waiting where needed. For the few answers before a connection is held.
    pub async fn write_all(&self, slices: &[IoSlice<'_>]) -> io::Result<()> {
        for slice in slices {
            let mut rest: &[u8] = slice;
            while !rest.is_empty() {
                match self.try_write(&[IoSlice::new(rest)]) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(count) => rest = &rest[count..],
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.writable().await?;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        self.flush().await
    }

    /// Waits until TLS owes nothing. Plain streams never do.
    async fn flush(&self) -> io::Result<()> {
        if self.secure.as_ref().is_some_and(|secure| secure.owes()) {
            self.writable().await?;
        }
        Ok(())
    }

    /// Says that nothing more will be written, after what has been written. Reading goes on.
    pub fn shutdown(&self) {
        match &self.secure {
            None => close_sending(&self.socket),
            Some(secure) => secure.shutdown(&self.socket),
        }
    }

    /// Ends the connection at once, in both directions.
    pub fn abort(&self) {
        if let Err(error) = SockRef::from(&self.socket).shutdown(Shutdown::Both) {
            tracing::trace!(%error, "the connection was gone before it was cut");
        }
    }

    /// Reads and throws away until the peer has ended or failed, or has sent more than a client
    /// with nothing to say would.
    pub async fn closed(&self) {
        let mut seen = 0;
        while seen <= TOLERATED_BYTES {
            match self.discard() {
                Ok(0) => return,
                Ok(count) => {
                    seen += count;
                    // Whoever keeps sending does not keep the others waiting.
                    tokio::task::yield_now().await;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.readable().await.is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }

    /// Waits until the peer has ended or failed. What it sends meanwhile, ahead of its turn, is
    /// kept in `ahead`, up to a limit after which nothing more is read.
    pub async fn gone(&self, ahead: &mut Vec<u8>) {
        const AHEAD_BYTES: usize = 16 * 1024;
        while ahead.len() < AHEAD_BYTES {
            match self.read_ahead(ahead) {
                Ok(0) => return,
                Ok(_) => tokio::task::yield_now().await,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.readable().await.is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
        std::future::pending().await
    }

    fn read_ahead(&self, ahead: &mut Vec<u8>) -> io::Result<usize> {
        let mut scratch = [0; 4 * 1024];
        let count = self.try_read(&mut scratch)?;
        ahead.extend_from_slice(&scratch[..count]);
        Ok(count)
    }

    /// Reads a little and throws it away; the scratch space is not part of any future.
    fn discard(&self) -> io::Result<usize> {
        self.try_read(&mut [0; 8 * 1024])
    }

    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.secure {
            None => self.socket.poll_read_ready(context),
            Some(secure) => secure.poll_readable(&self.socket, context),
        }
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_write_ready(context)
    }

    /// Sends what TLS owes, as far as the socket takes it.
    fn try_flush(&self) -> io::Result<()> {
        match &self.secure {
            None => Ok(()),
            Some(secure) => secure.flush(&self.socket),
        }
    }
}

fn set_options(socket: &std::net::TcpStream, options: &SocketOptions) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(options.keepalive)
        .with_interval(Duration::from_secs(10))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(options.user_timeout))?;
    Ok(())
}

/// Sends the end. A socket that is not connected any more has nothing to be told.
fn close_sending(socket: &TcpStream) {
    if let Err(error) = SockRef::from(socket).shutdown(Shutdown::Write) {
        tracing::trace!(%error, "the connection was gone before it was shut down");
    }
}

#[cfg(test)]
mod tests;
