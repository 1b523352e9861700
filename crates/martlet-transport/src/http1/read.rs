//! Reading a request head from a stream, in time and in linear work.

use std::io;
use std::time::Duration;

use martlet_core::model::{Code, Refusal};

use super::Head;
use super::parse::{HeadLimits, parse_head};
use crate::stream::Stream;

/// Why there is no head.
#[derive(Debug)]
pub enum NoHead {
    /// The client left before it sent anything; nobody is there to be told.
    Gone,
    /// It sent what is refused. It may still be told why.
    Refused(Refusal),
}

impl From<Refusal> for NoHead {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Reads until `bytes` begins with a whole head, and parses it. The head stays in `bytes`; the
/// number returned is its length.
pub async fn read_head(
    stream: &Stream,
    bytes: &mut Vec<u8>,
    limits: &HeadLimits,
    timeout: Duration,
) -> Result<(Head, usize), NoHead> {
    let reading = read_head_slowly(stream, bytes, limits);
    match tokio::time::timeout(timeout, reading).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refusal::from(Code::RequestTimeout).into()),
    }
}

async fn read_head_slowly(
    stream: &Stream,
    bytes: &mut Vec<u8>,
    limits: &HeadLimits,
) -> Result<(Head, usize), NoHead> {
    let mut searched = 0usize;
    loop {
        // A head is parsed when its end may be there, not at every byte: a client that sends
        // byte by byte costs no more than one that sends all at once.
        let full = bytes.len() >= limits.bytes;
        if (full || is_worth_parsing(bytes, searched))
            && let Some(found) = parse_head(bytes, limits)?
        {
            return Ok(found);
        }
        searched = bytes.len();
        if read_some(stream, bytes, limits.bytes).await? == 0 {
            return Err(cut_off(bytes));
        }
    }
}

fn cut_off(bytes: &[u8]) -> NoHead {
    if bytes.is_empty() {
        return NoHead::Gone;
    }
    NoHead::Refused(Refusal::because(Code::RequestInvalid, "the request ends in its head"))
}

/// Whether bytes beyond the first `searched` may have completed a head, or are its first ones and
/// may be no head at all.
pub(super) fn is_worth_parsing(bytes: &[u8], searched: usize) -> bool {
    // An end that was cut begins up to two bytes before what is new.
    let new = &bytes[searched.saturating_sub(2)..];
    (searched == 0 && !bytes.is_empty()) || holds_blank_line(new)
}

fn holds_blank_line(bytes: &[u8]) -> bool {
    bytes.windows(2).any(|two| two == b"\n\n") || bytes.windows(3).any(|three| three == b"\n\r\n")
}

/// Reads once, up to `most` bytes in all. 0 is the end of the stream.
pub(crate) async fn read_some(
    stream: &Stream,
    bytes: &mut Vec<u8>,
    most: usize,
) -> Result<usize, NoHead> {
    const STEP: usize = 2048;
    let room = most.saturating_sub(bytes.len()).clamp(1, STEP);
    loop {
        let start = bytes.len();
        bytes.resize(start + room, 0);
        let outcome = stream.try_read(&mut bytes[start..]);
        bytes.truncate(start + *outcome.as_ref().unwrap_or(&0));
        match outcome {
            Ok(count) => return Ok(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                stream.readable().await.map_err(|_| NoHead::Gone)?;
            }
            Err(_) => return Err(NoHead::Gone),
        }
    }
}
