//! Events told to one client, as Protobuf.

use martlet_core::model::{Appended, ChannelName, Close, Gap, Refusal, UserId};
use martlet_core::session::{Answer, Connected, Event, HistoryPage, Member, Subscribed};

use super::frame;
use super::messages::{self, event};
use super::publication::{message as publication, moved};
use crate::native::said::millis;

/// Writes one event after its length.
pub fn encode_answer(answer: &Answer, out: &mut Vec<u8>) {
    frame::append(&messages::Event { id: answer.id, event: Some(message(&answer.event)) }, out);
}

fn message(event: &Event) -> event::Event {
    use event::Event as Wire;
    match event {
        Event::Connected(it) => Wire::Connected(connected(it)),
        Event::Subscribed(it) => Wire::Subscribed(subscribed(it)),
        Event::Unsubscribed { channel, why } => {
            Wire::Unsubscribed(unsubscribed(channel, why.as_ref()))
        }
        Event::Published { channel, appended } => Wire::Published(published(channel, appended)),
        Event::Publication(it) => Wire::Publication(publication(it, true)),
        Event::History(page) => Wire::History(history(page)),
        Event::Presence { channel, members, count } => {
            let members = members.iter().map(member).collect();
            let (channel, count) = (channel.to_string(), *count as u64);
            Wire::Presence(messages::PresencePage { channel, members, count })
        }
        Event::Join { channel, member } => Wire::Join(moved(channel, member)),
        Event::Leave { channel, member } => Wire::Leave(moved(channel, member)),
        Event::Gap(it) => Wire::Gap(gap(it)),
        Event::Lagged { channel, offset, head } => {
            let channel = channel.to_string();
            Wire::Lagged(messages::Lagged { channel, offset: *offset, head: *head })
        }
        Event::Ping => Wire::Ping(messages::Ping {}),
        Event::Pong { time } => Wire::Pong(messages::Pong { time: Some(time.0) }),
        Event::Refreshed { channel, expires } => Wire::Refreshed(messages::Refreshed {
            channel: channel.as_ref().map(ChannelName::to_string),
            expires: expires.map(|time| time.0),
        }),
        Event::Grant { grant, expires } => {
            Wire::Grant(messages::Grant { grant: grant.to_string(), expires: expires.0 })
        }
        Event::Refused { channel, refusal } => Wire::Error(error(channel.as_ref(), refusal)),
        Event::Closing(it) => Wire::Close(close(it)),
    }
}

fn connected(connected: &Connected) -> messages::Connected {
    messages::Connected {
        client: connected.client.to_string(),
        session: connected.session.to_string(),
        user: connected.user.as_ref().map(UserId::to_string),
        resumed: connected.resumed,
        grant: connected.grant.to_string(),
        expires: connected.expires.map(|time| time.0),
        ping: millis(connected.ping),
        pong: millis(connected.pong),
        time: connected.time.0,
        frame_bytes: connected.frame_bytes as u64,
    }
}

fn subscribed(subscribed: &Subscribed) -> messages::Subscribed {
    messages::Subscribed {
        channel: subscribed.channel.to_string(),
        epoch: subscribed.position.epoch.to_string(),
        offset: subscribed.position.offset,
        head: subscribed.head,
        recovered: subscribed.recovered,
    }
}

fn unsubscribed(channel: &ChannelName, why: Option<&Refusal>) -> messages::Unsubscribed {
    messages::Unsubscribed {
        channel: channel.to_string(),
        code: why.map(|why| why.code.number().into()),
        name: why.map(|why| why.code.name().into()),
        message: why.map(Refusal::message),
    }
}

fn published(channel: &ChannelName, appended: &Appended) -> messages::Published {
    messages::Published {
        channel: channel.to_string(),
        id: appended.id.to_string(),
        epoch: appended.position.epoch.to_string(),
        offset: appended.position.offset,
        time: appended.time.0,
        duplicate: appended.duplicate,
    }
}

fn history(page: &HistoryPage) -> messages::HistoryPage {
    messages::HistoryPage {
        channel: page.channel.to_string(),
        epoch: page.head.epoch.to_string(),
        offset: page.head.offset,
        publications: page.publications.iter().map(|it| publication(it, false)).collect(),
        more: page.more,
    }
}

fn member(member: &Member) -> messages::Member {
    messages::Member {
        client: member.client.to_string(),
        user: member.user.as_ref().map(UserId::to_string),
        info: member.info.clone(),
    }
}

fn gap(gap: &Gap) -> messages::Gap {
    messages::Gap {
        channel: gap.channel.to_string(),
        from: gap.from,
        to: gap.to,
        reason: gap.reason.as_str().into(),
        epoch: gap.resume.epoch.to_string(),
        offset: gap.resume.offset,
    }
}

fn error(channel: Option<&ChannelName>, refusal: &Refusal) -> messages::Error {
    messages::Error {
        code: refusal.code.number().into(),
        name: refusal.code.name().into(),
        message: refusal.message(),
        hint: refusal.code.hint().into(),
        channel: channel.map(ChannelName::to_string),
        temporary: refusal.code.temporary(),
        after: refusal.after.map(millis),
    }
}

fn close(close: &Close) -> messages::Close {
    messages::Close {
        code: close.code.number().into(),
        name: close.code.name().into(),
        message: close.reason(),
        reconnect: close.reconnect(),
        after: close.after.map(millis),
        node: close.node.as_deref().map(str::to_owned),
    }
}
