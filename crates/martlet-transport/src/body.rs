//! A response body that is written to like a socket, for held-open answers that go through
//! hyper: all of HTTP/2, and on HTTP/1.1 whatever came later on a connection that hyper serves.
//!
//! It holds what hyper has not yet fetched, up to its capacity, and nothing when hyper has all.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http_body::Frame;
use thiserror::Error;

/// The writer went away without finishing; what the reader has is not all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the body was cut off")]
pub struct CutOff;

/// A body and the means to write it. At most `capacity` bytes wait between the two.
pub fn pipe(capacity: usize) -> (BodyWriter, Body) {
    let pipe = Pipe { capacity: capacity.max(1), ..Pipe::default() };
    // The lock is there for the sake of hyper's bounds; both ends live on one thread and never
    // wait for it.
    let shared = Arc::new(Mutex::new(pipe));
    (BodyWriter { shared: shared.clone() }, Body { shared })
}

#[derive(Default)]
struct Pipe {
    waiting: Vec<u8>,
    capacity: usize,
    writing: Writing,
    reader_gone: bool,
    for_bytes: Option<Waker>,
    for_room: Option<Waker>,
    for_close: Option<Waker>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Writing {
    #[default]
    Open,
    Finished,
    CutOff,
}

impl Pipe {
    fn end(&mut self, how: Writing) {
        if self.writing == Writing::Open {
            self.writing = how;
            wake(&mut self.for_bytes);
        }
    }

    fn writable(&self) -> bool {
        self.reader_gone || self.waiting.len() < self.capacity
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

fn lock(shared: &Mutex<Pipe>) -> MutexGuard<'_, Pipe> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The end that writes. Dropped without [`BodyWriter::finish`], the body ends as an error.
pub struct BodyWriter {
    shared: Arc<Mutex<Pipe>>,
}

impl BodyWriter {
    /// Writes as much as there is room for, without waiting. `WouldBlock` means that there is
    /// none; `BrokenPipe`, that nobody reads any more.
    pub fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut pipe = lock(&self.shared);
        if pipe.reader_gone || pipe.writing != Writing::Open {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut room = pipe.capacity - pipe.waiting.len();
        let offered: usize = slices.iter().map(|slice| slice.len()).sum();
        if room == 0 && offered > 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let taken = room.min(offered);
        pipe.waiting.reserve(taken);
        for slice in slices {
            let part = &slice[..slice.len().min(room)];
            pipe.waiting.extend_from_slice(part);
            room -= part.len();
        }
        wake(&mut pipe.for_bytes);
        Ok(taken)
    }

    /// Waits until there is room, or nobody reads any more. For one task at a time.
    pub async fn writable(&self) {
        poll_fn(|context| {
            let mut pipe = lock(&self.shared);
            if pipe.writable() {
                return Poll::Ready(());
            }
            pipe.for_room = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Waits until nobody reads any more. For one task at a time.
    pub async fn closed(&self) {
        self.until(|pipe| pipe.reader_gone).await;
    }

    /// Waits until nobody reads any more, or the body was cut off. For one task at a time, which
    /// does not wait for [`BodyWriter::closed`] as well.
    pub async fn ended(&self) {
        self.until(|pipe| pipe.reader_gone || pipe.writing == Writing::CutOff).await;
    }

    async fn until(&self, done: impl Fn(&Pipe) -> bool) {
        poll_fn(|context| {
            let mut pipe = lock(&self.shared);
            if done(&pipe) {
                return Poll::Ready(());
            }
            pipe.for_close = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Ends the body at once, as an error, and lets go of what nobody has fetched.
    pub fn abort(&self) {
        let mut pipe = lock(&self.shared);
        pipe.waiting = Vec::new();
        pipe.writing = Writing::CutOff;
        wake(&mut pipe.for_bytes);
        wake(&mut pipe.for_close);
    }

    /// Ends the body properly, after what has been written.
    pub fn finish(&self) {
        lock(&self.shared).end(Writing::Finished);
    }
}

impl Drop for BodyWriter {
    fn drop(&mut self) {
        lock(&self.shared).end(Writing::CutOff);
    }
}

/// The end that hyper reads.
pub struct Body {
    shared: Arc<Mutex<Pipe>>,
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let mut pipe = lock(&self.shared);
        if !pipe.waiting.is_empty() {
            let bytes = Bytes::from(std::mem::take(&mut pipe.waiting));
            wake(&mut pipe.for_room);
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match pipe.writing {
            Writing::Finished => Poll::Ready(None),
            Writing::CutOff => Poll::Ready(Some(Err(CutOff))),
            Writing::Open => {
                pipe.for_bytes = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        let mut pipe = lock(&self.shared);
        pipe.reader_gone = true;
        pipe.waiting = Vec::new();
        wake(&mut pipe.for_room);
        wake(&mut pipe.for_close);
    }
}

#[cfg(test)]
mod tests;
