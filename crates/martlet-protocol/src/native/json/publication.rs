//! What a channel tells everybody in it: publications, joins and leaves; and the objects that
//! plain streams show too. Written once for all subscribers, so this is the hot path: fields go
//! straight into the buffer and nothing is allocated beside it.

use martlet_core::model::{ChannelName, Close, Data, Gap, Offset, Publication, Refusal};
use martlet_core::session::Member;

use super::write::{Object, text};
use crate::native::said::millis;

/// Writes `{"publication":{…}}`.
pub fn encode_publication(publication: &Publication, out: &mut Vec<u8>) {
    let mut event = Object::new(out);
    publication_object(publication, true, event.field("publication"));
    event.end();
}

/// Writes `{"join":{…}}`.
pub fn encode_join(channel: &ChannelName, member: &Member, out: &mut Vec<u8>) {
    let mut event = Object::new(out);
    member_object(Some(channel), member, event.field("join"));
    event.end();
}

/// Writes `{"leave":{…}}`.
pub fn encode_leave(channel: &ChannelName, member: &Member, out: &mut Vec<u8>) {
    let mut event = Object::new(out);
    member_object(Some(channel), member, event.field("leave"));
    event.end();
}

/// Writes a publication itself; a page of history leaves out the channel.
pub(crate) fn publication_object(publication: &Publication, channel: bool, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    if channel {
        object.text("channel", publication.channel.as_str());
    }
    object.id(publication.id);
    object.epoch(publication.position.epoch);
    object.number("offset", publication.position.offset);
    object.number("time", publication.time.0);
    object.maybe_text("name", publication.name.as_deref());
    object.maybe_text("ref", publication.reference.as_deref());
    tags_field(&publication.tags, &mut object);
    if let Some(from) = &publication.from {
        let mut sender = object.object("from");
        sender.client(from.client);
        sender.maybe_text("user", from.user.as_ref().map(|user| user.as_str()));
        sender.end();
    }
    data_field(&publication.data, &mut object);
    object.end();
}

/// Writes the `tags` field, unless there are none.
pub(super) fn tags_field(tags: &[(Box<str>, Box<str>)], object: &mut Object<'_>) {
    if tags.is_empty() {
        return;
    }
    let out = object.field("tags");
    out.push(b'{');
    for (i, (name, value)) in tags.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        text(out, name);
        out.push(b':');
        text(out, value);
    }
    out.push(b'}');
}

/// Writes `data` or `bytes`.
pub(super) fn data_field(data: &Data, object: &mut Object<'_>) {
    match data {
        Data::Json(json) => object.raw("data", json),
        Data::Bytes(bytes) => object.base64("bytes", bytes),
    }
}

/// Writes a member, with the channel where the event is about one member.
pub(super) fn member_object(channel: Option<&ChannelName>, member: &Member, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    object.maybe_text("channel", channel.map(ChannelName::as_str));
    object.client(member.client);
    object.maybe_text("user", member.user.as_ref().map(|user| user.as_str()));
    if let Some(info) = &member.info {
        object.raw("info", info);
    }
    object.end();
}

/// Writes what is missing.
pub(crate) fn gap_object(gap: &Gap, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    object.text("channel", gap.channel.as_str());
    object.number("from", gap.from);
    object.maybe_number("to", gap.to);
    object.text("reason", gap.reason.as_str());
    object.epoch(gap.resume.epoch);
    object.number("offset", gap.resume.offset);
    object.end();
}

/// Writes how far a reader fell behind.
pub(crate) fn lagged_object(
    channel: &ChannelName,
    offset: Offset,
    head: Offset,
    out: &mut Vec<u8>,
) {
    let mut object = Object::new(out);
    object.text("channel", channel.as_str());
    object.number("offset", offset);
    object.number("head", head);
    object.end();
}

/// Writes a refusal.
pub(crate) fn refusal_object(channel: Option<&ChannelName>, refusal: &Refusal, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    object.number("code", refusal.code.number().into());
    object.text("name", refusal.code.name());
    object.text("message", &refusal.message());
    object.text("hint", refusal.code.hint());
    object.maybe_text("channel", channel.map(ChannelName::as_str));
    object.flag("temporary", refusal.code.temporary());
    object.maybe_number("after", refusal.after.map(millis));
    object.end();
}

/// Writes the end of a connection.
pub(crate) fn close_object(close: &Close, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    object.number("code", close.code.number().into());
    object.text("name", close.code.name());
    object.text("message", &close.reason());
    object.flag("reconnect", close.reconnect());
    object.maybe_number("after", close.after.map(millis));
    object.maybe_text("node", close.node.as_deref());
    object.end();
}
