//! Who is in which channel, as a store in memory keeps it for all nodes that share it. Grace times
//! are the business of the nodes: here a client is there or not.

use std::collections::{BTreeMap, HashMap};

use super::{Member, Moved};
use crate::model::{ChannelName, ClientId, NodeId};

#[cfg(test)]
mod tests;

/// Members by channel and client, with the node that holds each.
#[derive(Debug, Default)]
pub struct Roster {
    channels: HashMap<ChannelName, BTreeMap<ClientId, (NodeId, Member)>>,
}

impl Roster {
    /// A client of `node` enters. Says whether it was not there before, on any node.
    pub fn enter(&mut self, node: NodeId, channel: &ChannelName, member: Member) -> Option<Moved> {
        let members = match self.channels.get_mut(channel) {
            Some(members) => members,
            None => self.channels.entry(channel.clone()).or_default(),
        };
        let before = members.insert(member.client, (node, member.clone()));
        before.is_none().then_some(Moved::Join(member))
    }

    /// A client of `node` leaves, unless another node holds it by now.
    pub fn exit(&mut self, node: NodeId, channel: &ChannelName, client: ClientId) -> Option<Moved> {
        let members = self.channels.get_mut(channel)?;
        members.get(&client).filter(|(holder, _)| *holder == node)?;
        let (_, member) = members.remove(&client)?;
        if members.is_empty() {
            self.channels.remove(channel);
        }
        Some(Moved::Leave(member))
    }

    /// A node is gone: so are its clients.
    pub fn forget(&mut self, node: NodeId) -> Vec<(ChannelName, Moved)> {
        let mut moved = Vec::new();
        self.channels.retain(|channel, members| {
            members.retain(|_, (holder, member)| {
                if *holder == node {
                    moved.push((channel.clone(), Moved::Leave(member.clone())));
                }
                *holder != node
            });
            !members.is_empty()
        });
        moved
    }

    /// The first `limit` members of a channel, and how many there are.
    pub fn members(&self, channel: &ChannelName, limit: usize) -> (Vec<Member>, usize) {
        let Some(members) = self.channels.get(channel) else { return (Vec::new(), 0) };
        let first = members.values().take(limit).map(|(_, member)| member.clone());
        (first.collect(), members.len())
    }
}
