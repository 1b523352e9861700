//! What channels' owners and the lane say to the session, and how the client is told.

use super::*;
use crate::model::{Gap, Lagging, Offset};
use crate::session::Reply;

impl Session {
    /// A channel's owner replied to the request with this number.
    pub fn handle_reply(&mut self, number: u32, reply: Reply) {
        match (self.take_asked(number), reply) {
            (Some(Asked::Follow { id, channel }), Reply::Followed(followed)) => {
                self.followed(number, id, channel, followed);
            }
            (Some(Asked::Publish { id, channel }), Reply::Published(appended)) => {
                self.answer(id, Event::Published { channel, appended });
            }
            (Some(Asked::History { id, .. }), Reply::History(page)) => {
                self.answer(id, Event::History(page));
            }
            (Some(Asked::Members { id, channel }), Reply::Members { members, count }) => {
                self.answer(id, Event::Presence { channel, members, count });
            }
            (Some(asked), Reply::Refused(refusal)) => self.refused(number, asked, refusal),
            (Some(asked), _) => self.refused(number, asked, Code::Internal.into()),
            (None, _) => {}
        }
    }

    fn refused(&mut self, number: u32, asked: Asked, refusal: Refusal) {
        let (id, channel) = match asked {
            Asked::Follow { id, channel } => {
                self.following.retain(|f| f.number != number);
                (id, channel)
            }
            Asked::Publish { id, channel }
            | Asked::History { id, channel }
            | Asked::Members { id, channel } => (id, channel),
            _ => return,
        };
        self.refuse_in(id, &channel, refusal);
    }

    /// The lane found that the client fell behind.
    pub fn handle_lagged(&mut self, channel: ChannelName, offset: Offset, head: Offset) {
        let namespace = self.namespace(&channel);
        let hopeless = |namespace: &Namespace| {
            namespace.lagging == Lagging::Close && namespace.history_size == 0
        };
        if namespace.is_ok_and(hopeless) {
            return self.close(Code::Lagged.into());
        }
        self.tell(0, Event::Lagged { channel, offset, head });
    }

    /// Nothing is heard of what happens in a channel. That is nobody's fault who reads it, so it is
    /// told and no more.
    pub fn handle_doubted(&mut self, channel: ChannelName, offset: Offset, head: Offset) {
        self.tell(0, Event::Lagged { channel, offset, head });
    }

    /// The lane found that something cannot be had any more.
    pub fn handle_gap(&mut self, gap: Gap) {
        self.tell(0, Event::Gap(gap));
    }
}
