//! Reading a request body, by length or in chunks, never past a limit.

use std::io::IoSlice;
use std::time::Duration;

use martlet_core::model::{Code, Refusal};

use super::read::{NoHead, read_some};
use super::{BodyLength, Head};
use crate::stream::Stream;

/// The longest line of a chunk size with its extensions, and the longest trailer line.
const LINE_BYTES: usize = 256;
/// The most trailer lines. They are read over.
const TRAILERS: usize = 32;
/// How much framing a body in chunks may carry beside its data.
const OVERHEAD_BYTES: usize = 64 * 1024;

/// Reads the body of the request. `ahead` holds the bytes that came after the head; whatever
/// comes after the body is left there. A length over the limit is refused before a byte is read.
pub async fn read_body(
    stream: &Stream,
    ahead: &mut Vec<u8>,
    head: &Head,
    limit: usize,
    timeout: Duration,
) -> Result<Vec<u8>, NoHead> {
    let reading = read_body_slowly(stream, ahead, head, limit);
    match tokio::time::timeout(timeout, reading).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Refusal::from(Code::RequestTimeout).into()),
    }
}

async fn read_body_slowly(
    stream: &Stream,
    ahead: &mut Vec<u8>,
    head: &Head,
    limit: usize,
) -> Result<Vec<u8>, NoHead> {
    if let BodyLength::Exactly(length) = head.body_length()
        && length > limit as u64
    {
        return Err(too_large(limit).into());
    }
    if head.expects_continue() && ahead.is_empty() {
        let go_on = b"HTTP/1.1 100 Continue\r\n\r\n";
        stream.write_all(&[IoSlice::new(go_on)]).await.map_err(|_| NoHead::Gone)?;
    }
    match head.body_length() {
        BodyLength::Exactly(length) => read_exactly(stream, ahead, length as usize).await,
        BodyLength::Chunked => read_chunks(stream, ahead, limit).await,
    }
}

async fn read_exactly(
    stream: &Stream,
    ahead: &mut Vec<u8>,
    length: usize,
) -> Result<Vec<u8>, NoHead> {
    while ahead.len() < length {
        if read_some(stream, ahead, usize::MAX).await? == 0 {
            return Err(ends_early());
        }
    }
    let rest = ahead.split_off(length);
    Ok(std::mem::replace(ahead, rest))
}

async fn read_chunks(
    stream: &Stream,
    ahead: &mut Vec<u8>,
    limit: usize,
) -> Result<Vec<u8>, NoHead> {
    let mut chunks = Chunks::new(limit);
    loop {
        let used = chunks.feed(ahead)?;
        ahead.drain(..used);
        if chunks.done() {
            return Ok(chunks.data);
        }
        if read_some(stream, ahead, usize::MAX).await? == 0 {
            return Err(ends_early());
        }
    }
}

fn ends_early() -> NoHead {
    NoHead::Refused(Refusal::because(Code::RequestInvalid, "the request ends in its body"))
}

fn too_large(limit: usize) -> Refusal {
    Refusal::because(Code::FrameTooLarge, format!("more than {limit} bytes"))
}

fn invalid(detail: &str) -> Refusal {
    Refusal::because(Code::RequestInvalid, detail)
}

/// The decoder of a body in chunks.
pub struct Chunks {
    state: State,
    limit: usize,
    overhead: usize,
    trailers: usize,
    data: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Size,
    Data(usize),
    DataEnd,
    Trailer,
    Done,
}

impl Chunks {
    /// A decoder of a body of up to `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { state: State::Size, limit, overhead: 0, trailers: 0, data: Vec::new() }
    }

    /// Whether the body is whole.
    pub fn done(&self) -> bool {
        self.state == State::Done
    }

    /// The body so far.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Takes in bytes; returns how many were used. The others come again with the next call.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        let mut used = 0;
        while self.state != State::Done {
            let step = self.step(&bytes[used..])?;
            if step == 0 {
                break;
            }
            used += step;
        }
        Ok(used)
    }

    /// Takes one line, or the data there is; 0 if there is not enough.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, Refusal> {
        if let State::Data(left) = self.state {
            let taken = left.min(bytes.len());
            self.data.extend_from_slice(&bytes[..taken]);
            self.state = if taken == left { State::DataEnd } else { State::Data(left - taken) };
            return Ok(taken);
        }
        let Some(line) = take_line(bytes)? else {
            return Ok(0);
        };
        self.overhead += line.len() + 2;
        if self.overhead > OVERHEAD_BYTES + self.limit {
            return Err(invalid("the chunks carry more framing than data"));
        }
        self.take_line(line)?;
        Ok(line.len() + 2)
    }

    fn take_line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        self.state = match self.state {
            State::Size => match parse_size(line)? {
                0 => State::Trailer,
                size if size > self.limit - self.data.len() => return Err(too_large(self.limit)),
                size => State::Data(size),
            },
            State::DataEnd if line.is_empty() => State::Size,
            State::DataEnd => return Err(invalid("a chunk is longer than its size")),
            State::Trailer if line.is_empty() => State::Done,
            State::Trailer => {
                self.trailers += 1;
                if self.trailers > TRAILERS {
                    return Err(invalid("there are too many trailers"));
                }
                State::Trailer
            }
            state @ (State::Data(_) | State::Done) => state,
        };
        Ok(())
    }
}

/// A line without its CRLF. A line feed alone, or a carriage return inside, is refused.
fn take_line(bytes: &[u8]) -> Result<Option<&[u8]>, Refusal> {
    let window = &bytes[..bytes.len().min(LINE_BYTES + 2)];
    let Some(end) = window.iter().position(|&byte| byte == b'\n') else {
        return if window.len() > LINE_BYTES + 1 {
            Err(invalid("a line between the chunks is too long"))
        } else {
            Ok(None)
        };
    };
    match window[..end].split_last() {
        Some((b'\r', line)) if !line.contains(&b'\r') => Ok(Some(line)),
        _ => Err(invalid("a line between the chunks does not end in CRLF")),
    }
}

/// The size of a chunk: at most eight hexadecimal digits; extensions are read over.
fn parse_size(line: &[u8]) -> Result<usize, Refusal> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let extension = line[digits..].trim_ascii_start();
    let valid = (1..=8).contains(&digits) && (extension.is_empty() || extension[0] == b';');
    std::str::from_utf8(&line[..digits])
        .ok()
        .filter(|_| valid)
        .and_then(|text| usize::from_str_radix(text, 16).ok())
        .ok_or_else(|| invalid("the size of a chunk is not a number"))
}
