//! Where a channel's things are in Redis. Channels are dealt out over partitions, all of whose keys
//! are in one slot: so one call does something for many channels, in a cluster too, and a cluster
//! shares the partitions out evenly.

use martlet_core::model::{ChannelName, NodeId};

#[cfg(test)]
mod tests;

/// The hash tag of each partition, and the slot it is in: the smallest number in each
/// thirty-second of the slots.
const TAGS: [(u16, u16); PARTITIONS] = [
    (10, 247),
    (113, 513),
    (21, 1413),
    (3, 1584),
    (61, 2369),
    (72, 2579),
    (50, 3123),
    (43, 3937),
    (11, 4310),
    (112, 4640),
    (20, 5540),
    (2, 5649),
    (60, 6496),
    (73, 6706),
    (51, 7186),
    (42, 8000),
    (12, 8373),
    (111, 8771),
    (23, 9671),
    (1, 9842),
    (63, 10499),
    (70, 10833),
    (52, 11377),
    (41, 12067),
    (13, 12436),
    (110, 12898),
    (22, 13798),
    (0, 13907),
    (62, 14626),
    (71, 14960),
    (53, 15440),
    (40, 16130),
];

/// How many partitions there are. It cannot be changed without losing what is kept.
pub const PARTITIONS: usize = 32;

/// A partition, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(u8);

impl Partition {
    /// Every one.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..PARTITIONS as u8).map(Self)
    }

    /// The one that a channel is in. Every node and version says the same.
    pub fn of(channel: &ChannelName) -> Self {
        Self::of_bytes(channel.as_str().as_bytes())
    }

    /// The one with what concerns a node alone.
    pub fn of_node(node: NodeId) -> Self {
        Self::of_bytes(&node.bits().to_le_bytes())
    }

    /// The one with what concerns all nodes.
    pub fn of_cluster() -> Self {
        Self(0)
    }

    /// FNV-1a, and a multiplication after which the upper bits depend on all.
    fn of_bytes(bytes: &[u8]) -> Self {
        let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, step);
        let mixed = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        Self((mixed >> 59) as u8)
    }

    /// The slot of a cluster in which it is.
    pub fn slot(self) -> u16 {
        TAGS[self.index()].1
    }

    /// Its number.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// Makes the names of keys and channels.
#[derive(Debug, Clone)]
pub struct Names {
    /// Of each partition, what all its names begin with.
    begins: Vec<String>,
}

impl Names {
    /// Names that begin with `prefix`.
    pub fn new(prefix: &str) -> Self {
        Self { begins: TAGS.iter().map(|(tag, _)| format!("{prefix}:{{{tag}}}:")).collect() }
    }

    fn begin(&self, partition: Partition) -> &str {
        &self.begins[partition.index()]
    }

    /// The key of something of a channel, by its letter (see the library).
    pub fn of(&self, letter: char, channel: &ChannelName) -> String {
        let begin = self.begin(Partition::of(channel));
        format!("{begin}{letter}:{channel}")
    }

    /// What the keys of channels with this letter begin with.
    pub fn beginning(&self, letter: char, partition: Partition) -> String {
        format!("{}{letter}:", self.begin(partition))
    }

    /// The receipt of an idempotency key.
    pub fn receipt(&self, channel: &ChannelName, key: &str) -> String {
        // With its length the channel cannot be taken for one and a part of the key.
        let name = channel.as_str();
        format!("{}k:{}:{name}:{key}", self.begin(Partition::of(channel)), name.len())
    }

    /// What the epochs of channels follow from that nobody has published in.
    pub fn seed(&self, partition: Partition) -> String {
        format!("{}seed", self.begin(partition))
    }

    /// In which channels of the partition a node has members.
    pub fn members_at(&self, partition: Partition, node: NodeId) -> String {
        format!("{}at:{node}", self.begin(partition))
    }

    /// Something of the cluster as a whole.
    pub fn of_cluster(&self, what: &str) -> String {
        format!("{}{what}", self.begin(Partition::of_cluster()))
    }

    /// The channel by which a node is spoken to.
    pub fn of_node(&self, node: NodeId) -> String {
        format!("{}node:{node}", self.begin(Partition::of_node(node)))
    }

    /// The channel by which a worker finds out whether it hears a partition.
    pub fn canary(&self, partition: Partition, canary: &str) -> String {
        format!("{}canary:{canary}", self.begin(partition))
    }

    /// The channel of martlet whose news come by this channel of Redis.
    pub fn channel_of<'a>(&self, live: &'a str) -> Option<&'a str> {
        let (_, rest) = live.split_once("}:")?;
        rest.strip_prefix("l:")
    }
}
