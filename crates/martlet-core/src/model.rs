//! The nouns: what a channel, a publication, a position and a refusal are. No behaviour beyond
//! parsing and formatting.

mod base32;
mod channel;
mod code;
mod cursor;
mod gap;
mod id;
mod limits;
mod namespace;
mod position;
mod publication;
mod slot;
mod unix;

pub use base32::{decode as base32_decode, encode as base32_encode};
pub use channel::{ChannelName, ChannelNameError};
pub use code::{Close, Code, CodeKind, Refusal};
pub use cursor::{CURSOR_BYTES_MAX, Cursor, CursorError};
pub use gap::{Gap, GapReason};
pub use id::{ClientId, NodeId, PublicationId, SessionKey, SessionPlace, UserId};
pub use limits::Limits;
pub use namespace::{Access, Durability, Lagging, Namespace, Namespaces, NamespacesError};
pub use position::{Epoch, Offset, Position};
pub use publication::{Appended, Data, Draft, Publication, Publisher, Tags};
pub use slot::Slots;
pub use unix::UnixMillis;
