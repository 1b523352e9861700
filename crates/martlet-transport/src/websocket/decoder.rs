//! From a client's bytes to messages.
//!
//! Bytes come in pieces of any size, and the result does not depend on where they are cut. A
//! frame that arrives whole is unmasked where it lies and lent to the sink, so that a connection
//! owns memory only while a frame or message is incomplete, and then no more than has arrived.
//! Every announced length is checked before anything is kept.

use std::ops::ControlFlow;

use thiserror::Error;

use super::inflate::{InflateFault, Inflater};
use super::{CONTROL_BYTES, Opcode, close_code_allowed};
use head::{Head, Rules};
use partial::{Control, Message};

mod head;
mod mask;
mod partial;

/// The most pings and pongs taken from one piece of input. A peer has no reason for more.
const CONTROLS_PER_FEED: usize = 64;

/// What a client sent, lent for the length of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A ping, to be answered by a pong with the same payload.
    Ping(&'a [u8]),
    /// A pong.
    Pong(&'a [u8]),
    /// A close; nothing after it is read.
    Close(Close<'a>),
}

/// What a close frame said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close<'a> {
    /// The code, if it gave one.
    pub code: Option<u16>,
    /// The reason, empty if it gave none.
    pub reason: &'a str,
}

/// What a client did that WebSocket forbids. The connection cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Fault {
    /// A frame without a mask.
    #[error("a frame of the client was not masked")]
    Unmasked,
    /// A reserved bit that nothing was agreed for.
    #[error("a reserved bit was set")]
    ReservedBit,
    /// An opcode without a meaning.
    #[error("a frame had a reserved opcode")]
    ReservedOpcode,
    /// A control frame in pieces.
    #[error("a control frame was fragmented")]
    FragmentedControl,
    /// A control frame of more than 125 bytes.
    #[error("a control frame was longer than 125 bytes")]
    LongControl,
    /// A continuation of nothing.
    #[error("a continuation came without a message to continue")]
    NothingToContinue,
    /// A new message inside a fragmented one.
    #[error("a message began before the one before it had ended")]
    MessageInsideMessage,
    /// A length in more bytes than it needs.
    #[error("a length was written in more bytes than it needs")]
    LengthNotMinimal,
    /// A close of one byte, or with a code that may not be sent.
    #[error("a close frame had no valid code")]
    BadClose,
    /// Text or a close reason that is not UTF-8.
    #[error("text was not UTF-8")]
    NotUtf8,
    /// A compressed message that is none.
    #[error("a compressed message was not deflated data")]
    NotDeflated,
    /// A message larger than the limit.
    #[error("the message is larger than the limit")]
    TooBig,
    /// A message in more fragments than the limit.
    #[error("the message has more fragments than the limit")]
    TooManyFragments,
    /// A flood of pings or pongs.
    #[error("too many pings or pongs at once")]
    ControlFlood,
}

impl Fault {
    /// The close code to answer with.
    pub fn close_code(self) -> u16 {
        match self {
            Self::NotUtf8 | Self::NotDeflated => 1007,
            Self::ControlFlood => 1008,
            Self::TooBig | Self::TooManyFragments => 1009,
            _ => 1002,
        }
    }
}

impl From<InflateFault> for Fault {
    fn from(fault: InflateFault) -> Self {
        match fault {
            InflateFault::TooBig => Self::TooBig,
            InflateFault::Garbage => Self::NotDeflated,
        }
    }
}

/// The decoder of one connection; at most 64 bytes of it while nothing is incomplete.
#[derive(Debug)]
pub struct Decoder {
    /// A message of which more is to come.
    message: Option<Box<Message>>,
    /// A control frame of which more is to come.
    control: Option<Box<Control>>,
    /// The frame whose payload is being read.
    frame: Option<Head>,
    /// The beginning of a header that is not whole yet.
    head: [u8; head::LONGEST],
    head_len: u8,
    /// Whether a part of the frame's payload has been taken.
    begun: bool,
    deflate: bool,
    ended: bool,
    limit: u32,
}

impl Decoder {
    /// A decoder that takes messages of up to `limit` bytes, and compressed ones if `deflate` was
    /// agreed on. The limit holds before and after inflating.
    pub fn new(limit: u32, deflate: bool) -> Self {
        Self {
            message: None,
            control: None,
            frame: None,
            head: [0; head::LONGEST],
            head_len: 0,
            begun: false,
            deflate,
            ended: false,
            limit,
        }
    }

    /// Whether the client has closed, broken the rules, or the sink has had enough.
    pub fn ended(&self) -> bool {
        self.ended
    }

    /// Takes in the next bytes and hands what they complete to the sink, in order. The sink may
    /// stop it for good with `Break`. The bytes are unmasked in place and worthless afterwards.
    pub fn feed<S>(
        &mut self,
        bytes: &mut [u8],
        inflater: &mut Inflater,
        sink: &mut S,
    ) -> Result<(), Fault>
    where
        S: FnMut(Incoming<'_>) -> ControlFlow<()>,
    {
        let mut feed = Feed { inflater, sink, controls: 0 };
        let outcome = self.run(bytes, &mut feed);
        if outcome.is_err() || self.ended {
            self.end();
        }
        outcome
    }

    fn run<S>(&mut self, mut bytes: &mut [u8], feed: &mut Feed<'_, S>) -> Result<(), Fault>
    where
        S: FnMut(Incoming<'_>) -> ControlFlow<()>,
    {
        while !self.ended {
            let Some(frame) = self.frame else {
                if !self.take_head(&mut bytes)? {
                    return Ok(());
                }
                continue;
            };
            let left = frame.left as usize;
            if bytes.is_empty() && left > 0 {
                return Ok(());
            }
            let (piece, rest) = bytes.split_at_mut(left.min(bytes.len()));
            bytes = rest;
            self.take_piece(frame, piece, feed)?;
        }
        Ok(())
    }

    /// Reads a header off the bytes; false if there is not enough for one.
    fn take_head(&mut self, bytes: &mut &mut [u8]) -> Result<bool, Fault> {
        let rules = Rules {
            deflate: self.deflate,
            limit: self.limit,
            message: self.message.as_deref().map(|message| (message.len(), message.fragments)),
        };
        let kept = self.head_len as usize;
        let (parsed, used) = if kept == 0 {
            (head::parse(bytes, &rules)?, bytes.len().min(head::LONGEST))
        } else {
            let used = bytes.len().min(head::LONGEST - kept);
            self.head[kept..kept + used].copy_from_slice(&bytes[..used]);
            (head::parse(&self.head[..kept + used], &rules)?, used)
        };
        match parsed {
            Some((frame, length)) => {
                advance(bytes, length - kept);
                self.frame = Some(frame);
                self.head_len = 0;
                self.begun = false;
                Ok(true)
            }
            None => {
                self.head[kept..kept + used].copy_from_slice(&bytes[..used]);
                self.head_len = (kept + used) as u8;
                advance(bytes, used);
                Ok(false)
            }
        }
    }

    /// Takes in a piece of a frame's payload, which may be all of it.
    fn take_piece<S>(
        &mut self,
        mut frame: Head,
        piece: &mut [u8],
        feed: &mut Feed<'_, S>,
    ) -> Result<(), Fault>
    where
        S: FnMut(Incoming<'_>) -> ControlFlow<()>,
    {
        frame.mask = mask::unmask(piece, frame.mask);
        frame.left -= piece.len() as u32;
        let first = !self.begun;
        let last = frame.left == 0;
        self.begun = true;
        self.frame = (!last).then_some(frame);
        match (frame.opcode.is_control(), first && last) {
            (true, true) => self.deliver_control(frame.opcode, piece, feed),
            (true, false) => self.keep_control(frame.opcode, piece, last, feed),
            (false, true) if frame.fin && self.message.is_none() => {
                self.ended |= deliver(frame.opcode, frame.deflated, piece, self.limit, feed)?;
                Ok(())
            }
            (false, _) => self.keep_data(frame, piece, first, feed),
        }
    }

    fn keep_data<S>(
        &mut self,
        frame: Head,
        piece: &[u8],
        first: bool,
        feed: &mut Feed<'_, S>,
    ) -> Result<(), Fault>
    where
        S: FnMut(Incoming<'_>) -> ControlFlow<()>,
    {
        let message = self
            .message
            .get_or_insert_with(|| Box::new(Message::new(frame.opcode, frame.deflated)));
        message.fragments += u32::from(first);
        message.push(piece)?;
        if frame.left == 0 && frame.fin {
            let message = self.message.take().expect("the message was there a line above");
            let (kind, deflated) = (message.kind, message.deflated);
            self.ended |= deliver(kind, deflated, message.bytes(), self.limit, feed)?;
        }
        Ok(())
    }

    fn keep_control<S>(
        &mut self,
        opcode: Opcode,
        piece: &[u8],
        last: bool,
        feed: &mut Feed<'_, S>,
    ) -> Result<(), Fault>
    where
        S: FnMut(Incoming<'_>) -> ControlFlow<()>,
    {
        self.control.get_or_insert_default().push(piece);
        if !last {
            return Ok(());
        }
        let control = self.control.take().expect("the control frame was there a line above");
        self.deliver_control(opcode, control.bytes(), feed)
    }

    fn deliver_control<S>(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        feed: &mut Feed<'_, S>,
    ) -> Result<(), Fault>
    where
        S: FnMut(Incoming<'_>) -> ControlFlow<()>,
    {
        feed.controls += 1;
        if feed.controls > CONTROLS_PER_FEED {
            return Err(Fault::ControlFlood);
        }
        let incoming = match opcode {
            Opcode::Ping => Incoming::Ping(payload),
            Opcode::Pong => Incoming::Pong(payload),
            _ => Incoming::Close(parse_close(payload)?),
        };
        self.ended |= (feed.sink)(incoming).is_break() || opcode == Opcode::Close;
        Ok(())
    }

    fn end(&mut self) {
        self.ended = true;
        self.message = None;
        self.control = None;
        self.frame = None;
    }
}

/// What one call of [`Decoder::feed`] carries along.
struct Feed<'a, S> {
    inflater: &'a mut Inflater,
    sink: &'a mut S,
    controls: usize,
}

/// Hands a whole message to the sink; true if the sink has had enough.
fn deliver<S>(
    kind: Opcode,
    deflated: bool,
    payload: &[u8],
    limit: u32,
    feed: &mut Feed<'_, S>,
) -> Result<bool, Fault>
where
    S: FnMut(Incoming<'_>) -> ControlFlow<()>,
{
    let payload = if deflated { feed.inflater.inflate(payload, limit as usize)? } else { payload };
    let incoming = if kind == Opcode::Text {
        Incoming::Text(simdutf8::basic::from_utf8(payload).map_err(|_| Fault::NotUtf8)?)
    } else {
        Incoming::Binary(payload)
    };
    Ok((feed.sink)(incoming).is_break())
}

fn parse_close(payload: &[u8]) -> Result<Close<'_>, Fault> {
    if payload.is_empty() {
        return Ok(Close { code: None, reason: "" });
    }
    let (code, reason) = payload.split_first_chunk::<2>().ok_or(Fault::BadClose)?;
    let code = u16::from_be_bytes(*code);
    if !close_code_allowed(code) {
        return Err(Fault::BadClose);
    }
    let reason = simdutf8::basic::from_utf8(reason).map_err(|_| Fault::NotUtf8)?;
    Ok(Close { code: Some(code), reason })
}

fn advance(bytes: &mut &mut [u8], count: usize) {
    let all = std::mem::take(bytes);
    *bytes = &mut all[count..];
}

#[cfg(test)]
mod tests;
