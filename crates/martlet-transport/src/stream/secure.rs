//! TLS on one socket: rustls without its I/O, driven by calls that never wait.
//!
//! What rustls has sealed must be sent in order before anything else is sealed, so it may hold up
//! to [`OWED_BYTES`] that the socket did not take. They are sent by the next write, or by the
//! task that waits for reading.

use std::cell::RefCell;
use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use rustls::{ServerConfig, ServerConnection};
use tokio::net::TcpStream;

use super::close_sending;

/// The most sealed bytes kept for a socket that takes none.
const OWED_BYTES: usize = 64 * 1024;

/// The TLS side of a stream.
#[derive(Debug)]
pub(super) struct Secure {
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    connection: ServerConnection,
    /// The task that waits for reading, and can be asked to send.
    reader: Option<Waker>,
    /// Nothing more will be written; once all is sent, the socket is told so.
    ending: bool,
}

impl Secure {
    pub(super) fn new(config: Arc<ServerConfig>) -> io::Result<Self> {
        let mut connection = ServerConnection::new(config).map_err(io::Error::other)?;
        connection.set_buffer_limit(Some(OWED_BYTES));
        Ok(Self { state: RefCell::new(State { connection, reader: None, ending: false }) })
    }

    pub(super) fn alpn(&self) -> Option<Vec<u8>> {
        self.state.borrow().connection.alpn_protocol().map(<[u8]>::to_vec)
    }

    /// Whether sealed bytes wait for the socket.
    pub(super) fn owes(&self) -> bool {
        self.state.borrow().connection.wants_write()
    }

    pub(super) async fn handshake(&self, socket: &TcpStream) -> io::Result<()> {
        loop {
            match self.flush(socket) {
                Ok(()) if !self.state.borrow().connection.is_handshaking() => return Ok(()),
                Ok(()) => {}
                Err(error) if would_block(&error) => {
                    socket.writable().await?;
                    continue;
                }
                Err(error) => return Err(error),
            }
            let taken = self.state.borrow_mut().take_in(socket);
            match taken {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if would_block(&error) => socket.readable().await?,
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn poll_readable(
        &self,
        socket: &TcpStream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.state.borrow_mut();
        if state.can_read() {
            return Poll::Ready(Ok(()));
        }
        loop {
            match state.flush(socket) {
                Ok(()) => break,
                Err(error) if would_block(&error) => match socket.poll_write_ready(context) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => break,
                },
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        state.reader = Some(context.waker().clone());
        socket.poll_read_ready(context)
    }

    pub(super) fn try_read(&self, socket: &TcpStream, bytes: &mut [u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let mut state = self.state.borrow_mut();
        loop {
            match state.connection.reader().read(bytes) {
                Err(error) if would_block(&error) => {}
                // Many clients end TCP without ending TLS; every frame we read says its length.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                done => return done,
            }
            state.take_in(socket)?;
        }
    }

    pub(super) fn try_write(
        &self,
        socket: &TcpStream,
        slices: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        let mut state = self.state.borrow_mut();
        state.flush(socket)?;
        if state.ending {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let taken = state.connection.writer().write_vectored(slices)?;
        state.flush_or_leave_to_reader(socket)?;
        Ok(taken)
    }

    /// Sends what is owed; `WouldBlock` if the socket does not take all of it.
    pub(super) fn flush(&self, socket: &TcpStream) -> io::Result<()> {
        self.state.borrow_mut().flush(socket)
    }

    /// Ends sending: says so in TLS, and to the socket once that is sent.
    pub(super) fn shutdown(&self, socket: &TcpStream) {
        let mut state = self.state.borrow_mut();
        if state.ending {
            return;
        }
        state.connection.send_close_notify();
        state.ending = true;
        if let Err(error) = state.flush_or_leave_to_reader(socket) {
            tracing::trace!(%error, "the connection was gone before it was shut down");
        }
    }
}

impl State {
    /// Whether the caller's next read has something to say without the socket.
    fn can_read(&mut self) -> bool {
        match self.connection.process_new_packets() {
            Ok(state) => state.plaintext_bytes_to_read() > 0 || state.peer_has_closed(),
            Err(_) => true,
        }
    }

    /// Takes sealed bytes in from the socket and opens them. 0 is the end of the socket.
    fn take_in(&mut self, socket: &TcpStream) -> io::Result<usize> {
        let count = self.connection.read_tls(&mut Socket(socket))?;
        if let Err(error) = self.connection.process_new_packets() {
            // The alert tells the peer what was wrong, if it can still be told.
            let _ = self.flush(socket);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        self.flush_or_leave_to_reader(socket)?;
        Ok(count)
    }

    fn flush(&mut self, socket: &TcpStream) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut Socket(socket))?;
        }
        if self.ending {
            close_sending(socket);
        }
        Ok(())
    }

    /// Sends what is owed, or wakes the task that waits for reading to do it.
    fn flush_or_leave_to_reader(&mut self, socket: &TcpStream) -> io::Result<()> {
        match self.flush(socket) {
            Err(error) if would_block(&error) => {
                if let Some(reader) = self.reader.take() {
                    reader.wake();
                }
                Ok(())
            }
            done => done,
        }
    }
}

fn would_block(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
}

/// The socket as rustls wants it.
struct Socket<'a>(&'a TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(bytes)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
