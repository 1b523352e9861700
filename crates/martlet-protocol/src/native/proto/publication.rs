//! What a channel tells everybody in it, as Protobuf: publications, joins and leaves.

use std::collections::BTreeMap;

use martlet_core::model::{ChannelName, Data, Publication, UserId};
use martlet_core::session::Member;

use super::frame;
use super::messages::{self, event, publication};

/// Writes a publication as an event after its length.
pub fn encode_publication(publication: &Publication, out: &mut Vec<u8>) {
    append(event::Event::Publication(message(publication, true)), out);
}

/// Writes a join as an event after its length.
pub fn encode_join(channel: &ChannelName, member: &Member, out: &mut Vec<u8>) {
    append(event::Event::Join(moved(channel, member)), out);
}

/// Writes a leave as an event after its length.
pub fn encode_leave(channel: &ChannelName, member: &Member, out: &mut Vec<u8>) {
    append(event::Event::Leave(moved(channel, member)), out);
}

fn append(event: event::Event, out: &mut Vec<u8>) {
    frame::append(&messages::Event { id: 0, event: Some(event) }, out);
}

/// A publication as a message; a page of history leaves out the channel.
pub(super) fn message(publication: &Publication, channel: bool) -> messages::Publication {
    messages::Publication {
        channel: if channel { publication.channel.to_string() } else { String::new() },
        id: publication.id.to_string(),
        epoch: publication.position.epoch.to_string(),
        offset: publication.position.offset,
        time: publication.time.0,
        name: publication.name.as_deref().map(str::to_owned),
        r#ref: publication.reference.as_deref().map(str::to_owned),
        tags: tags(&publication.tags),
        from: publication.from.as_ref().map(|from| messages::Sender {
            client: from.client.to_string(),
            user: from.user.as_ref().map(UserId::to_string),
        }),
        data: Some(match &publication.data {
            Data::Json(json) => publication::Data::Json(json.clone()),
            Data::Bytes(bytes) => publication::Data::Bytes(bytes.clone()),
        }),
    }
}

/// Tags as a map: on this wire they are sorted by name.
pub(super) fn tags(tags: &[(Box<str>, Box<str>)]) -> BTreeMap<String, String> {
    tags.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// A member and the channel it entered or left.
pub(super) fn moved(channel: &ChannelName, member: &Member) -> messages::Moved {
    messages::Moved {
        channel: channel.to_string(),
        client: member.client.to_string(),
        user: member.user.as_ref().map(UserId::to_string),
        info: member.info.clone(),
    }
}
