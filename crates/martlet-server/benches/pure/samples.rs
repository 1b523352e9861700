//! What the subjects work on: publications as they are in chat rooms and on tickers, and names.

use martlet_core::model::{
    ChannelName, Data, Draft, Epoch, Namespace, Namespaces, Position, Publication, PublicationId,
    UnixMillis,
};
use martlet_core::time::{Instant, Now};

/// How many bytes of data a publication has here.
pub const DATA_BYTES: usize = 128;

pub fn now() -> Now {
    Now { instant: Instant(1_000_000), wall: UnixMillis(1_790_000_000_000) }
}

pub fn channel(number: usize) -> ChannelName {
    ChannelName::parse(&format!("room-{number}")).unwrap()
}

pub fn position(offset: u64) -> Position {
    Position { epoch: Epoch::new(0x0012_3456_789a), offset }
}

/// JSON text of [`DATA_BYTES`].
pub fn data() -> Data {
    let text = "x".repeat(DATA_BYTES - r#"{"text":""}"#.len());
    Data::Json(format!(r#"{{"text":"{text}"}}"#).into())
}

pub fn publication(offset: u64) -> Publication {
    Publication {
        channel: channel(1),
        id: PublicationId::new(now().wall, 77),
        position: position(offset),
        time: now().wall,
        name: None,
        reference: None,
        tags: Vec::new(),
        from: None,
        data: data(),
    }
}

pub fn draft(channel: ChannelName) -> Draft {
    Draft {
        channel,
        name: None,
        reference: None,
        tags: Vec::new(),
        from: None,
        idempotency_key: None,
        data: data(),
    }
}

/// Channels with a history of 16 and without members.
pub fn namespaces() -> Namespaces {
    let namespace =
        Namespace { history_size: 16, presence: false, join_leave: false, ..Namespace::open() };
    Namespaces { default: Some(namespace), ..Namespaces::default() }
}
