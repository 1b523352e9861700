//! Who has which slots of a cluster, as its servers tell.

use redis::Value;

use super::keys::{PARTITIONS, Partition};
use super::link::Host;

#[cfg(test)]
mod tests;

/// Ranges of slots, and the master that has each.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Topology {
    ranges: Vec<(u16, u16, Host)>,
}

impl Topology {
    /// Reads the answer to `CLUSTER SLOTS`.
    pub fn read(answer: &Value) -> Option<Self> {
        let Value::Array(ranges) = answer else { return None };
        Some(Self { ranges: ranges.iter().map(range).collect::<Option<_>>()? })
    }

    /// The master of a slot.
    pub fn host_of(&self, slot: u16) -> Option<&Host> {
        let holds = |range: &&(u16, u16, Host)| (range.0..=range.1).contains(&slot);
        self.ranges.iter().find(holds).map(|(_, _, host)| host)
    }

    /// The master of each partition, if all have one.
    pub fn hosts(&self) -> Option<[Host; PARTITIONS]> {
        let hosts = Partition::all().map(|partition| self.host_of(partition.slot()).cloned());
        hosts.collect::<Option<Vec<_>>>()?.try_into().ok()
    }
}

fn range(value: &Value) -> Option<(u16, u16, Host)> {
    let Value::Array(values) = value else { return None };
    let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = values.as_slice() else {
        return None;
    };
    let [Value::BulkString(host), Value::Int(port), ..] = master.as_slice() else { return None };
    let host = String::from_utf8(host.clone()).ok()?;
    let whole = |number: &i64| u16::try_from(*number).ok();
    Some((whole(first)?, whole(last)?, (host, whole(port)?)))
}
