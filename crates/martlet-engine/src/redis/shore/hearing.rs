//! What a Redis says by itself: news of channels, its canary, and that it will say no more of one.

use std::sync::Arc;

use bytes::Bytes;
use martlet_core::model::ChannelName;
use martlet_core::port::News;
use martlet_core::presence::Moved;
use redis::{PushInfo, PushKind, Value};

use super::Shore;
use crate::redis::calls::{Message, message_of};
use crate::redis::link::Link;

/// The most that is heard in one turn.
const PUSHES_MAX: usize = 64;

impl Shore {
    /// The server says something by itself, and perhaps more has come with it.
    pub(super) fn take_pushes(&mut self, first: PushInfo, link: &mut Link) -> Result<(), String> {
        self.take_push(first)?;
        for _ in 1..PUSHES_MAX {
            let Ok(push) = link.pushes.try_recv() else { break };
            self.take_push(push)?;
        }
        Ok(())
    }

    /// The server says something by itself. Fails if the connection is to be given up.
    fn take_push(&mut self, push: PushInfo) -> Result<(), String> {
        let PushInfo { kind, data } = push;
        let mut data = data.into_iter().map(|value| match value {
            Value::BulkString(bytes) => Bytes::from(bytes),
            _ => Bytes::new(),
        });
        match (kind, data.next(), data.next()) {
            (PushKind::SMessage, Some(live), Some(message)) => self.take_message(&live, message),
            (PushKind::SUnsubscribe, Some(live), _) => {
                let heard = self.channel_of(&live).is_some_and(|c| self.desk.interest.hears(&c));
                if heard {
                    return Err("a channel is heard no more, it may have moved".into());
                }
            }
            (PushKind::Disconnection, ..) => return Err("the connection broke".into()),
            _ => {}
        }
        Ok(())
    }

    fn channel_of(&self, live: &[u8]) -> Option<ChannelName> {
        let name = self.names.channel_of(std::str::from_utf8(live).ok()?)?;
        ChannelName::parse(name).ok()
    }

    fn take_message(&mut self, live: &[u8], message: Bytes) {
        let Some(channel) = self.channel_of(live) else {
            if live == self.canary_channel().as_bytes()
                && let Some(number) = number_of(&message)
            {
                self.canary.handle_heard(self.now(), number);
            }
            return;
        };
        let news = match message_of(channel.clone(), message) {
            Some(Message::Publication(publication)) => News::Publication(Arc::new(publication)),
            Some(Message::Join(member)) => News::Moved(channel, Moved::Join(member)),
            Some(Message::Leave(member)) => News::Moved(channel, Moved::Leave(member)),
            // A newer version may tell what this one does not know; what there is can be read.
            None => News::Doubt(vec![channel]),
        };
        self.inbox.tell(news);
    }
}

fn number_of(message: &[u8]) -> Option<u64> {
    std::str::from_utf8(message).ok()?.parse().ok()
}
