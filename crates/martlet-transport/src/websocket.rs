//! WebSocket (RFC 6455) with compressed messages (RFC 7692), as a codec without I/O.
//!
//! [`handshake`] turns a request head into the answer, [`decoder`] turns a client's bytes into
//! messages, and [`encoder`] writes the server's frames. Server frames carry no mask and, as
//! compression keeps no context, nothing of the connection: one framed buffer serves every
//! subscriber (see [`crate::framing`]). Sockets, answers to pings and the closing handshake are
//! the caller's.

pub mod decoder;
pub mod deflate;
pub mod encoder;
pub mod handshake;
pub mod inflate;

pub use decoder::{Close, Decoder, Fault, Incoming};
pub use deflate::Deflater;
pub use handshake::{Accepted, Offer};
pub use inflate::Inflater;

/// What the four bits of a frame's opcode say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    /// The opcode of these four bits, unless it is a reserved one.
    pub(crate) fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    /// The four bits.
    pub(crate) fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    /// Whether this is a control frame: short, whole, allowed between fragments.
    pub(crate) fn is_control(self) -> bool {
        self.bits() & 0x8 != 0
    }
}

/// The bit of a frame's first byte that ends a message.
pub(crate) const FIN: u8 = 0x80;
/// The bit of a frame's first byte that says the message is deflated.
pub(crate) const RSV1: u8 = 0x40;
/// The two bits of a frame's first byte that nothing gives a meaning to.
pub(crate) const RSV2_AND_3: u8 = 0x30;
/// The bit of a frame's second byte that says a mask follows.
pub(crate) const MASKED: u8 = 0x80;
/// The most payload of a control frame.
pub(crate) const CONTROL_BYTES: usize = 125;
/// What ends every deflated message and is not sent.
pub(crate) const DEFLATE_TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// Whether a close code may appear in a close frame.
pub fn close_code_allowed(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
