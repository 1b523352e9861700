//! The near half of an engine whose far half talks to a server: what was asked for and has not
//! been sent, and what has come back. A worker owns it; the far half is a task on the worker's own
//! thread, so that neither locks.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use martlet_core::model::ChannelName;
use martlet_core::port::{Engine, News, Store, StoreReply, StoreRequest, StoreTicket};
use martlet_core::time::{Instant, Now};
use tokio::sync::{Notify, mpsc};

#[cfg(test)]
mod tests;

/// What the far half is to do, in the order in which it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Ask the store.
    Ask(StoreTicket, StoreRequest),
    /// News of a channel are wanted, before anything that is asked after this.
    Follow(ChannelName),
    /// They are wanted no more.
    Unfollow(ChannelName),
}

/// The near half.
#[derive(Debug)]
pub struct Remote {
    orders: Vec<Order>,
    to: mpsc::UnboundedSender<Vec<Order>>,
    inbox: Rc<Inbox>,
}

/// What the far half is given: the orders of a turn at a time, and where what comes back goes.
#[derive(Debug)]
pub struct FarEnd {
    /// The orders.
    pub orders: mpsc::UnboundedReceiver<Vec<Order>>,
    /// For replies and news.
    pub inbox: Rc<Inbox>,
}

/// What has come back and has not been taken in.
#[derive(Debug, Default)]
pub struct Inbox {
    replies: RefCell<VecDeque<(StoreTicket, StoreReply)>>,
    news: RefCell<VecDeque<News>>,
    arrived: Notify,
}

impl Inbox {
    /// Puts a reply in.
    pub fn reply(&self, ticket: StoreTicket, reply: StoreReply) {
        self.replies.borrow_mut().push_back((ticket, reply));
        self.arrived.notify_one();
    }

    /// Puts news in.
    pub fn tell(&self, news: News) {
        self.news.borrow_mut().push_back(news);
        self.arrived.notify_one();
    }

    /// Waits until something was put in since this was waited for last.
    pub async fn arrived(&self) {
        self.arrived.notified().await;
    }
}

impl Remote {
    /// Both halves.
    pub fn new() -> (Self, FarEnd) {
        let (to, orders) = mpsc::unbounded_channel();
        let inbox = Rc::<Inbox>::default();
        let near = Self { orders: Vec::new(), to, inbox: Rc::clone(&inbox) };
        (near, FarEnd { orders, inbox })
    }

    /// Where what comes back is found, for the task that has it taken in.
    pub fn inbox(&self) -> Rc<Inbox> {
        Rc::clone(&self.inbox)
    }
}

impl Store for Remote {
    fn submit(&mut self, _: Now, ticket: StoreTicket, request: StoreRequest) {
        self.orders.push(Order::Ask(ticket, request));
    }

    fn poll_reply(&mut self) -> Option<(StoreTicket, StoreReply)> {
        self.inbox.replies.borrow_mut().pop_front()
    }

    fn handle_timeout(&mut self, _: Now) {}

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

impl Engine for Remote {
    fn follow(&mut self, channel: &ChannelName) {
        self.orders.push(Order::Follow(channel.clone()));
    }

    fn unfollow(&mut self, channel: &ChannelName) {
        self.orders.push(Order::Unfollow(channel.clone()));
    }

    fn poll_news(&mut self) -> Option<News> {
        self.inbox.news.borrow_mut().pop_front()
    }

    fn flush(&mut self) {
        if !self.orders.is_empty() {
            // Without a far half the worker is ending, and nobody waits for answers.
            let _ = self.to.send(std::mem::take(&mut self.orders));
        }
    }
}
