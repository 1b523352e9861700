//! What waits to be sent to one Redis: questions, each for a while only, and the channels that are
//! to be heard. It knows no connection and no clock.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use martlet_core::port::{StoreError, StoreReply, StoreRequest, StoreTicket};
use martlet_core::time::Instant;

use super::calls::{Asked, failed};
use crate::interest::Interest;
use crate::remote::Order;

#[cfg(test)]
mod tests;

/// How long a question waits for a server that can be asked. Whoever asked is then told to try
/// again later.
const PATIENCE: Duration = Duration::from_secs(2);

/// The most questions that wait, and the most bytes of data in them. Beyond it they are refused at
/// once.
const WAITING_MAX: usize = 20_000;
const WAITING_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Desk {
    /// The channels.
    pub interest: Interest,
    waiting: VecDeque<(Instant, Asked)>,
    /// How much data is in what waits.
    bytes: usize,
    /// Questions that were refused by a server that was not the right one, once.
    again: HashSet<StoreTicket>,
    /// Since when nothing can be sent.
    down: Option<Instant>,
    answers: Vec<(StoreTicket, StoreReply)>,
}

impl Desk {
    /// Orders came in.
    pub fn take(&mut self, now: Instant, orders: Vec<Order>) {
        for order in orders {
            match order {
                Order::Follow(channel) => self.interest.follow(&channel),
                Order::Unfollow(channel) => self.interest.unfollow(now, &channel),
                Order::Ask(ticket, request) => {
                    let asked = self.interest.park(ticket, request);
                    asked.into_iter().for_each(|asked| self.wait(now, asked));
                }
            }
        }
    }

    /// A question waits to be sent.
    pub fn wait(&mut self, now: Instant, asked: Asked) {
        let bytes = bytes(&asked);
        if self.waiting.len() < WAITING_MAX && self.bytes + bytes <= WAITING_BYTES_MAX {
            self.bytes += bytes;
            self.waiting.push_back((now.after(PATIENCE), asked));
        } else {
            self.answers.extend(failed([asked], StoreError::Unavailable));
        }
    }

    /// A server has not done what it was asked, because it is not the one to ask. Another may be
    /// found; but one that says so again ends the question.
    pub fn try_again(&mut self, now: Instant, asked: Vec<Asked>) {
        for asked in asked.into_iter().rev() {
            if self.again.insert(asked.0) {
                self.bytes += bytes(&asked);
                self.waiting.push_front((now.after(PATIENCE), asked));
            } else {
                self.again.remove(&asked.0);
                self.answers.extend(failed([asked], StoreError::Unavailable));
            }
        }
    }

    /// Questions that are sent now, in order.
    pub fn take_waiting(&mut self, most: usize) -> Vec<Asked> {
        let most = most.min(self.waiting.len());
        let taken: Vec<_> = self.waiting.drain(..most).map(|(_, asked)| asked).collect();
        self.bytes -= taken.iter().map(bytes).sum::<usize>();
        taken
    }

    /// Whether any waits.
    pub fn any_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// A question was answered.
    pub fn answered(&mut self, ticket: StoreTicket) {
        self.again.remove(&ticket);
    }

    /// Nothing can be sent any more, and nothing is heard.
    pub fn handle_down(&mut self, now: Instant) {
        self.down.get_or_insert(now);
        self.interest.lost();
    }

    /// Things can be sent.
    pub fn handle_up(&mut self) {
        self.down = None;
    }

    /// Gives up what has waited too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((_, asked)) = self.waiting.pop_front_if(|(until, _)| *until <= now) {
            self.bytes -= bytes(&asked);
            self.again.remove(&asked.0);
            self.answers.extend(failed([asked], StoreError::Unavailable));
        }
        if self.down.is_some_and(|since| since.after(PATIENCE) <= now) {
            let parked = self.interest.take_parked();
            self.answers.extend(failed(parked, StoreError::Unavailable));
        }
    }

    /// Answers to what was given up.
    pub fn take_answers(&mut self) -> Vec<(StoreTicket, StoreReply)> {
        std::mem::take(&mut self.answers)
    }
}

/// How much data is in a question.
fn bytes(asked: &Asked) -> usize {
    match &asked.1 {
        StoreRequest::Append { draft, .. } => draft.data.len(),
        _ => 0,
    }
}
