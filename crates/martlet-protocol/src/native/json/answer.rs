//! Events told to one client, as JSON.

use martlet_core::model::{Appended, ChannelName, Refusal, UnixMillis};
use martlet_core::session::{Answer, Connected, Event, HistoryPage, Member, Subscribed};

use super::publication::{
    close_object, gap_object, lagged_object, member_object, publication_object, refusal_object,
};
use super::write::{Object, list};
use crate::native::said::millis;

/// Writes one event as an object, without the line feed that parts it from the next.
pub fn encode_answer(answer: &Answer, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    if answer.id != 0 {
        object.number("id", answer.id.into());
    }
    write_event(&answer.event, &mut object);
    object.end();
}

fn write_event(event: &Event, o: &mut Object<'_>) {
    match event {
        Event::Connected(connected) => write_connected(connected, o.object("connected")),
        Event::Subscribed(subscribed) => write_subscribed(subscribed, o.object("subscribed")),
        Event::Unsubscribed { channel, why } => {
            write_unsubscribed(channel, why.as_ref(), o.object("unsubscribed"));
        }
        Event::Published { channel, appended } => {
            encode_receipt(channel, appended, o.field("published"));
        }
        Event::Publication(publication) => {
            publication_object(publication, true, o.field("publication"));
        }
        Event::History(page) => write_history(page, o.object("history")),
        Event::Presence { channel, members, count } => {
            write_presence(channel, members, *count, o.object("presence"));
        }
        Event::Join { channel, member } => member_object(Some(channel), member, o.field("join")),
        Event::Leave { channel, member } => member_object(Some(channel), member, o.field("leave")),
        Event::Gap(gap) => gap_object(gap, o.field("gap")),
        Event::Lagged { channel, offset, head } => {
            lagged_object(channel, *offset, *head, o.field("lagged"));
        }
        Event::Ping => o.object("ping").end(),
        Event::Pong { time } => write_pong(*time, o.object("pong")),
        Event::Refreshed { channel, expires } => {
            write_refreshed(channel.as_ref(), *expires, o.object("refreshed"));
        }
        Event::Grant { grant, expires } => write_grant(grant, *expires, o.object("grant")),
        Event::Refused { channel, refusal } => {
            refusal_object(channel.as_ref(), refusal, o.field("error"));
        }
        Event::Closing(close) => close_object(close, o.field("close")),
    }
}

fn write_connected(connected: &Connected, mut o: Object<'_>) {
    o.client(connected.client);
    o.text("session", &connected.session.to_string());
    o.maybe_text("user", connected.user.as_ref().map(|user| user.as_str()));
    o.flag("resumed", connected.resumed);
    o.text("grant", &connected.grant);
    o.maybe_number("expires", connected.expires.map(|time| time.0));
    o.number("ping", millis(connected.ping));
    o.number("pong", millis(connected.pong));
    o.number("time", connected.time.0);
    o.number("frame_bytes", connected.frame_bytes as u64);
    o.end();
}

fn write_subscribed(subscribed: &Subscribed, mut o: Object<'_>) {
    o.text("channel", subscribed.channel.as_str());
    o.epoch(subscribed.position.epoch);
    o.number("offset", subscribed.position.offset);
    o.number("head", subscribed.head);
    o.flag("recovered", subscribed.recovered);
    o.end();
}

fn write_unsubscribed(channel: &ChannelName, why: Option<&Refusal>, mut o: Object<'_>) {
    o.text("channel", channel.as_str());
    if let Some(why) = why {
        o.number("code", why.code.number().into());
        o.text("name", why.code.name());
        o.text("message", &why.message());
    }
    o.end();
}

/// Writes the receipt for a publication, as the value of `published` is.
pub fn encode_receipt(channel: &ChannelName, appended: &Appended, out: &mut Vec<u8>) {
    let mut o = Object::new(out);
    o.text("channel", channel.as_str());
    o.id(appended.id);
    o.epoch(appended.position.epoch);
    o.number("offset", appended.position.offset);
    o.number("time", appended.time.0);
    if appended.duplicate {
        o.flag("duplicate", true);
    }
    o.end();
}

fn write_history(page: &HistoryPage, mut o: Object<'_>) {
    o.text("channel", page.channel.as_str());
    o.epoch(page.head.epoch);
    o.number("offset", page.head.offset);
    list(o.field("publications"), &page.publications, |out, publication| {
        publication_object(publication, false, out);
    });
    o.flag("more", page.more);
    o.end();
}

fn write_presence(channel: &ChannelName, members: &[Member], count: usize, mut o: Object<'_>) {
    o.text("channel", channel.as_str());
    list(o.field("members"), members, |out, member| member_object(None, member, out));
    o.number("count", count as u64);
    o.end();
}

fn write_pong(time: UnixMillis, mut o: Object<'_>) {
    o.number("time", time.0);
    o.end();
}

fn write_refreshed(channel: Option<&ChannelName>, expires: Option<UnixMillis>, mut o: Object<'_>) {
    o.maybe_text("channel", channel.map(ChannelName::as_str));
    o.maybe_number("expires", expires.map(|time| time.0));
    o.end();
}

fn write_grant(grant: &str, expires: UnixMillis, mut o: Object<'_>) {
    o.text("grant", grant);
    o.number("expires", expires.0);
    o.end();
}
