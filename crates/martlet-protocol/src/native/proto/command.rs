//! Commands, read from Protobuf.

use martlet_core::model::{ChannelName, Code, Data, Draft, Limits, SessionKey};
use martlet_core::session::{Command, Connect, History, Numbered, Refresh, Start, Subscribe};
use prost::Message;

use super::frame;
use super::messages::{self, command, publish};
use crate::native::check::{self, malformed};
use crate::{FrameError, Refused};

/// Reads a frame of commands, in order, into `sink`, as [`json::decode`] does.
///
/// [`json::decode`]: crate::native::json::decode
pub fn decode(
    frame: &[u8],
    limits: &Limits,
    mut sink: impl FnMut(Result<Numbered, Refused>),
) -> Result<(), FrameError> {
    let most = limits.commands_per_frame;
    let messages = frame::messages(frame, most)?;
    if messages.len() > most {
        sink(Err(check::too_many_commands(limits)));
        return Ok(());
    }
    for message in messages {
        sink(numbered(message, limits));
    }
    Ok(())
}

fn numbered(bytes: &[u8], limits: &Limits) -> Result<Numbered, Refused> {
    let message = messages::Command::decode(bytes)
        .map_err(|error| Refused { id: frame::id_of(bytes), ..malformed(error.to_string()) })?;
    let (id, unread) = (message.id, message.encoded_len() < bytes.len());
    let command = match message.command {
        Some(command) => read(command, limits),
        None if unread => Err(Code::UnknownCommand.into()),
        None => Err(malformed("the message names no command")),
    };
    command.map(|command| Numbered { id, command }).map_err(|refused| Refused { id, ..refused })
}

fn read(command: command::Command, limits: &Limits) -> Result<Command, Refused> {
    Ok(match command {
        command::Command::Connect(body) => Command::Connect(connect(body, limits)?),
        command::Command::Subscribe(body) => {
            check::some_channels(body.channels.len(), limits)?;
            Command::Subscribe(subscriptions(body.channels)?)
        }
        command::Command::Unsubscribe(body) => Command::Unsubscribe(unsubscribe(body, limits)?),
        command::Command::Publish(body) => Command::Publish(publish(body, limits)?),
        command::Command::History(body) => Command::History(history(body, limits)?),
        command::Command::Presence(body) => Command::Presence(check::channel(&body.channel)?),
        command::Command::Ping(_) => Command::Ping,
        command::Command::Pong(_) => Command::Pong,
        command::Command::Refresh(body) => Command::Refresh(refresh(body)?),
    })
}

fn connect(body: messages::Connect, limits: &Limits) -> Result<Connect, Refused> {
    check::channel_count(body.subscribe.len(), limits)?;
    Ok(Connect {
        token: body.token.map(String::into),
        grant: body.grant.map(String::into),
        // What is no key of ours is no session of ours: the client gets a new one.
        session: body.session.and_then(|key| SessionKey::parse(&key)),
        agent: body.agent.map(|agent| check::agent(&agent, limits)),
        subscribe: subscriptions(body.subscribe)?,
        ..Connect::default()
    })
}

fn subscriptions(list: Vec<messages::Subscribe>) -> Result<Vec<Subscribe>, Refused> {
    list.into_iter().map(subscription).collect()
}

fn subscription(body: messages::Subscribe) -> Result<Subscribe, Refused> {
    let channel = check::channel(&body.channel)?;
    let start = check::start(body.epoch.as_deref(), body.offset, body.since)
        .map_err(|refused| refused.about(&channel))?;
    let token = body.token.map(String::into);
    Ok(Subscribe { channel, token, start: start.unwrap_or(Start::Now) })
}

fn unsubscribe(body: messages::ChannelList, limits: &Limits) -> Result<Vec<ChannelName>, Refused> {
    check::some_channels(body.channels.len(), limits)?;
    body.channels.iter().map(|channel| check::channel(channel)).collect()
}

fn publish(body: messages::Publish, limits: &Limits) -> Result<Draft, Refused> {
    let channel = check::channel(&body.channel)?;
    draft(body, &channel, limits).map_err(|refused| refused.about(&channel))
}

fn draft(
    body: messages::Publish,
    channel: &ChannelName,
    limits: &Limits,
) -> Result<Draft, Refused> {
    let tags = body.tags.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
    Ok(Draft {
        channel: channel.clone(),
        name: check::label("name", body.name.map(String::into), limits)?,
        reference: check::label("ref", body.r#ref.map(String::into), limits)?,
        tags: check::tags(tags, limits)?,
        from: None,
        idempotency_key: check::label("key", body.key.map(String::into), limits)?,
        data: data(body.data, limits)?,
    })
}

fn data(data: Option<publish::Data>, limits: &Limits) -> Result<Data, Refused> {
    match data {
        Some(publish::Data::Json(json)) => check::json_bytes(&json, limits),
        Some(publish::Data::Bytes(bytes)) => check::bytes(bytes, limits),
        None => Err(Refused::because(Code::DataInvalid, "give json or bytes")),
    }
}

fn history(body: messages::History, limits: &Limits) -> Result<History, Refused> {
    let channel = check::channel(&body.channel)?;
    let start = check::start(body.epoch.as_deref(), body.offset, body.since)
        .map_err(|refused| refused.about(&channel))?;
    let limit = body.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let limit = limit.unwrap_or(limits.history_page);
    Ok(History { channel, start, limit, reverse: body.reverse })
}

fn refresh(body: messages::Refresh) -> Result<Refresh, Refused> {
    let channel = body.channel.as_deref().map(check::channel).transpose()?;
    Ok(Refresh { channel, token: body.token.into() })
}
