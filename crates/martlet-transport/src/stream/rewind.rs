//! A stream as hyper wants it, beginning with the bytes that have been read already.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Stream;

/// How much is read before the other connections of the worker get a turn. Hyper reads for as
/// long as there is something, and whoever floods it always has something.
const TURN_BYTES: usize = 32 * 1024;

/// A stream with its beginning put back.
#[derive(Debug)]
pub struct Rewind {
    stream: Stream,
    ahead: Vec<u8>,
    replayed: usize,
    /// How much was read in this turn.
    read: usize,
}

impl Rewind {
    /// The stream, with these bytes to be read before its own.
    pub fn new(stream: Stream, ahead: Vec<u8>) -> Self {
        Self { stream, ahead, replayed: 0, read: 0 }
    }

    /// The stream.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The stream, and what has not been replayed yet.
    pub fn into_parts(self) -> (Stream, Vec<u8>) {
        let mut ahead = self.ahead;
        ahead.drain(..self.replayed);
        (self.stream, ahead)
    }

    /// Replays what is left of the beginning; false if there is nothing left.
    fn replay(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let rest = &self.ahead[self.replayed..];
        if rest.is_empty() {
            return false;
        }
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(&rest[..count]);
        self.replayed += count;
        if self.replayed == self.ahead.len() {
            self.ahead = Vec::new();
            self.replayed = 0;
        }
        true
    }

    fn poll_until_written(
        &self,
        context: &mut Context<'_>,
        mut write: impl FnMut(&Stream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match write(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.stream.poll_write_ready(context))?;
                }
                done => return Poll::Ready(done),
            }
        }
    }
}

impl AsyncRead for Rewind {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.replay(buffer) {
            return Poll::Ready(Ok(()));
        }
        if self.read >= TURN_BYTES {
            self.read = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            match self.stream.try_read(buffer.initialize_unfilled()) {
                Ok(count) => {
                    buffer.advance(count);
                    self.read += count;
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.read = 0;
                    ready!(self.stream.poll_read_ready(context))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Rewind {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_until_written(context, |stream| stream.try_write(&[IoSlice::new(bytes)]))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_until_written(context, |stream| stream.try_write(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.poll_until_written(context, |stream| stream.try_flush().map(|()| 0));
        flushed.map_ok(|_| ())
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.shutdown();
        self.poll_flush(context)
    }
}
