//! The channels whose news a node wants of a server: which are subscribed to, which are to be,
//! and what has to wait for that. It sends nothing itself, so that however many channels become
//! wanted at once, they become subscriptions by a few calls.

use std::collections::VecDeque;
use std::time::Duration;

use hashbrown::HashMap;
use martlet_core::model::ChannelName;
use martlet_core::port::{StoreRequest, StoreTicket};
use martlet_core::time::Instant;

#[cfg(test)]
mod tests;

/// How long a channel that nobody wants any more stays subscribed to: whoever goes often comes
/// back, and pages are turned.
const LINGER: Duration = Duration::from_secs(5);

/// What waits until a channel is heard.
type Parked = (StoreTicket, StoreRequest);

#[derive(Debug)]
enum State {
    /// To be subscribed to.
    Wanted(Vec<Parked>),
    /// The server was told.
    Asked(Vec<Parked>),
    Heard,
}

#[derive(Debug)]
struct Entry {
    state: State,
    /// Since when nobody wants it.
    left: Option<Instant>,
    /// Whether it was heard before, so that news may have been lost between.
    again: bool,
}

/// What follows from channels being heard.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// What had to wait for it.
    pub parked: Vec<(StoreTicket, StoreRequest)>,
    /// Those that were heard before, and not between.
    pub doubted: Vec<ChannelName>,
}

/// The channels of one connection.
#[derive(Debug, Default)]
pub struct Interest {
    entries: HashMap<ChannelName, Entry, foldhash::fast::RandomState>,
    /// Those to be subscribed to. May name channels that are not, any more.
    wanted: VecDeque<ChannelName>,
    /// Those that nobody wants, by since when. May name channels that somebody wants again.
    leaving: VecDeque<(Instant, ChannelName)>,
}

impl Interest {
    /// News of a channel are wanted.
    pub fn follow(&mut self, channel: &ChannelName) {
        if let Some(entry) = self.entries.get_mut(channel) {
            entry.left = None;
            return;
        }
        self.add(channel, false);
    }

    /// News of a channel are wanted that were heard by another connection up to now.
    pub fn take_over(&mut self, channel: &ChannelName) {
        if !self.entries.contains_key(channel) {
            self.add(channel, true);
        }
    }

    fn add(&mut self, channel: &ChannelName, again: bool) {
        let entry = Entry { state: State::Wanted(Vec::new()), left: None, again };
        self.entries.insert(channel.clone(), entry);
        self.wanted.push_back(channel.clone());
    }

    /// They are wanted no more.
    pub fn unfollow(&mut self, now: Instant, channel: &ChannelName) {
        if let Some(entry) = self.entries.get_mut(channel) {
            entry.left = Some(now);
            self.leaving.push_back((now, channel.clone()));
        }
    }

    /// Keeps a question back that may be asked only when its channel is heard. Gives it back if
    /// it may be asked now.
    pub fn park(&mut self, ticket: StoreTicket, request: StoreRequest) -> Option<Parked> {
        match self.entries.get_mut(request.channel()).map(|entry| &mut entry.state) {
            Some(State::Wanted(parked) | State::Asked(parked)) => {
                parked.push((ticket, request));
                None
            }
            Some(State::Heard) | None => Some((ticket, request)),
        }
    }

    /// Some channels that are to be subscribed to now; they count as asked for.
    pub fn take_wanted(&mut self, most: usize) -> Vec<ChannelName> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(channel) = self.wanted.pop_front()
        {
            let Some(entry) = self.entries.get_mut(&channel) else { continue };
            let State::Wanted(parked) = &mut entry.state else { continue };
            entry.state = State::Asked(std::mem::take(parked));
            taken.push(channel);
        }
        taken
    }

    /// The server hears these for us.
    pub fn heard<'a>(&mut self, channels: impl IntoIterator<Item = &'a ChannelName>) -> Released {
        let mut released = Released::default();
        for channel in channels {
            let Some(entry) = self.entries.get_mut(channel) else { continue };
            if let State::Asked(parked) = std::mem::replace(&mut entry.state, State::Heard) {
                released.parked.extend(parked);
                released.doubted.extend(std::mem::take(&mut entry.again).then(|| channel.clone()));
            }
        }
        released
    }

    /// Some channels that nobody has wanted for a while; they are forgotten.
    pub fn take_left(&mut self, now: Instant, most: usize) -> Vec<ChannelName> {
        let mut taken = Vec::new();
        while taken.len() < most
            && self.leaving.front().is_some_and(|(since, _)| since.after(LINGER) <= now)
            && let Some((since, channel)) = self.leaving.pop_front()
        {
            let entry = self.entries.get(&channel).filter(|entry| entry.left == Some(since));
            // One that waits to be heard is given up when it is.
            match entry.map(|entry| &entry.state) {
                Some(State::Heard) => {
                    self.entries.remove(&channel);
                    taken.push(channel);
                }
                Some(_) => {
                    self.entries.get_mut(&channel).into_iter().for_each(|e| e.left = Some(now));
                    self.leaving.push_back((now, channel));
                }
                None => {}
            }
        }
        taken
    }

    /// When [`take_left`](Self::take_left) may have something.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.leaving.front().map(|(since, _)| since.after(LINGER))
    }

    /// The server does not hear any of them for us, any more: all have to be subscribed to again.
    pub fn lost(&mut self) {
        self.entries
            .retain(|_, entry| entry.left.is_none() || !matches!(entry.state, State::Heard));
        self.wanted.clear();
        for (channel, entry) in &mut self.entries {
            entry.state = match std::mem::replace(&mut entry.state, State::Heard) {
                State::Wanted(parked) | State::Asked(parked) => State::Wanted(parked),
                State::Heard => {
                    entry.again = true;
                    State::Wanted(Vec::new())
                }
            };
            self.wanted.push_back(channel.clone());
        }
    }

    /// Gives up what waits: it has waited too long.
    pub fn take_parked(&mut self) -> Vec<Parked> {
        let states = self.entries.values_mut().map(|entry| &mut entry.state);
        let parked = states.filter_map(|state| match state {
            State::Wanted(parked) | State::Asked(parked) => Some(std::mem::take(parked)),
            State::Heard => None,
        });
        parked.flatten().collect()
    }

    /// Whether news of it are wanted.
    pub fn wants(&self, channel: &ChannelName) -> bool {
        self.entries.get(channel).is_some_and(|entry| entry.left.is_none())
    }

    /// Whether the server hears it for us.
    pub fn hears(&self, channel: &ChannelName) -> bool {
        self.entries.get(channel).is_some_and(|entry| matches!(entry.state, State::Heard))
    }

    /// How many channels there are.
    pub fn channels(&self) -> usize {
        self.entries.len()
    }
}
