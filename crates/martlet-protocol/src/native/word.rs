//! Identifiers and positions as a client reads them from events. The server wrote them, so what
//! cannot be read is an error of the whole frame.

use martlet_core::model::{
    ChannelName, ClientId, Epoch, Offset, Position, PublicationId, Publisher, SessionKey, UserId,
};
use martlet_core::session::Member;

use crate::FrameError;

pub(super) type Read<T> = Result<T, FrameError>;

pub(super) fn channel(text: &str) -> Read<ChannelName> {
    ChannelName::parse(text).map_err(|error| FrameError::new(error.to_string()))
}

pub(super) fn client(text: &str) -> Read<ClientId> {
    ClientId::parse(text).ok_or_else(|| not("client", text))
}

pub(super) fn session(text: &str) -> Read<SessionKey> {
    SessionKey::parse(text).ok_or_else(|| FrameError::new("session cannot be read"))
}

pub(super) fn user(text: Option<&str>) -> Read<Option<UserId>> {
    text.map(|text| UserId::parse(text).ok_or_else(|| not("user", text))).transpose()
}

pub(super) fn id(text: &str) -> Read<PublicationId> {
    PublicationId::parse(text).ok_or_else(|| not("id", text))
}

pub(super) fn position(epoch: &str, offset: Offset) -> Read<Position> {
    let epoch = Epoch::parse(epoch).ok_or_else(|| not("epoch", epoch))?;
    Ok(Position { epoch, offset })
}

pub(super) fn publisher(client: &str, user: Option<&str>) -> Read<Publisher> {
    Ok(Publisher { client: self::client(client)?, user: self::user(user)? })
}

pub(super) fn member(client: &str, user: Option<&str>, info: Option<bytes::Bytes>) -> Read<Member> {
    Ok(Member { client: self::client(client)?, user: self::user(user)?, info })
}

pub(super) fn not(what: &str, text: &str) -> FrameError {
    FrameError::new(format!("{text:?} is no {what}"))
}
