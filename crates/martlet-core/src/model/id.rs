//! Identifiers: of publications, clients, sessions and users.

use std::fmt;
use std::sync::Arc;

use super::UnixMillis;
use super::base32;

#[cfg(test)]
mod tests;

/// A publication's identity: unique, and sortable by time. 48 bits of Unix milliseconds and 80
/// bits that no other publication has; written as 26 base-32 digits (the ULID layout).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicationId(u128);

impl PublicationId {
    /// Joins a time and the 80 lowest bits of `unique`.
    pub fn new(time: UnixMillis, unique: u128) -> Self {
        Self((u128::from(time.0 & ((1 << 48) - 1)) << 80) | (unique & ((1 << 80) - 1)))
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() == 26 { base32::decode(text).map(Self) } else { None }
    }

    /// The time in it.
    pub fn time(self) -> UnixMillis {
        UnixMillis((self.0 >> 80) as u64)
    }

    /// The 128 bits.
    pub fn bits(self) -> u128 {
        self.0
    }

    /// Makes an id of 128 bits as [`bits`](Self::bits) returned them.
    pub fn from_bits(bits: u128) -> Self {
        Self(bits)
    }
}

impl fmt::Display for PublicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32::encode(self.0, 26))
    }
}

impl fmt::Debug for PublicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The public name of one client: it stays the same while the client resumes, and others see it
/// in presence and as the sender of publications. Written as 13 base-32 digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(u64);

impl ClientId {
    /// Makes an id of random bits.
    pub fn new(random: u64) -> Self {
        Self(random)
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 13 {
            return None;
        }
        base32::decode(text).and_then(|v| u64::try_from(v).ok()).map(Self)
    }

    /// The 64 bits.
    pub fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32::encode(self.0.into(), 13))
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One life of a node: a node that starts again is another. Written as seven base-32 digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

impl NodeId {
    /// Makes an id of random bits.
    pub const fn new(random: u32) -> Self {
        Self(random)
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 7 {
            return None;
        }
        base32::decode(text).and_then(|v| u32::try_from(v).ok()).map(Self)
    }

    /// The 32 bits.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32::encode(self.0.into(), 7))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a session is: on which node, which of its workers, and in which of that one's slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPlace {
    /// The node.
    pub node: NodeId,
    /// The worker; below 1,024.
    pub worker: u16,
    /// The slot; below 2²².
    pub slot: u32,
}

/// The secret by which a client's further requests find its session, whichever node they come to:
/// where it is, and 64 random bits. Whoever has it may send as that client, so it is never shown
/// to others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey(u128);

const RANDOM_BITS: u32 = 64;
const SLOT_BITS: u32 = 22;
const WORKER_BITS: u32 = 10;

impl SessionKey {
    /// Joins a place and random bits.
    pub fn new(place: SessionPlace, random: u64) -> Self {
        let SessionPlace { node, worker, slot } = place;
        let mut bits = u128::from(node.bits());
        bits = (bits << WORKER_BITS) | u128::from(worker & ((1 << WORKER_BITS) - 1));
        bits = (bits << SLOT_BITS) | u128::from(slot & ((1 << SLOT_BITS) - 1));
        Self((bits << RANDOM_BITS) | u128::from(random))
    }

    /// Reads the text form.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() == 26 { base32::decode(text).map(Self) } else { None }
    }

    /// The node that holds the session.
    pub fn node(self) -> NodeId {
        NodeId((self.0 >> (RANDOM_BITS + SLOT_BITS + WORKER_BITS)) as u32)
    }

    /// The worker of that node.
    pub fn worker(self) -> u16 {
        (self.0 >> (RANDOM_BITS + SLOT_BITS)) as u16 & ((1 << WORKER_BITS) - 1)
    }

    /// The slot of that worker.
    pub fn slot(self) -> u32 {
        (self.0 >> RANDOM_BITS) as u32 & ((1 << SLOT_BITS) - 1)
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base32::encode(self.0, 26))
    }
}

impl fmt::Debug for SessionKey {
    /// The key is a secret: a log shows only where it leads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey(node {}, worker {})", self.node(), self.worker())
    }
}

/// The person or thing a client acts for, as the application names it (`sub` of its token).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId(Arc<str>);

impl UserId {
    /// The longest user id, in bytes.
    pub const BYTES_MAX: usize = 255;

    /// Makes an id of 1 to 255 bytes without control characters.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= Self::BYTES_MAX;
        (fits && !text.chars().any(char::is_control)).then(|| Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}
