//! The members of one channel that are on this node. A member that lost its connection stays for a grace time, so that
//! a reconnect does not flap: nobody is told of a leave and a join that were none.

use std::collections::{BTreeMap, BTreeSet};

use super::Member;
use crate::model::ClientId;
use crate::time::Instant;

#[cfg(test)]
mod tests;

/// Where a member's session lives. A leave counts only if it comes from the place that entered
/// last, so that an old connection's end does not remove a client that has already come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Holder(pub u64);

#[derive(Debug)]
struct Entry {
    member: Member,
    holder: Holder,
    /// Set while the member is lost; it leaves then, unless it comes back before.
    leaves_at: Option<Instant>,
}

/// The members of one channel, by client.
#[derive(Debug, Default)]
pub struct Members {
    entries: BTreeMap<ClientId, Entry>,
    /// The lost ones, by the end of their grace.
    lost: BTreeSet<(Instant, ClientId)>,
}

impl Members {
    /// A client enters, or comes back.
    pub fn handle_enter(&mut self, member: Member, holder: Holder) {
        let client = member.client;
        if let Some(before) = self.entries.insert(client, Entry { member, holder, leaves_at: None })
        {
            self.found(before.leaves_at, client);
        }
    }

    /// A client leaves for good: it unsubscribed, or its application ended it. Says whether it was
    /// here.
    pub fn handle_exit(&mut self, client: ClientId, holder: Holder) -> bool {
        if self.entries.get(&client).is_none_or(|entry| entry.holder != holder) {
            return false;
        }
        let left = self.entries.remove(&client);
        self.found(left.and_then(|entry| entry.leaves_at), client);
        true
    }

    /// A client's connection was lost; it stays a member until `leaves_at`. Says whether it was
    /// one.
    pub fn handle_loss(&mut self, client: ClientId, holder: Holder, leaves_at: Instant) -> bool {
        let Some(entry) = self.entries.get_mut(&client).filter(|e| e.holder == holder) else {
            return false;
        };
        let before = entry.leaves_at.replace(leaves_at);
        self.found(before, client);
        self.lost.insert((leaves_at, client));
        true
    }

    /// Removes those whose grace has passed, and names them.
    pub fn handle_timeout(&mut self, now: Instant) -> Vec<ClientId> {
        let mut gone = Vec::new();
        while let Some((_, client)) = self.lost.first().copied().filter(|(at, _)| *at <= now) {
            self.lost.pop_first();
            gone.extend(self.entries.remove(&client).map(|_| client));
        }
        gone
    }

    /// A client that is here.
    pub fn get(&self, client: ClientId) -> Option<&Member> {
        self.entries.get(&client).map(|entry| &entry.member)
    }

    /// When the next grace passes.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.lost.first().map(|(at, _)| *at)
    }

    fn found(&mut self, leaves_at: Option<Instant>, client: ClientId) {
        if let Some(at) = leaves_at {
            self.lost.remove(&(at, client));
        }
    }

    /// Everyone who is here, by client id.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.entries.values().map(|entry| &entry.member)
    }

    /// How many are here.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody is here.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
