//! Following: a subscription for each channel, what has to wait until the server knows of it, and
//! what is heard.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Message, Subscriber};
use futures_util::StreamExt as _;
use martlet_core::model::{ChannelName, UnixMillis};
use martlet_core::port::{News, StoreError, StoreReply};
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, timeout};

use super::Far;
use super::heads::Head;
use super::link::CONNECTING;
use super::names::{self, Life};
use super::packed::Packed;
use super::streams::Witness;

/// The most channels that are subscribed to before the server is asked whether it knows.
const ROUND: usize = 1_024;

/// How long to wait for the server to hear, before asking it again.
const HEARING: Duration = Duration::from_secs(1);

/// After how long every server of a NATS cluster has heard of a subscription.
const SPREADING: Duration = Duration::from_secs(1);

/// How often channels are let go that nobody wants.
const LETTING_GO: Duration = Duration::from_secs(1);

impl Far {
    /// Subscribes to what is wanted.
    pub(super) fn subscribe(self: &Rc<Self>) {
        loop {
            let channels = self.interest.borrow_mut().take_wanted(ROUND);
            if channels.is_empty() {
                return;
            }
            spawn_local(Rc::clone(self).subscribe_to(channels));
        }
    }

    async fn subscribe_to(self: Rc<Self>, channels: Vec<ChannelName>) {
        for channel in &channels {
            let subject = self.link.names.news(channel);
            // It fails only when the connection has been given up for good.
            let Ok(subscriber) = self.link.client().subscribe(subject).await else { return };
            let task = spawn_local(Rc::clone(&self).hear(channel.clone(), subscriber));
            let before = self.subscribed.borrow_mut().insert(channel.clone(), task.abort_handle());
            before.into_iter().for_each(|task| task.abort());
        }
        let begun = Instant::now();
        while !self.echo().await {
            if begun.elapsed() > CONNECTING {
                self.give_up_parked();
            }
        }
        let released = self.interest.borrow_mut().heard(&channels);
        released.parked.into_iter().for_each(|(ticket, request)| self.begin(ticket, request));
        if self.several() {
            sleep(SPREADING).await;
            self.inbox.tell(News::Doubt(channels));
        }
    }

    /// Whether the server is one of several. Those hear of a subscription a little later, and what
    /// they pass on until then is not heard.
    fn several(&self) -> bool {
        let told = self.link.client().server_info().connect_urls.len();
        self.settings.replicas > 1 || self.settings.servers.len() > 1 || told > 1
    }

    /// Goes through the server and back on this connection: what was said before has been heard.
    pub(super) async fn echo(&self) -> bool {
        let client = self.link.client();
        let subject = client.new_inbox();
        let Ok(mut subscriber) = client.subscribe(subject.clone()).await else {
            sleep(HEARING).await;
            return false;
        };
        let sent = client.publish(subject, Vec::new().into()).await.is_ok();
        sent && matches!(timeout(HEARING, subscriber.next()).await, Ok(Some(_)))
    }

    /// What has waited too long is refused.
    fn give_up_parked(&self) {
        for (ticket, _) in self.interest.borrow_mut().take_parked() {
            self.reply(ticket, 0, StoreReply::Failed(StoreError::Unavailable));
        }
    }

    /// Lets channels go that nobody has wanted for a while.
    pub(super) async fn let_go(self: Rc<Self>) {
        loop {
            sleep(LETTING_GO).await;
            let left = self.interest.borrow_mut().take_left(self.now(), usize::MAX);
            let (mut subscribed, mut rows) = (self.subscribed.borrow_mut(), self.rows.borrow_mut());
            for channel in &left {
                rows.remove(channel);
            }
            let tasks = left.iter().filter_map(|channel| subscribed.remove(channel));
            tasks.for_each(|task| task.abort());
        }
    }

    /// Tells what is heard of a channel.
    async fn hear(self: Rc<Self>, channel: ChannelName, mut subscriber: Subscriber) {
        while let Some(message) = subscriber.next().await {
            if !self.interest.borrow().wants(&channel) {
                continue;
            }
            match names::part(&message.subject, 3) {
                Some("p") => self.hear_publications(&channel, message),
                Some("m") => self.hear_member(&channel, message),
                _ => {}
            }
        }
    }

    fn hear_publications(self: &Rc<Self>, channel: &ChannelName, message: Message) {
        let Some(packed) = Packed::read(message.payload.clone()) else { return };
        if !self.learn_heard(channel, &message, &packed) {
            return self.inbox.tell(News::Doubt(vec![channel.clone()]));
        }
        let epoch = packed.end(0).at.epoch;
        for publication in packed.publications(channel, epoch) {
            self.inbox.tell(News::Publication(Arc::new(publication)));
        }
    }

    /// What is heard is also where the channel stands. Says whether it is known to count: on a
    /// stream with copies, whether it was written after the one that was heard before it.
    fn learn_heard(
        self: &Rc<Self>,
        channel: &ChannelName,
        message: &Message,
        packed: &Packed,
    ) -> bool {
        let headers = message.headers.as_ref();
        let header = |name: &str| headers?.get(name).map(|value| value.as_str());
        let sequence = header("Nats-Sequence").and_then(|number| number.parse().ok());
        let life = names::part(&message.subject, 4).and_then(Life::parse);
        let (Some(sequence), Some(life)) = (sequence, life) else { return true };
        if self.link.has_copies() {
            let before = self.rows.borrow_mut().insert(channel.clone(), (life, sequence));
            if before != Some((life, packed.after)) {
                self.heads.borrow_mut().forget(channel);
                return false;
            }
        }
        let stream = header("Nats-Stream").unwrap_or_default();
        let classes = self.classes.borrow();
        let Some(class) = classes.values().find(|class| class.stream == stream) else {
            return true;
        };
        if class.known_life().is_some() && class.is_strange(life) {
            let (far, class) = (Rc::clone(self), Rc::clone(class));
            // If it cannot be looked at now, the next message is met.
            spawn_local(async move { far.meet(&class, life).await });
        }
        if class.known_life() == Some(life) {
            let before = packed.end(sequence);
            self.heads.borrow_mut().learn(channel, Head { life, before });
            let time = UnixMillis(packed.time);
            class.saw(life, Witness { sequence, time, batch: packed.batch });
        }
        true
    }
}
