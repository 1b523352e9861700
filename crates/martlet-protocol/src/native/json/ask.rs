//! Commands, written as JSON: the client's side of `command`.

use martlet_core::model::{Draft, UnixMillis};
use martlet_core::session::{Command, Connect, History, Numbered, Refresh, Start, Subscribe};

use super::publication::{data_field, tags_field};
use super::write::{Object, list, text};

/// Writes one command as an object, without the line feed that parts it from the next.
pub fn encode_command(numbered: &Numbered, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    if numbered.id != 0 {
        object.number("id", numbered.id.into());
    }
    write_command(&numbered.command, &mut object);
    object.end();
}

fn write_command(command: &Command, o: &mut Object<'_>) {
    match command {
        Command::Connect(connect) => write_connect(connect, o.object("connect")),
        Command::Subscribe(subscribe) => list(o.field("subscribe"), subscribe, write_subscribe),
        Command::Unsubscribe(channels) => {
            list(o.field("unsubscribe"), channels, |out, channel| text(out, channel.as_str()));
        }
        Command::Publish(draft) => write_draft(draft, o.object("publish")),
        Command::History(history) => write_history(history, o.object("history")),
        Command::Presence(channel) => {
            let mut presence = o.object("presence");
            presence.text("channel", channel.as_str());
            presence.end();
        }
        Command::Ping => o.object("ping").end(),
        Command::Pong => o.object("pong").end(),
        Command::Refresh(refresh) => write_refresh(refresh, o.object("refresh")),
    }
}

fn write_connect(connect: &Connect, mut o: Object<'_>) {
    o.maybe_text("token", connect.token.as_deref());
    o.maybe_text("grant", connect.grant.as_deref());
    o.maybe_text("session", connect.session.map(|key| key.to_string()).as_deref());
    o.maybe_text("agent", connect.agent.as_deref());
    if !connect.subscribe.is_empty() {
        list(o.field("subscribe"), &connect.subscribe, write_subscribe);
    }
    o.end();
}

fn write_subscribe(out: &mut Vec<u8>, subscribe: &Subscribe) {
    let mut o = Object::new(out);
    o.text("channel", subscribe.channel.as_str());
    o.maybe_text("token", subscribe.token.as_deref());
    write_start(subscribe.start, &mut o);
    o.end();
}

fn write_start(start: Start, o: &mut Object<'_>) {
    match start {
        Start::Now => {}
        Start::After(position) => {
            o.epoch(position.epoch);
            o.number("offset", position.offset);
        }
        Start::Since(UnixMillis(since)) => o.number("since", since),
    }
}

fn write_draft(draft: &Draft, mut o: Object<'_>) {
    o.text("channel", draft.channel.as_str());
    data_field(&draft.data, &mut o);
    o.maybe_text("name", draft.name.as_deref());
    o.maybe_text("ref", draft.reference.as_deref());
    tags_field(&draft.tags, &mut o);
    o.maybe_text("key", draft.idempotency_key.as_deref());
    o.end();
}

fn write_history(history: &History, mut o: Object<'_>) {
    o.text("channel", history.channel.as_str());
    write_start(history.start.unwrap_or(Start::Now), &mut o);
    o.number("limit", history.limit as u64);
    if history.reverse {
        o.flag("reverse", true);
    }
    o.end();
}

fn write_refresh(refresh: &Refresh, mut o: Object<'_>) {
    o.maybe_text("channel", refresh.channel.as_ref().map(|channel| channel.as_str()));
    o.text("token", &refresh.token);
    o.end();
}
