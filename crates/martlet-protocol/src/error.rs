//! What decoding ends in when it does not end in a command: one command refused, or a frame that
//! cannot be read at all. Which code means what is `martlet-core`'s table.

use martlet_core::model::{ChannelName, Close, Code, Refusal};
use martlet_core::session::{Answer, Event};

/// One command that could not be taken. The connection lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The command's number; 0 if it had none, or none that could be read.
    pub id: u32,
    /// The channel it was about, if it was about one and its name could be read.
    pub channel: Option<ChannelName>,
    /// Why.
    pub refusal: Refusal,
}

impl Refused {
    /// A refusal with a detail. Details may quote the client, so they are cut to a short length.
    pub(crate) fn because(code: Code, detail: impl AsRef<str>) -> Self {
        Refusal::because(code, clip(detail.as_ref())).into()
    }

    /// The same, about `channel`.
    pub(crate) fn about(self, channel: &ChannelName) -> Self {
        Self { channel: Some(channel.clone()), ..self }
    }

    /// The answer that tells the client.
    pub fn into_answer(self) -> Answer {
        let event = Event::Refused { channel: self.channel, refusal: self.refusal };
        Answer { id: self.id, event }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self { id: 0, channel: None, refusal }
    }
}

impl From<Code> for Refused {
    fn from(code: Code) -> Self {
        Refusal::from(code).into()
    }
}

/// A frame that cannot be read: nothing of it was done, and the connection ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the frame cannot be read: {detail}")]
pub struct FrameError {
    detail: Box<str>,
}

impl FrameError {
    pub(crate) fn new(detail: impl AsRef<str>) -> Self {
        Self { detail: clip(detail.as_ref()) }
    }

    /// How the connection ends.
    pub fn close(&self) -> Close {
        Close { detail: Some(self.detail.clone()), ..Code::BadFrame.into() }
    }
}

/// The longest text of a client that is quoted back to it, in bytes.
const QUOTE_BYTES_MAX: usize = 160;

/// The beginning of `text`, so that an answer is never much longer than the question.
pub(crate) fn clip(text: &str) -> Box<str> {
    if text.len() <= QUOTE_BYTES_MAX {
        return text.into();
    }
    let end = (0..=QUOTE_BYTES_MAX).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
    format!("{}…", &text[..end]).into()
}
