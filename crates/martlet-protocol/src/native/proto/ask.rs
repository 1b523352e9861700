//! Commands, written as Protobuf: the client's side of `command`.

use martlet_core::model::{Data, Draft, UnixMillis};
use martlet_core::session::{Command, Connect, History, Numbered, Refresh, Start, Subscribe};

use super::messages::{self, command, publish};
use super::{frame, publication::tags};

/// Writes one command after its length.
pub fn encode_command(numbered: &Numbered, out: &mut Vec<u8>) {
    let command = Some(message(&numbered.command));
    frame::append(&messages::Command { id: numbered.id, command }, out);
}

fn message(command: &Command) -> command::Command {
    match command {
        Command::Connect(connect) => command::Command::Connect(self::connect(connect)),
        Command::Subscribe(list) => {
            let channels = list.iter().map(subscribe).collect();
            command::Command::Subscribe(messages::SubscribeList { channels })
        }
        Command::Unsubscribe(channels) => {
            let channels = channels.iter().map(|channel| channel.to_string()).collect();
            command::Command::Unsubscribe(messages::ChannelList { channels })
        }
        Command::Publish(draft) => command::Command::Publish(publish(draft)),
        Command::History(history) => command::Command::History(self::history(history)),
        Command::Presence(channel) => {
            command::Command::Presence(messages::Presence { channel: channel.to_string() })
        }
        Command::Ping => command::Command::Ping(messages::Ping {}),
        Command::Pong => command::Command::Pong(messages::Pong { time: None }),
        Command::Refresh(refresh) => command::Command::Refresh(self::refresh(refresh)),
    }
}

fn connect(connect: &Connect) -> messages::Connect {
    messages::Connect {
        token: text(&connect.token),
        grant: text(&connect.grant),
        session: connect.session.map(|key| key.to_string()),
        agent: text(&connect.agent),
        subscribe: connect.subscribe.iter().map(subscribe).collect(),
    }
}

fn subscribe(subscribe: &Subscribe) -> messages::Subscribe {
    let (epoch, offset, since) = start(Some(subscribe.start));
    let token = text(&subscribe.token);
    messages::Subscribe { channel: subscribe.channel.to_string(), token, epoch, offset, since }
}

fn start(start: Option<Start>) -> (Option<String>, Option<u64>, Option<u64>) {
    match start {
        None | Some(Start::Now) => (None, None, None),
        Some(Start::After(at)) => (Some(at.epoch.to_string()), Some(at.offset), None),
        Some(Start::Since(UnixMillis(since))) => (None, None, Some(since)),
    }
}

fn publish(draft: &Draft) -> messages::Publish {
    messages::Publish {
        channel: draft.channel.to_string(),
        name: text(&draft.name),
        r#ref: text(&draft.reference),
        tags: tags(&draft.tags),
        key: text(&draft.idempotency_key),
        data: Some(match &draft.data {
            Data::Json(json) => publish::Data::Json(json.clone()),
            Data::Bytes(bytes) => publish::Data::Bytes(bytes.clone()),
        }),
    }
}

fn history(history: &History) -> messages::History {
    let (epoch, offset, since) = start(history.start);
    messages::History {
        channel: history.channel.to_string(),
        epoch,
        offset,
        since,
        limit: Some(history.limit as u64),
        reverse: history.reverse,
    }
}

fn refresh(refresh: &Refresh) -> messages::Refresh {
    let channel = refresh.channel.as_ref().map(|channel| channel.to_string());
    messages::Refresh { channel, token: refresh.token.to_string() }
}

fn text(text: &Option<Box<str>>) -> Option<String> {
    text.as_deref().map(str::to_owned)
}
