//! Where the bytes of one connection go, whatever carries them.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::rc::Rc;

use bytes::Bytes;

use crate::body::BodyWriter;
use crate::stream::Stream;

/// What a worker writes to, by calls that never wait. Clones are the same outlet.
#[derive(Clone)]
pub enum Outlet {
    /// A socket of our own: WebSocket, or a held-open answer of HTTP/1.1.
    Stream(Rc<Stream>),
    /// A response body that hyper carries.
    Body(Rc<BodyWriter>),
    /// The next answer to a poll. It takes whatever it is given; who gives sees to the limit.
    Batch(Rc<Batch>),
}

/// Bytes gathered for one answer. Owns no memory while there are none.
#[derive(Debug, Default)]
pub struct Batch(RefCell<Vec<u8>>);

impl Batch {
    /// Takes out what has been gathered.
    pub fn take(&self) -> Bytes {
        self.0.take().into()
    }

    fn gather(&self, slices: &[IoSlice<'_>]) -> usize {
        let mut bytes = self.0.borrow_mut();
        let before = bytes.len();
        bytes.reserve_exact(slices.iter().map(|slice| slice.len()).sum());
        slices.iter().for_each(|slice| bytes.extend_from_slice(slice));
        bytes.len() - before
    }
}

impl Outlet {
    /// Whether both are the same outlet.
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Stream(one), Self::Stream(other)) => Rc::ptr_eq(one, other),
            (Self::Body(one), Self::Body(other)) => Rc::ptr_eq(one, other),
            (Self::Batch(one), Self::Batch(other)) => Rc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// Writes what can be taken at once. `WouldBlock` means that nothing can; then wait for
    /// [`Outlet::writable`].
    pub fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Stream(stream) => stream.try_write(slices),
            Self::Body(body) => body.try_write(slices),
            Self::Batch(batch) => Ok(batch.gather(slices)),
        }
    }

    /// Waits until writing may succeed again.
    pub async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Stream(stream) => stream.writable().await,
            Self::Body(body) => {
                body.writable().await;
                Ok(())
            }
            Self::Batch(_) => Ok(()),
        }
    }

    /// Waits until the other side has gone. On a stream this reads and throws away, so it is for
    /// connections whose client has nothing more to say. A batch has no other side.
    pub async fn closed(&self) {
        match self {
            Self::Stream(stream) => stream.closed().await,
            Self::Body(body) => body.closed().await,
            Self::Batch(_) => {}
        }
    }

    /// Waits until the other side has gone, or this side has ended it at once.
    pub async fn ended(&self) {
        match self {
            Self::Stream(stream) => stream.closed().await,
            Self::Body(body) => body.ended().await,
            Self::Batch(_) => {}
        }
    }

    /// Ends it properly after what has been written. On a body, dropping the outlet without this
    /// tells the client that something is missing.
    pub fn shutdown(&self) {
        match self {
            Self::Stream(stream) => stream.shutdown(),
            Self::Body(body) => body.finish(),
            Self::Batch(_) => {}
        }
    }

    /// Ends it at once, in both directions; whoever waits for the client's bytes hears the end.
    pub fn abort(&self) {
        match self {
            Self::Stream(stream) => stream.abort(),
            Self::Body(body) => body.abort(),
            Self::Batch(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
