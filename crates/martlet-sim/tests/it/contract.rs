//! The contract of engines, held against the one in memory and the one that is made up.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use martlet_core::model::{ChannelName, NodeId, UnixMillis};
use martlet_core::port::{Engine, News, Store, StoreReply, StoreRequest, StoreTicket};
use martlet_core::time::{Instant, Now};
use martlet_engine::memory::MemoryStore;
use martlet_sim::contract::{Site, keep_all_promises};
use martlet_sim::shelf::Shelf;

/// What every turn takes.
const TURN: Duration = Duration::from_millis(1);

fn begin() -> Now {
    Now { instant: Instant(0), wall: UnixMillis(1_700_000_000_000) }
}

fn pass(now: &mut Now) {
    *now = Now { instant: now.instant.after(TURN), wall: now.wall.plus_ms(1) };
}

struct Alone(Now);

impl Site for Alone {
    fn engine(&mut self, node: u32) -> Box<dyn Engine> {
        Box::new(MemoryStore::new(self.0, 1_000, node.into()))
    }

    fn shares(&self) -> bool {
        false
    }

    fn let_work(&mut self) {
        pass(&mut self.0);
    }

    fn now(&self) -> Now {
        self.0
    }
}

/// A shelf, and what each node that uses it follows and was told.
#[derive(Default)]
struct Hall {
    shelf: Shelf,
    nodes: Vec<(BTreeSet<ChannelName>, VecDeque<News>)>,
}

impl Hall {
    /// Tells those who follow the channel.
    fn tell(&mut self, channel: &ChannelName, news: &News) {
        let following = self.nodes.iter_mut().filter(|(follows, _)| follows.contains(channel));
        following.for_each(|(_, told)| told.push_back(news.clone()));
    }

    fn tell_moved(&mut self) {
        while let Some(news) = self.shelf.poll_news() {
            let News::Moved(channel, _) = &news else { continue };
            self.tell(&channel.clone(), &news);
        }
    }
}

/// A node's part of a hall.
struct Seat {
    hall: Rc<RefCell<Hall>>,
    number: usize,
    replies: VecDeque<(StoreTicket, StoreReply)>,
}

impl Store for Seat {
    fn submit(&mut self, now: Now, ticket: StoreTicket, request: StoreRequest) {
        let hall = &mut *self.hall.borrow_mut();
        hall.shelf.node = NodeId::new(self.number as u32);
        hall.shelf.submit(now, ticket, request);
        let Some((ticket, reply)) = hall.shelf.poll_reply() else { return };
        if let StoreReply::Appended { publication, duplicate: false } = &reply {
            hall.tell(&publication.channel, &News::Publication(publication.clone()));
        }
        hall.tell_moved();
        self.replies.push_back((ticket, reply));
    }

    fn poll_reply(&mut self) -> Option<(StoreTicket, StoreReply)> {
        self.replies.pop_front()
    }

    fn handle_timeout(&mut self, now: Now) {
        self.hall.borrow_mut().shelf.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.hall.borrow().shelf.poll_timeout()
    }
}

impl Engine for Seat {
    fn follow(&mut self, channel: &ChannelName) {
        self.hall.borrow_mut().nodes[self.number].0.insert(channel.clone());
    }

    fn unfollow(&mut self, channel: &ChannelName) {
        self.hall.borrow_mut().nodes[self.number].0.remove(channel);
    }

    fn poll_news(&mut self) -> Option<News> {
        self.hall.borrow_mut().nodes[self.number].1.pop_front()
    }

    fn flush(&mut self) {}
}

struct Together(Now, Rc<RefCell<Hall>>);

impl Site for Together {
    fn engine(&mut self, _: u32) -> Box<dyn Engine> {
        let nodes = &mut self.1.borrow_mut().nodes;
        nodes.push(Default::default());
        let number = nodes.len() - 1;
        Box::new(Seat { hall: Rc::clone(&self.1), number, replies: VecDeque::new() })
    }

    fn shares(&self) -> bool {
        true
    }

    fn let_work(&mut self) {
        pass(&mut self.0);
    }

    fn now(&self) -> Now {
        self.0
    }
}

#[test]
fn the_engine_in_memory_keeps_every_promise() {
    assert!(keep_all_promises(&mut Alone(begin())) >= 18);
}

#[test]
fn the_made_up_store_keeps_every_promise() {
    assert!(keep_all_promises(&mut Together(begin(), Rc::default())) >= 26);
}
