//! The checks that every wire makes on what a client says, so that JSON and Protobuf refuse the
//! same things with the same codes. Reading the wire itself is not done here.

mod data;
#[cfg(test)]
mod tests;

pub(crate) use data::{base64, bytes, json, json_bytes};

use martlet_core::model::{ChannelName, Code, Epoch, Limits, Position, Tags, UnixMillis};
use martlet_core::session::Start;

use crate::Refused;
use crate::error::clip;

/// Reads a channel's name.
pub(crate) fn channel(text: &str) -> Result<ChannelName, Refused> {
    ChannelName::parse(text).map_err(|error| {
        Refused::because(Code::ChannelInvalid, format!("{error}: {:?}", clip(text)))
    })
}

/// Where to start, from the three fields by which a client says it.
pub(crate) fn start(
    epoch: Option<&str>,
    offset: Option<u64>,
    since: Option<u64>,
) -> Result<Option<Start>, Refused> {
    match (epoch, offset, since) {
        (None, None, None) => Ok(None),
        (None, None, Some(since)) => Ok(Some(Start::Since(UnixMillis(since)))),
        (Some(epoch), Some(offset), None) => {
            let epoch = Epoch::parse(epoch).ok_or_else(|| unreadable_epoch(epoch))?;
            Ok(Some(Start::After(Position { epoch, offset })))
        }
        _ => Err(malformed("give epoch and offset together, or since alone, or none")),
    }
}

fn unreadable_epoch(epoch: &str) -> Refused {
    Refused::because(Code::CursorInvalid, format!("{:?} is no epoch", clip(epoch)))
}

/// A name, `ref` or key: 1 to `limits.name_bytes` bytes without control characters.
pub(crate) fn label(
    what: &str,
    text: Option<Box<str>>,
    limits: &Limits,
) -> Result<Option<Box<str>>, Refused> {
    let Some(text) = text else { return Ok(None) };
    if text.is_empty() {
        return Err(bad_label(format!("{what} is empty")));
    }
    short(what, &text, limits)?;
    Ok(Some(text))
}

/// Checks the tags: how many, how long, and that no two have one name.
pub(crate) fn tags(tags: Tags, limits: &Limits) -> Result<Tags, Refused> {
    if tags.len() > limits.tags {
        let detail = format!("{} tags, the limit is {}", tags.len(), limits.tags);
        return Err(Refused::because(Code::TooManyTags, detail));
    }
    for (i, (name, value)) in tags.iter().enumerate() {
        if name.is_empty() || tags[..i].iter().any(|(earlier, _)| earlier == name) {
            return Err(bad_label("a tag's name is empty or given twice"));
        }
        short("a tag's name", name, limits)?;
        short("a tag's value", value, limits)?;
    }
    Ok(tags)
}

fn short(what: &str, text: &str, limits: &Limits) -> Result<(), Refused> {
    if text.len() > limits.name_bytes {
        let (is, limit) = (text.len(), limits.name_bytes);
        return Err(bad_label(format!("{what} has {is} bytes, the limit is {limit}")));
    }
    if text.chars().any(char::is_control) {
        return Err(bad_label(format!("{what} has control characters")));
    }
    Ok(())
}

fn bad_label(detail: impl AsRef<str>) -> Refused {
    Refused::because(Code::NameInvalid, detail)
}

/// The client software's name, for logs. It is nobody's input, so it is made fit rather than
/// refused: control characters become spaces, and what is too long is left out.
pub(crate) fn agent(text: &str, limits: &Limits) -> Box<str> {
    let mut fit = String::new();
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if fit.len() + c.len_utf8() > limits.name_bytes {
            break;
        }
        fit.push(c);
    }
    fit.into()
}

/// Checks how many channels a command names.
pub(crate) fn channel_count(count: usize, limits: &Limits) -> Result<(), Refused> {
    if count <= limits.channels_per_client {
        return Ok(());
    }
    let detail = format!("{count} channels at once, the limit is {}", limits.channels_per_client);
    Err(Refused::because(Code::TooManyChannels, detail))
}

/// Like [`channel_count`], where no channel at all would get no answer at all.
pub(crate) fn some_channels(count: usize, limits: &Limits) -> Result<(), Refused> {
    if count == 0 {
        return Err(malformed("name at least one channel"));
    }
    channel_count(count, limits)
}

/// A command that is not of the documented form.
pub(crate) fn malformed(detail: impl AsRef<str>) -> Refused {
    Refused::because(Code::Malformed, detail)
}

/// More commands in a frame than the limit: none of them is done.
pub(crate) fn too_many_commands(limits: &Limits) -> Refused {
    let detail = format!("the limit is {}", limits.commands_per_frame);
    Refused::because(Code::TooManyCommands, detail)
}
