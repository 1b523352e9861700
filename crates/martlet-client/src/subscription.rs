//! A subscription as its reader sees it: a stream of events from a bounded queue. The other end
//! of the queue, [`Reader`], is the driver's.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::{Stream, StreamExt};
use martlet_core::model::{ChannelName, Position, Publication};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};

use crate::driver::Request;
use crate::session::SubscriptionEvent;

/// A channel that is followed, as a stream of what happens in it. Dropping it stops following.
///
/// It keeps the client alive. When its reader is slow it costs the others nothing, see
/// [`Options::subscription_events`](crate::Options::subscription_events).
#[derive(Debug)]
pub struct Subscription {
    channel: ChannelName,
    events: mpsc::Receiver<SubscriptionEvent>,
    shared: Arc<Shared>,
    position: Option<Position>,
    /// The client lives as long as somebody can ask something of it.
    _client: mpsc::Sender<Request>,
}

/// The driver's end of a subscription.
#[derive(Debug)]
pub struct Reader {
    events: mpsc::Sender<SubscriptionEvent>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Whether the queue ran full, so that the driver waits for room.
    full: AtomicBool,
    /// The last event, which needs no room in the queue.
    last: Mutex<Option<SubscriptionEvent>>,
    /// Rings at the driver.
    bell: Arc<Notify>,
}

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It is in the queue, or is not wanted because the queue ran full before.
    Done,
    /// The queue has no room for it.
    Full,
    /// Nobody reads any more.
    Gone,
}

/// The two ends of a subscription that keeps at most `room` events.
pub fn pair(
    channel: ChannelName,
    room: usize,
    bell: Arc<Notify>,
    client: mpsc::Sender<Request>,
) -> (Reader, Subscription) {
    let (sender, events) = mpsc::channel(room.max(2));
    let shared = Arc::new(Shared { full: AtomicBool::new(false), last: Mutex::new(None), bell });
    let reader = Reader { events: sender, shared: shared.clone() };
    (reader, Subscription { channel, events, shared, position: None, _client: client })
}

impl Reader {
    /// Puts an event into the queue.
    pub fn deliver(&self, event: SubscriptionEvent) -> Delivery {
        if self.shared.full.load(Ordering::SeqCst) {
            return if self.gone() { Delivery::Gone } else { Delivery::Done };
        }
        match self.events.try_send(event) {
            Ok(()) => Delivery::Done,
            Err(TrySendError::Closed(_)) => Delivery::Gone,
            Err(TrySendError::Full(_)) => {
                self.shared.full.store(true, Ordering::SeqCst);
                // The reader may have made room before it could see that somebody waits for it.
                self.shared.bell.notify_one();
                Delivery::Full
            }
        }
    }

    /// Puts the last event where it needs no room; the stream ends after it.
    pub fn end(self, last: SubscriptionEvent) {
        *self.shared.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }

    /// Whether the queue ran full and has room again. It says so once.
    pub fn roomy_again(&self) -> bool {
        let roomy = self.events.capacity() >= self.events.max_capacity() / 2;
        roomy && self.shared.full.swap(false, Ordering::SeqCst)
    }

    /// Whether nobody reads any more.
    pub fn gone(&self) -> bool {
        self.events.is_closed()
    }
}

impl Subscription {
    /// The channel.
    pub fn channel(&self) -> &ChannelName {
        &self.channel
    }

    /// The place behind the last event taken, to go on from later.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// The next event; `None` after the last.
    pub async fn next(&mut self) -> Option<SubscriptionEvent> {
        StreamExt::next(self).await
    }

    /// The next publication; other events are passed over. `None` when the subscription ended.
    pub async fn publication(&mut self) -> Option<Publication> {
        loop {
            if let SubscriptionEvent::Publication(publication) = self.next().await? {
                return Some(*publication);
            }
        }
    }

    fn note(&mut self, event: &SubscriptionEvent) {
        self.position = match event {
            SubscriptionEvent::Subscribed(told) => Some(told.position),
            SubscriptionEvent::Publication(publication) => Some(publication.position),
            SubscriptionEvent::Gap(gap) => Some(gap.resume),
            _ => self.position,
        };
    }

    fn ring_if_awaited(&self) {
        let roomy = self.events.len() <= self.events.max_capacity() / 2;
        if roomy && self.shared.full.load(Ordering::SeqCst) {
            self.shared.bell.notify_one();
        }
    }
}

impl Stream for Subscription {
    type Item = SubscriptionEvent;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<SubscriptionEvent>> {
        let polled = self.events.poll_recv(context);
        self.ring_if_awaited();
        let event = match polled {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(event)) => Some(event),
            Poll::Ready(None) => {
                self.shared.last.lock().unwrap_or_else(PoisonError::into_inner).take()
            }
        };
        if let Some(event) = &event {
            self.note(event);
        }
        Poll::Ready(event)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.events.close();
        self.shared.bell.notify_one();
    }
}
