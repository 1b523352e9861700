//! What a client makes of what it is told.

use martlet_core::model::{Code, Publication, Refusal};
use martlet_core::session::{Answer, Connected, Event, HistoryPage};

use super::*;
use crate::record::{Record, hold};
use crate::wire::take_frame;

impl Client {
    /// Bytes came from the server.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8], record: &Record) -> Checked {
        self.heard_at = now;
        self.arrived.extend_from_slice(bytes);
        while let Some(frame) = take_frame(&mut self.arrived) {
            let mut answers = Vec::new();
            let read = json::decode_answer(&frame, |answer| answers.push(answer));
            read.map_err(|error| Violation(format!("a frame of the server: {error}")))?;
            hold(!answers.is_empty(), || "a frame of the server has nothing known in it".into())?;
            for answer in answers {
                self.handle_answer(now, answer, record)?;
            }
        }
        Ok(())
    }

    fn handle_answer(&mut self, now: Instant, answer: Answer, record: &Record) -> Checked {
        hold(self.advice.is_none(), || format!("{:?} after close", answer.event))?;
        self.answers += 1;
        let subscribes = self.take_asked(&answer)?;
        match answer.event {
            Event::Connected(connected) => self.let_in(*connected),
            Event::Subscribed(subscribed) => {
                if answer.id == 0 {
                    self.take_imposed(&subscribed.channel)?;
                }
                self.wanted_in(&subscribed.channel)?.handle_subscribed(&subscribed, record)
            }
            Event::Unsubscribed { channel, why } => {
                let follower = self.wanted_in(&channel)?;
                follower.handle_unsubscribed()?;
                if why.is_none() {
                    self.wants.remove(&channel);
                }
                Ok(())
            }
            Event::Published { channel, appended } => {
                let known = record.at(&channel, appended.position);
                hold(known.is_some_and(|known| known.id == appended.id), || {
                    format!("{channel}: acknowledged {appended:?}, the store has {known:?}")
                })
            }
            Event::Publication(publication) => {
                self.wanted_in(&publication.channel)?.handle_publication(&publication, record)
            }
            Event::Gap(gap) => self.wanted_in(&gap.channel)?.handle_gap(&gap, record),
            Event::Lagged { channel, offset, head } => {
                self.wanted_in(&channel)?.handle_lagged(offset, head)
            }
            Event::Join { channel, .. } | Event::Leave { channel, .. } => {
                self.wanted_in(&channel)?.handle_moved()
            }
            Event::History(page) => check_history(&page, record),
            Event::Ping => {
                self.send(0, Command::Pong);
                Ok(())
            }
            Event::Grant { grant, .. } => {
                self.grant = Some(grant);
                Ok(())
            }
            Event::Refused { channel, refusal } => {
                if matches!(refusal.code, Code::GrantInvalid | Code::GrantExpired) {
                    self.start_afresh();
                }
                if let (true, Some(channel)) = (subscribes, channel) {
                    self.handle_not_followed(&channel, &refusal);
                }
                Ok(())
            }
            Event::Closing(close) => {
                self.advice = Some(close);
                Ok(())
            }
            Event::Presence { .. } | Event::Pong { .. } | Event::Refreshed { .. } => Ok(()),
        }
        .inspect(|()| self.heard_at = now)
    }

    /// A subscription was refused. What may yet succeed is asked for again.
    fn handle_not_followed(&mut self, channel: &ChannelName, refusal: &Refusal) {
        let Some(follower) = self.wants.get_mut(channel) else { return };
        if let Stage::Asked(_) = follower.stage {
            follower.stage = Stage::Off;
            if !refusal.code.temporary() {
                self.wants.remove(channel);
            }
        }
    }

    /// The backend makes the client follow a channel, from the present on.
    fn take_imposed(&mut self, channel: &ChannelName) -> Checked {
        hold(self.imposed.contains(channel), || format!("{channel}: followed unasked"))?;
        let follower = self.wants.entry(channel.clone());
        follower.or_insert_with(|| Follower::new(channel.clone())).stage = Stage::Asked(Start::Now);
        Ok(())
    }

    /// Every answer answers something that was asked, and nothing is answered twice. Says whether
    /// it was to follow channels.
    fn take_asked(&mut self, answer: &Answer) -> Result<bool, Violation> {
        if answer.id == 0 {
            return Ok(false);
        }
        let Some(asked) = self.asked.get_mut(&answer.id) else {
            return Err(Violation(format!("an answer to nothing: {answer:?}")));
        };
        let refused = matches!(answer.event, Event::Refused { channel: None, .. });
        let subscribes = matches!(asked, Asked::Connect(_) | Asked::Subscribe(_));
        let done = match asked {
            Asked::Connect(left) => {
                let first = matches!(answer.event, Event::Connected(_)) || refused;
                *left -= usize::from(!first);
                self.connected && *left == 0 || first && *left == 0
            }
            Asked::Subscribe(left) | Asked::Unsubscribe(left) => {
                *left -= 1;
                *left == 0 || refused
            }
            Asked::Publish(_) | Asked::One => true,
        };
        if done {
            self.asked.remove(&answer.id);
        }
        Ok(subscribes)
    }

    fn let_in(&mut self, connected: Connected) -> Checked {
        hold(!self.connected, || "connected twice".into())?;
        let kept = self.session.is_none() || !connected.resumed || self.id == Some(connected.client);
        hold(kept, || format!("resumed as {} instead of {:?}", connected.client, self.id))?;
        self.connected = true;
        self.backoff.reset();
        self.silence_max = connected.ping + connected.pong;
        (self.grant, self.session) = (Some(connected.grant), Some(connected.session));
        self.id = Some(connected.client);
        Ok(())
    }

    fn wanted_in(&mut self, channel: &ChannelName) -> Result<&mut Follower, Violation> {
        let unwanted = || Violation(format!("{channel}: told of a channel that is not followed"));
        self.wants.get_mut(channel).ok_or_else(unwanted)
    }
}

/// A page is a piece of the record, without holes.
fn check_history(page: &HistoryPage, record: &Record) -> Checked {
    let offset = |publication: &Publication| publication.position.offset;
    for pair in page.publications.windows(2) {
        hold(offset(&pair[0]).abs_diff(offset(&pair[1])) == 1, || {
            format!("a page of {} has a hole: {:?}", page.channel, pair)
        })?;
    }
    let rising = |w: &[std::sync::Arc<Publication>]| offset(&w[0]) < offset(&w[1]);
    let mut pairs = page.publications.windows(2);
    let turns = page.publications.windows(2).next().is_some_and(rising);
    hold(pairs.all(|pair| rising(pair) == turns), || format!("a page turns: {page:?}"))?;
    for publication in &page.publications {
        let known = record.at(&page.channel, publication.position);
        hold(known.is_some_and(|known| known.id == publication.id), || {
            format!("{}: a page has {publication:?}, the store {known:?}", page.channel)
        })?;
    }
    Ok(())
}
