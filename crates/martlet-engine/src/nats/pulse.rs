//! The pulse: every second a message goes the whole way of a publication and comes back. While it
//! does, this worker hears what happens; when it does not, the worker says so, connects again, and
//! then doubts everything that it follows. It also brings the server's time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use async_nats::{Event, Subscriber};
use futures_util::StreamExt as _;
use martlet_core::port::News;
use tokio::time::{Instant, interval, timeout};

use super::link::{Events, Link, Trouble, Which};
use super::names::Names;
use super::{Far, streams};

/// How often it goes.
const EVERY: Duration = Duration::from_secs(1);

/// How long it may stay away.
const MISSED: Duration = Duration::from_secs(3);

/// How often the server's time is asked for, in beats.
const TIME_EVERY: u64 = 10;

/// How long to wait before an attempt to recover is repeated.
const AGAIN: Duration = Duration::from_millis(200);

/// How often the pulse is sent until there is a first one.
const FIRST: Duration = Duration::from_millis(50);

impl Far {
    /// Keeps up with what happens to the connection.
    pub(super) async fn watch(self: Rc<Self>, mut events: Events) {
        let mut connected_before = false;
        while let Some(event) = events.recv().await {
            match event {
                Event::Connected if !std::mem::replace(&mut connected_before, true) => {}
                Event::Connected => self.recover().await,
                Event::SlowConsumer(_) => self.doubt_all(),
                Event::Disconnected => tracing::debug!("the NATS server was lost"),
                Event::ServerError(error) => tracing::warn!(%error, "the NATS server complains"),
                Event::ClientError(error) => tracing::debug!(%error, "the NATS client complains"),
                _ => {}
            }
        }
    }

    /// The connection is there again, and everything is subscribed to: it is looked what became
    /// of the streams, and then everything that is followed is in doubt.
    async fn recover(&self) {
        for _ in 0..25 {
            let made = streams::make_others(&self.link, &self.settings).await;
            let checked = if made.is_ok() { self.check_all().await } else { made };
            if checked.is_ok() && self.echo().await {
                break;
            }
            if !self.link.is_up() {
                // The next connection is recovered from.
                return;
            }
            tokio::time::sleep(AGAIN).await;
        }
        self.doubt_all();
    }

    /// Keeps the pulse going.
    pub(super) async fn keep_pulse(self: Rc<Self>) {
        let token = format!("{}-{:x}", self.node, super::random());
        let subscribing = self.link.client().subscribe(self.link.names.subject(&beat(&token)));
        let Ok(mut beats) = subscribing.await else { return };
        let heard = Cell::new(Instant::now());
        self.begin_pulse(&token, &mut beats).await;
        let mut every = interval(EVERY);
        for number in 1u64.. {
            let sent = Instant::now();
            send(&self.link, &token).await;
            let hear = async {
                while beats.next().await.is_some() {
                    heard.set(Instant::now());
                    if heard.get() >= sent {
                        break;
                    }
                }
            };
            let back = timeout(EVERY, hear).await.is_ok();
            if back && number.is_multiple_of(TIME_EVERY) {
                // An old time is as good.
                let _ = self.ask_time(&token, sent, heard.get()).await;
            }
            self.judge(back, heard.get()).await;
            every.tick().await;
        }
    }

    /// Sends until one comes back, and takes the time.
    async fn begin_pulse(&self, token: &str, beats: &mut Subscriber) {
        let mut begun = Instant::now();
        loop {
            let sent = Instant::now();
            if self.link.is_up() && streams::make_others(&self.link, &self.settings).await.is_ok() {
                let sent = Instant::now();
                send(&self.link, token).await;
                if timeout(EVERY, beats.next()).await.is_ok_and(|beat| beat.is_some())
                    && self.ask_time(token, sent, Instant::now()).await.is_ok()
                {
                    break;
                }
            }
            if begun.elapsed() > MISSED && !self.silent.replace(true) {
                self.inbox.tell(News::Silent);
                begun = sent;
            }
            tokio::time::sleep(FIRST).await;
        }
        if self.silent.replace(false) {
            self.doubt_all();
            self.inbox.tell(News::Heard);
        }
    }

    /// Tells whether news are heard.
    async fn judge(&self, back: bool, heard: Instant) {
        if back {
            if self.silent.get() {
                self.recover().await;
                self.silent.set(false);
                self.inbox.tell(News::Heard);
            }
            return;
        }
        if heard.elapsed() < MISSED {
            return;
        }
        if !self.silent.replace(true) {
            tracing::warn!("nothing is heard of the NATS server");
            self.inbox.tell(News::Silent);
        }
        if self.link.is_up() {
            // The streams may be gone, or the connection be dead without its being known.
            let made = streams::make_others(&self.link, &self.settings).await;
            if made != Err(Trouble::Down) && made.is_err() {
                let _ = self.link.client().force_reconnect().await;
            }
        }
    }

    /// Learns the server's time from the message that went between two instants.
    async fn ask_time(&self, token: &str, sent: Instant, back: Instant) -> Result<(), Trouble> {
        let Link { names, .. } = &self.link;
        let subject = names.subject(&pulse(token));
        let kept = self.link.read(&names.stream("pulse"), Which::Last(&subject)).await?;
        let kept = kept.ok_or(Trouble::Unanswered)?;
        self.link.set_time(kept.time, sent, back);
        Ok(())
    }
}

fn pulse(token: &str) -> String {
    format!("pulse.{token}")
}

fn beat(token: &str) -> String {
    format!("beat.{token}")
}

/// Sends a pulse; whether it comes back is seen.
async fn send(link: &Link, token: &str) {
    let names: &Names = &link.names;
    if link.is_up() {
        // A client that was given up has no pulse.
        let _ = link.client().publish(names.subject(&pulse(token)), Vec::new().into()).await;
    }
}
