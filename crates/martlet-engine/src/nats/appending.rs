//! Publishing: the drafts that wait for a channel, one message of them at a time, written on the
//! head as it is known, and what happens if that is wrong or nobody answers.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use martlet_core::model::{ChannelName, Draft, Publication, UnixMillis};
use martlet_core::port::{StoreError, StoreReply, StoreTicket};
use martlet_core::stream::Keep;
use prost::Message as _;
use tokio::task::spawn_local;
use tokio::time::{Instant, sleep, timeout};

use super::heads::{Head, Written};
use super::link::{Taken, Trouble, Which};
use super::names;
use super::packed::{Packed, Receipt};
use super::streams::{Class, Witness};
use super::{Far, PATIENCE};

/// The most publications in a message.
const PACKED_MAX: usize = 256;

/// The most bytes of data in a message of several publications: far below what a server takes.
const PACKED_BYTES_MAX: usize = 128 * 1024;

/// How long to wait at most before trying again where another node was first.
const COLLIDED_MS: u64 = 8;

/// How long to wait before trying again while the stream is not there.
const ABSENT: Duration = Duration::from_millis(100);

/// A draft that waits for its turn.
pub struct Waiting {
    /// Who asked.
    pub ticket: StoreTicket,
    /// The draft.
    pub draft: Draft,
    /// How much its channel keeps.
    pub keep: Keep,
}

/// What became of a message.
enum Fate {
    /// It was taken.
    Written(Vec<Arc<Publication>>),
    /// Its key had been used already, for this.
    Repeat(Arc<Publication>),
}

/// What is to be done with a message whose fate is not known yet.
enum Again {
    /// It may have been taken: it is sent as it is once more.
    Same(Attempt),
    /// It was not: it is made anew on the head that there is.
    Anew,
    /// It was taken, and is void: another came before it. Its key is used up.
    Void,
}

/// A message under way.
struct Attempt {
    head: Head,
    packed: Packed,
    /// Whether it was sent and may have been taken.
    unsure: bool,
}

impl Far {
    /// Puts a draft in its channel's line; somebody works on it.
    pub(super) fn append_later(self: &Rc<Self>, waiting: Waiting) {
        let channel = waiting.draft.channel.clone();
        let mut lines = self.waiting.borrow_mut();
        if let Some(line) = lines.get_mut(&channel) {
            return line.push_back(waiting);
        }
        lines.insert(channel.clone(), [waiting].into());
        spawn_local(Rc::clone(self).work_on(channel));
    }

    /// Publishes what waits for a channel until nothing does.
    async fn work_on(self: Rc<Self>, channel: ChannelName) {
        while let Some(batch) = self.next_batch(&channel) {
            self.publish(&channel, batch).await;
        }
    }

    /// What can go together next. A draft with a key goes alone.
    fn next_batch(&self, channel: &ChannelName) -> Option<Vec<Waiting>> {
        let mut lines = self.waiting.borrow_mut();
        let line = lines.get_mut(channel)?;
        let mut batch: Vec<Waiting> = Vec::new();
        let mut bytes = 0;
        while let Some(next) = line.front() {
            bytes += next.draft.data.len();
            let alone = |waiting: &Waiting| waiting.draft.idempotency_key.is_some();
            let first = batch.first();
            let other = first.is_some_and(|f| alone(f) || alone(next) || f.keep != next.keep);
            let full = first.is_some() && (bytes > PACKED_BYTES_MAX || batch.len() >= PACKED_MAX);
            if other || full {
                break;
            }
            batch.extend(line.pop_front());
        }
        if batch.is_empty() {
            lines.remove(channel);
            return None;
        }
        Some(batch)
    }

    async fn publish(self: &Rc<Self>, channel: &ChannelName, batch: Vec<Waiting>) {
        let class = self.class(batch[0].keep);
        let key = batch[0].draft.idempotency_key.clone();
        let mut drafts = Vec::with_capacity(batch.len());
        let mut tickets = Vec::with_capacity(batch.len());
        for Waiting { ticket, draft, .. } in batch {
            tickets.push((ticket, draft.data.len()));
            drafts.push(draft);
        }
        let fate = match &key {
            Some(key) => self.publish_once(&class, channel, key, &drafts).await,
            None => self.write(&class, channel, None, &drafts).await,
        };
        for (index, (ticket, weight)) in tickets.into_iter().enumerate() {
            let reply = match &fate {
                Ok(Fate::Written(all)) => match all.get(index) {
                    Some(publication) => appended(publication, false),
                    None => StoreReply::Failed(StoreError::Unsure),
                },
                Ok(Fate::Repeat(publication)) => appended(publication, true),
                Err(error) => StoreReply::Failed(*error),
            };
            self.reply(ticket, weight, reply);
        }
    }

    /// Publishes under a key, unless that was done. What it published is noted before the answer,
    /// so that it is still known when the message is not kept any more.
    async fn publish_once(
        self: &Rc<Self>,
        class: &Rc<Class>,
        channel: &ChannelName,
        key: &str,
        drafts: &[Draft],
    ) -> Result<Fate, StoreError> {
        let subject = self.link.names.key(channel, key);
        match self.noted(&subject, channel).await {
            Ok(Some(first)) => return Ok(Fate::Repeat(first)),
            Ok(None) => {}
            Err(_) => return Err(StoreError::Unavailable),
        }
        let id = format!("{}/{}", names::token(channel.as_str()), names::token(key));
        let fate = match self.write(class, channel, Some(&id), drafts).await {
            // The first one was taken, and is perhaps being noted.
            Err(StoreError::Unsure) => self.noted_soon(&subject, channel).await?,
            other => other?,
        };
        let (Fate::Written(_) | Fate::Repeat(_)) = &fate;
        let publication = match &fate {
            Fate::Written(all) => all.first(),
            Fate::Repeat(first) => Some(first),
        };
        if let Some(publication) = publication {
            let receipt = Receipt::of(publication).encode_to_vec();
            // Without the note the server still knows the key by itself.
            let _ = self.link.write(subject, None, None, receipt).await;
        }
        Ok(fate)
    }

    /// What was noted of a key.
    async fn noted(
        &self,
        subject: &str,
        channel: &ChannelName,
    ) -> Result<Option<Arc<Publication>>, Trouble> {
        let stream = self.link.names.stream("keys");
        let kept = self.link.read(&stream, Which::Last(subject)).await?;
        let receipt = kept.and_then(|kept| Receipt::decode(kept.payload).ok());
        Ok(receipt.map(|receipt| Arc::new(receipt.publication(channel))))
    }

    async fn noted_soon(&self, subject: &str, channel: &ChannelName) -> Result<Fate, StoreError> {
        for _ in 0..5 {
            if let Ok(Some(first)) = self.noted(subject, channel).await {
                return Ok(Fate::Repeat(first));
            }
            sleep(ABSENT).await;
        }
        Err(StoreError::Unsure)
    }

    /// Writes drafts as one message, on whatever head there is.
    async fn write(
        self: &Rc<Self>,
        class: &Rc<Class>,
        channel: &ChannelName,
        key: Option<&str>,
        drafts: &[Draft],
    ) -> Result<Fate, StoreError> {
        let begun = Instant::now();
        let mut attempt = None;
        let (mut collisions, mut voids) = (0u64, 0u32);
        while begun.elapsed() < PATIENCE {
            let current = match attempt.take() {
                Some(current) => current,
                None => match timeout(PATIENCE, self.attempt(class, channel, drafts)).await {
                    Ok(Ok(current)) => current,
                    Ok(Err(Trouble::Down)) | Err(_) => return Err(StoreError::Unavailable),
                    Ok(Err(_)) => {
                        self.look_again(class, false).await;
                        continue;
                    }
                },
            };
            // A key that a void message used up has a successor, the same for everybody.
            let key = key.map(|key| if voids > 0 { format!("{key}#{voids}") } else { key.into() });
            match self.send(class, channel, key.as_deref(), current).await {
                Ok(fate) => return fate,
                Err(Again::Same(same)) => attempt = Some(same),
                Err(again) => {
                    voids += u32::from(matches!(again, Again::Void));
                    collisions += 1;
                    if collisions > 1 {
                        let most = COLLIDED_MS.min(collisions);
                        sleep(Duration::from_millis(super::random() % (most + 1))).await;
                    }
                }
            }
        }
        let unsure = attempt.is_some_and(|attempt| attempt.unsure);
        Err(if unsure { StoreError::Unsure } else { StoreError::Unavailable })
    }

    async fn look_again(&self, class: &Class, lost: bool) {
        if let Err(trouble) = self.check(class, lost).await {
            tracing::debug!(%trouble, stream = %class.stream, "a stream cannot be used");
            sleep(ABSENT).await;
        }
    }

    async fn attempt(
        &self,
        class: &Rc<Class>,
        channel: &ChannelName,
        drafts: &[Draft],
    ) -> Result<Attempt, Trouble> {
        let head = self.known_head(class, channel).await?;
        let now = self.link.time().ok_or(Trouble::Down)?;
        let packed = Packed::new(head.before, now, super::random(), drafts);
        Ok(Attempt { head, packed, unsure: false })
    }

    /// Sends a message, and finds out what became of it or what is to be done again.
    async fn send(
        self: &Rc<Self>,
        class: &Rc<Class>,
        channel: &ChannelName,
        key: Option<&str>,
        attempt: Attempt,
    ) -> Result<Result<Fate, StoreError>, Again> {
        let Attempt { head, packed, unsure } = &attempt;
        let subject = self.link.names.channel(&class.name, &head.life.token(), channel);
        let seen = class.witness().sequence;
        let payload = packed.encode_to_vec();
        match self.link.write(subject, Some(head.before.sequence), key, payload).await {
            Ok(Taken { sequence, duplicate: true }) => {
                self.repeated(class, channel, sequence, packed.batch).await
            }
            Ok(Taken { sequence, .. }) if sequence <= seen => {
                // The server numbers anew what it had acknowledged: it lost that.
                self.look_again(class, true).await;
                Ok(Err(StoreError::Unsure))
            }
            // On a stream with copies the server may have taken another after the same one.
            Ok(_) if self.link.has_copies() => self.find_out(class, channel, attempt).await,
            Ok(Taken { sequence, .. }) => {
                Ok(Ok(self.taken(class, channel, head.life, sequence, packed)))
            }
            Err(Trouble::Conflict) if *unsure => self.find_out(class, channel, attempt).await,
            Err(Trouble::Conflict) => {
                self.heads.borrow_mut().forget(channel);
                Err(Again::Anew)
            }
            Err(Trouble::Unanswered) => Err(Again::Same(Attempt { unsure: true, ..attempt })),
            Err(Trouble::Down) if *unsure => Err(Again::Same(attempt)),
            Err(Trouble::Down) => Ok(Err(StoreError::Unavailable)),
            Err(Trouble::Nobody(_) | Trouble::Refused(..)) if *unsure => {
                self.look_again(class, false).await;
                self.find_out(class, channel, attempt).await
            }
            Err(trouble) => {
                tracing::debug!(%trouble, stream = %class.stream, "a publication was refused");
                self.look_again(class, false).await;
                sleep(ABSENT / 4).await;
                Err(Again::Anew)
            }
        }
    }

    /// A message was taken: its publications.
    fn taken(
        &self,
        class: &Class,
        channel: &ChannelName,
        life: super::names::Life,
        sequence: u64,
        packed: &Packed,
    ) -> Fate {
        let before = packed.end(sequence);
        self.heads.borrow_mut().learn(channel, Head { life, before });
        let time = UnixMillis(packed.time);
        class.saw(life, Witness { sequence, time, batch: packed.batch });
        let all = packed.publications(channel, before.at.epoch);
        Fate::Written(all.into_iter().map(Arc::new).collect())
    }

    /// A key had been used for the message of this number.
    async fn repeated(
        &self,
        class: &Class,
        channel: &ChannelName,
        sequence: u64,
        batch: u64,
    ) -> Result<Result<Fate, StoreError>, Again> {
        let kept = self.link.read(&class.stream, Which::At(sequence)).await;
        let Some(mut written) = kept.ok().flatten().and_then(Written::of) else {
            // Without it only what was noted can tell.
            return Ok(Err(StoreError::Unsure));
        };
        if self.link.has_copies() {
            if self.weigh(class, channel, &mut written).await.is_err() {
                return Ok(Err(StoreError::Unsure));
            }
            if !written.counts {
                self.heads.borrow_mut().forget(channel);
                return Err(Again::Void);
            }
        }
        if written.packed.batch == batch {
            return Ok(Ok(self.taken(class, channel, written.life, sequence, &written.packed)));
        }
        let epoch = written.end.at.epoch;
        let first = written.packed.publications(channel, epoch).into_iter().next();
        Ok(first.map(|first| Fate::Repeat(Arc::new(first))).ok_or(StoreError::Unsure))
    }

    /// Finds out whether a message was taken whose answer was lost: it could only be the next
    /// after the head that it was written on.
    async fn find_out(
        self: &Rc<Self>,
        class: &Rc<Class>,
        channel: &ChannelName,
        attempt: Attempt,
    ) -> Result<Result<Fate, StoreError>, Again> {
        let Attempt { head, packed, .. } = &attempt;
        let subject = self.link.names.channel(&class.name, &head.life.token(), channel);
        let next = Which::From(head.before.sequence + 1, &subject);
        let Ok(next) = self.link.read(&class.stream, next).await else {
            return Err(Again::Same(Attempt { unsure: true, ..attempt }));
        };
        let same_life = class.known_life() == Some(head.life);
        self.heads.borrow_mut().forget(channel);
        match next.and_then(Written::of) {
            Some(next) if next.packed.batch == packed.batch && same_life => {
                Ok(Ok(self.taken(class, channel, head.life, next.sequence, packed)))
            }
            // It may have been, and be gone; or it was, in a life that is over.
            Some(next) if next.packed.first > packed.first || !same_life => {
                Ok(Err(StoreError::Unsure))
            }
            None if !same_life => Ok(Err(StoreError::Unsure)),
            // Another came before it: it can never count any more.
            _ if self.link.has_copies() => Err(Again::Void),
            _ => Err(Again::Anew),
        }
    }

    /// Writes a channel's last message again without publications, so that the channel is
    /// remembered from now on.
    pub(super) async fn remember(self: Rc<Self>, class: Rc<Class>, channel: ChannelName) {
        if self.waiting.borrow().contains_key(&channel) {
            return;
        }
        let Ok(Attempt { head, packed, .. }) = self.attempt(&class, &channel, &[]).await else {
            return;
        };
        let subject = self.link.names.channel(&class.name, &head.life.token(), &channel);
        let written =
            self.link.write(subject, Some(head.before.sequence), None, packed.encode_to_vec());
        match written.await {
            Ok(taken) => drop(self.taken(&class, &channel, head.life, taken.sequence, &packed)),
            // Whoever was first has done it.
            Err(_) => self.heads.borrow_mut().forget(&channel),
        }
    }

    /// Looks at all streams that are used.
    pub(super) async fn check_all(&self) -> Result<(), Trouble> {
        let classes: Vec<_> = self.classes.borrow().values().cloned().collect();
        let checks = classes.iter().map(|class| self.check(class, false));
        join_all(checks).await.into_iter().collect()
    }
}

fn appended(publication: &Arc<Publication>, duplicate: bool) -> StoreReply {
    StoreReply::Appended { publication: Arc::clone(publication), duplicate }
}
