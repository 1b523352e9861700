//! A publication as a history keeps it: in one piece of memory, without what all publications of
//! the channel have in common. Not a format: it never leaves the process.
//!
//! A publication in use is a handful of pointers to be shared and taken apart. There is one of it
//! for each channel at a time; of those that are kept there are as many as memory holds.

use bytes::Bytes;

use crate::model::{
    ChannelName, ClientId, Data, Position, Publication, PublicationId, Publisher, Tags, UnixMillis,
    UserId,
};

#[cfg(test)]
mod tests;

/// What is in it beside the id and the data, which always are.
const TIME: u8 = 1;
const NAME: u8 = 2;
const REFERENCE: u8 = 4;
const TAGS: u8 = 8;
const CLIENT: u8 = 16;
const USER: u8 = 32;
const JSON: u8 = 64;

/// A kept publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Packed(Box<[u8]>);

impl Packed {
    /// Packs all but the channel and the position.
    pub fn new(publication: &Publication) -> Self {
        let Publication { id, time, name, reference, tags, from, data, .. } = publication;
        let (Data::Json(bytes) | Data::Bytes(bytes)) = data;
        let user = from.as_ref().and_then(|from| from.user.as_ref());
        let flags = [
            (TIME, id.time() != *time),
            (NAME, name.is_some()),
            (REFERENCE, reference.is_some()),
            (TAGS, !tags.is_empty()),
            (CLIENT, from.is_some()),
            (USER, user.is_some()),
            (JSON, matches!(data, Data::Json(_))),
        ];
        let mut out = Vec::with_capacity(publication.packed_bytes());
        out.push(flags.iter().filter(|(_, set)| *set).fold(0, |all, (flag, _)| all | flag));
        out.extend_from_slice(&id.bits().to_le_bytes());
        if id.time() != *time {
            out.extend_from_slice(&time.0.to_le_bytes());
        }
        name.iter().chain(reference).for_each(|text| write_text(text, &mut out));
        if !tags.is_empty() {
            write_tags(tags, &mut out);
        }
        from.iter().for_each(|from| out.extend_from_slice(&from.client.bits().to_le_bytes()));
        user.into_iter().for_each(|user| write_text(user.as_str(), &mut out));
        out.extend_from_slice(bytes);
        Self(out.into_boxed_slice())
    }

    /// Unpacks it again.
    pub fn unpack(&self, channel: &ChannelName, position: Position) -> Publication {
        let mut rest = Rest(&self.0);
        let [flags] = rest.take();
        let has = |flag| flags & flag != 0;
        let id = PublicationId::from_bits(u128::from_le_bytes(rest.take()));
        let time = has(TIME).then(|| UnixMillis(u64::from_le_bytes(rest.take())));
        let name = has(NAME).then(|| rest.text().into());
        let reference = has(REFERENCE).then(|| rest.text().into());
        let tags = if has(TAGS) { rest.tags() } else { Tags::new() };
        let client = has(CLIENT).then(|| ClientId::new(u64::from_le_bytes(rest.take())));
        let user = if has(USER) { UserId::parse(rest.text()) } else { None };
        let data = Bytes::copy_from_slice(rest.0);
        Publication {
            channel: channel.clone(),
            id,
            position,
            time: time.unwrap_or(id.time()),
            name,
            reference,
            tags,
            from: client.map(|client| Publisher { client, user }),
            data: if has(JSON) { Data::Json(data) } else { Data::Bytes(data) },
        }
    }

    /// When it was published.
    pub fn time(&self) -> UnixMillis {
        let mut rest = Rest(&self.0);
        let [flags] = rest.take();
        let id = PublicationId::from_bits(u128::from_le_bytes(rest.take()));
        if flags & TIME == 0 { id.time() } else { UnixMillis(u64::from_le_bytes(rest.take())) }
    }

    /// How many bytes it takes.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl Publication {
    /// How long it is when packed, or a little more, so that it is packed without moving.
    fn packed_bytes(&self) -> usize {
        let text = |text: &Option<Box<str>>| text.as_deref().map_or(0, |text| 4 + text.len());
        let tags: usize = self.tags.iter().map(|(name, value)| 8 + name.len() + value.len()).sum();
        let user = self.from.as_ref().and_then(|from| from.user.as_ref());
        let from = usize::from(self.from.is_some()) * 8 + user.map_or(0, |u| 4 + u.as_str().len());
        let time = if self.id.time() == self.time { 0 } else { 8 };
        let tags = if tags == 0 { 0 } else { tags + 4 };
        1 + 16 + time + text(&self.name) + text(&self.reference) + tags + from + self.data.len()
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn write_tags(tags: &Tags, out: &mut Vec<u8>) {
    out.extend_from_slice(&(tags.len() as u32).to_le_bytes());
    tags.iter().flat_map(|(name, value)| [name, value]).for_each(|text| write_text(text, out));
}

/// What is still to be unpacked. All of it was packed here, so nothing can be missing.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self.0.split_first_chunk().expect("it was packed whole");
        self.0 = rest;
        *taken
    }

    fn number(&mut self) -> usize {
        u32::from_le_bytes(self.take()) as usize
    }

    fn text(&mut self) -> &'a str {
        let length = self.number();
        let (text, rest) = self.0.split_at(length);
        self.0 = rest;
        std::str::from_utf8(text).expect("it was text when it was packed")
    }

    fn tags(&mut self) -> Tags {
        let count = self.number();
        (0..count).map(|_| (self.text().into(), self.text().into())).collect()
    }
}
