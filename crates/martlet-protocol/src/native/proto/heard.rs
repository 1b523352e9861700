//! Events, read from Protobuf: the client's side of `answer` and `publication`.

use std::sync::Arc;
use std::time::Duration;

use martlet_core::model::{Appended, ChannelName, Data, Gap, GapReason, Publication, UnixMillis};
use martlet_core::session::{Answer, Connected, Event, HistoryPage, Member, Subscribed};
use prost::Message;

use super::frame;
use super::messages::{self, event, publication};
use crate::FrameError;
use crate::native::said;
use crate::native::word::{self, Read};

/// Reads a frame of events, in order, into `sink`. Events of a newer server that are not known
/// here are left out; a known event that cannot be read is an error.
pub fn decode_answer(frame: &[u8], mut sink: impl FnMut(Answer)) -> Result<(), FrameError> {
    for message in frame::messages(frame, usize::MAX)? {
        let message =
            messages::Event::decode(message).map_err(|error| FrameError::new(error.to_string()))?;
        if let Some(event) = message.event {
            sink(Answer { id: message.id, event: read(event)? });
        }
    }
    Ok(())
}

fn read(event: event::Event) -> Read<Event> {
    use event::Event as Wire;
    Ok(match event {
        Wire::Connected(it) => Event::Connected(Box::new(connected(it)?)),
        Wire::Subscribed(it) => Event::Subscribed(Subscribed {
            channel: word::channel(&it.channel)?,
            position: word::position(&it.epoch, it.offset)?,
            head: it.head,
            recovered: it.recovered,
        }),
        Wire::Unsubscribed(it) => unsubscribed(it)?,
        Wire::Published(it) => published(it)?,
        Wire::Publication(it) => {
            let channel = word::channel(&it.channel)?;
            Event::Publication(publication(it, channel)?)
        }
        Wire::History(it) => Event::History(history(it)?),
        Wire::Presence(it) => presence(it)?,
        Wire::Join(it) => moved(it).map(|(channel, member)| Event::Join { channel, member })?,
        Wire::Leave(it) => moved(it).map(|(channel, member)| Event::Leave { channel, member })?,
        Wire::Gap(it) => Event::Gap(gap(it)?),
        Wire::Lagged(it) => {
            let channel = word::channel(&it.channel)?;
            Event::Lagged { channel, offset: it.offset, head: it.head }
        }
        Wire::Ping(_) => Event::Ping,
        Wire::Pong(it) => Event::Pong { time: UnixMillis(it.time.unwrap_or_default()) },
        Wire::Refreshed(it) => Event::Refreshed {
            channel: it.channel.as_deref().map(word::channel).transpose()?,
            expires: it.expires.map(UnixMillis),
        },
        Wire::Grant(it) => Event::Grant { grant: it.grant.into(), expires: UnixMillis(it.expires) },
        Wire::Error(it) => Event::Refused {
            channel: it.channel.as_deref().map(word::channel).transpose()?,
            refusal: said::refusal(it.code, &it.message, it.temporary, it.after),
        },
        Wire::Close(it) => {
            let node = it.node.map(Into::into);
            Event::Closing(said::close(it.code, &it.message, it.reconnect, it.after, node))
        }
    })
}

fn connected(it: messages::Connected) -> Read<Connected> {
    Ok(Connected {
        client: word::client(&it.client)?,
        session: word::session(&it.session)?,
        user: word::user(it.user.as_deref())?,
        resumed: it.resumed,
        grant: it.grant.into(),
        expires: it.expires.map(UnixMillis),
        ping: Duration::from_millis(it.ping),
        pong: Duration::from_millis(it.pong),
        time: UnixMillis(it.time),
        frame_bytes: usize::try_from(it.frame_bytes).unwrap_or(usize::MAX),
    })
}

fn unsubscribed(it: messages::Unsubscribed) -> Read<Event> {
    let message = it.message.unwrap_or_default();
    Ok(Event::Unsubscribed {
        channel: word::channel(&it.channel)?,
        why: it.code.map(|code| said::refusal(code, &message, false, None)),
    })
}

fn published(it: messages::Published) -> Read<Event> {
    let appended = Appended {
        id: word::id(&it.id)?,
        position: word::position(&it.epoch, it.offset)?,
        time: UnixMillis(it.time),
        duplicate: it.duplicate,
    };
    Ok(Event::Published { channel: word::channel(&it.channel)?, appended })
}

fn publication(it: messages::Publication, channel: ChannelName) -> Read<Arc<Publication>> {
    let from = it.from.map(|from| word::publisher(&from.client, from.user.as_deref()));
    let tags = it.tags.into_iter().map(|(name, value)| (name.into(), value.into()));
    Ok(Arc::new(Publication {
        channel,
        id: word::id(&it.id)?,
        position: word::position(&it.epoch, it.offset)?,
        time: UnixMillis(it.time),
        name: it.name.map(String::into),
        reference: it.r#ref.map(String::into),
        tags: tags.collect(),
        from: from.transpose()?,
        data: match it.data {
            Some(publication::Data::Json(json)) => Data::Json(json),
            Some(publication::Data::Bytes(bytes)) => Data::Bytes(bytes),
            None => return Err(FrameError::new("a publication has json or bytes")),
        },
    }))
}

fn history(it: messages::HistoryPage) -> Read<HistoryPage> {
    let channel = word::channel(&it.channel)?;
    let publications = it.publications.into_iter();
    Ok(HistoryPage {
        head: word::position(&it.epoch, it.offset)?,
        publications: publications
            .map(|it| publication(it, channel.clone()))
            .collect::<Read<_>>()?,
        more: it.more,
        channel,
    })
}

fn presence(it: messages::PresencePage) -> Read<Event> {
    let members = it.members.into_iter();
    Ok(Event::Presence {
        channel: word::channel(&it.channel)?,
        members: members
            .map(|it| word::member(&it.client, it.user.as_deref(), it.info))
            .collect::<Read<_>>()?,
        count: usize::try_from(it.count).unwrap_or(usize::MAX),
    })
}

fn moved(it: messages::Moved) -> Read<(ChannelName, Member)> {
    let member = word::member(&it.client, it.user.as_deref(), it.info)?;
    Ok((word::channel(&it.channel)?, member))
}

fn gap(it: messages::Gap) -> Read<Gap> {
    Ok(Gap {
        channel: word::channel(&it.channel)?,
        from: it.from,
        to: it.to,
        reason: GapReason::parse(&it.reason).ok_or_else(|| word::not("reason", &it.reason))?,
        resume: word::position(&it.epoch, it.offset)?,
    })
}
