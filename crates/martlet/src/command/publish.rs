//! `martlet pub`: publishes one message, or each line of standard input.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use martlet_client::{Api, ApiOptions, Appended, Error, Message, unique};
use serde_json::json;

use super::connection::{Connection, failure, runtime};
use crate::failure::Failure;
use crate::output::print;

mod lines;
mod progress;

/// The largest file that is read. A server takes far less unless it is told otherwise.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Publish into a channel
///
/// One message:             martlet pub news '{"hello":1}'
///
/// A file:                  martlet pub news --file story.json
///
/// Each line of a program:  vmstat 1 | martlet pub host --lines
///
/// Data that is JSON is published as JSON, and anything else as a JSON text.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
#[command(override_usage = "martlet pub [OPTIONS] <CHANNEL> <DATA|--file <FILE>|--lines>")]
#[command(group = clap::ArgGroup::new("source").required(true).args(["data", "file", "lines"]))]
pub struct Arguments {
    /// The channel
    channel: String,

    /// The message
    #[arg(allow_negative_numbers = true)]
    data: Option<String>,

    /// Publish what is in a file; - is standard input
    #[arg(long)]
    file: Option<PathBuf>,

    /// Publish each line of standard input as it comes, in order; each exactly once
    #[arg(long)]
    lines: bool,

    /// The event name
    #[arg(long)]
    name: Option<String>,

    /// A tag; repeat it for several
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = tag)]
    tags: Vec<(String, String)>,

    /// An idempotency key: within five minutes a repeat publishes nothing. With --lines, lines
    /// have this and their number, so that the same input may be sent again after a failure
    #[arg(long)]
    key: Option<String>,

    /// Refuse data that is not JSON
    #[arg(long, conflicts_with = "text")]
    json: bool,

    /// Publish data as text even if it could be read as JSON
    #[arg(long)]
    text: bool,

    /// Publish data as bytes
    #[arg(long, conflicts_with_all = ["json", "text"])]
    binary: bool,

    #[command(flatten)]
    connection: Connection,

    /// The key for the server's API, if it wants one
    #[arg(long, env = "MARTLET_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
}

fn tag(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a tag is NAME=VALUE")?;
    Ok((name.into(), value.into()))
}

/// Publishes what the arguments say.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let options = ApiOptions { tls: arguments.connection.tls(), ..ApiOptions::default() };
    let api = Api::with(&arguments.connection.url, arguments.api_key.as_deref(), options);
    let api = api.map_err(|error| failure(&error))?;
    let runtime = runtime()?;
    if arguments.lines {
        return runtime.block_on(lines::run(&arguments, &api));
    }
    let data = arguments.read()?;
    let key = match &arguments.key {
        Some(key) => key.clone(),
        None => unique().map_err(|error| failure(&error))?,
    };
    let message = arguments.message(data, key)?;
    let published = runtime.block_on(once(&api, &arguments.channel, message));
    let appended = published.map_err(|error| failure(&error))?;
    print(&receipt(&arguments.channel, &appended, std::io::stdout().is_terminal()))
}

/// Publishes one message. An answer that was lost on its way is asked for once more: the key
/// sees to it that nothing is published twice.
async fn once(api: &Api, channel: &str, message: Message) -> Result<Appended, Error> {
    match api.publish(channel, message.clone()).await {
        Err(Error::Lost(_)) => api.publish(channel, message).await,
        done => done,
    }
}

impl Arguments {
    fn read(&self) -> Result<Vec<u8>, Failure> {
        match (&self.data, &self.file) {
            (Some(data), _) => Ok(data.clone().into_bytes()),
            (None, Some(path)) if path == Path::new("-") => {
                whole(std::io::stdin(), "standard input")
            }
            (None, Some(path)) => {
                let name = path.display().to_string();
                let file = std::fs::File::open(path).map_err(|error| unread(&name, &error))?;
                whole(file, &name)
            }
            (None, None) => Err(Failure::wrong("there is nothing to publish")),
        }
    }

    /// The message for `data`.
    fn message(&self, data: Vec<u8>, key: String) -> Result<Message, Failure> {
        let message = self.body(data)?.key(key);
        let message = match &self.name {
            Some(name) => message.name(name.as_str()),
            None => message,
        };
        let tag = |message: Message, (name, value): &(String, String)| {
            message.tag(name.as_str(), value.as_str())
        };
        Ok(self.tags.iter().fold(message, tag))
    }

    fn body(&self, data: Vec<u8>) -> Result<Message, Failure> {
        if self.binary {
            return Ok(Message::bytes(data));
        }
        let text = String::from_utf8_lossy(&data);
        let told = |error: Error| failure(&error);
        if self.text {
            return Message::json(&*text).map_err(told);
        }
        match Message::raw_json(&text) {
            Ok(message) => Ok(message),
            Err(error) if self.json => {
                Err(Failure::wrong(error).hint("correct the JSON, or leave out --json"))
            }
            Err(_) => Message::json(&*text).map_err(told),
        }
    }
}

fn unread(name: &str, error: &std::io::Error) -> Failure {
    Failure::failed(format!("{name} cannot be read: {error}"))
}

fn whole(source: impl Read, name: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = source.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| unread(name, &error))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let limit = FILE_BYTES_MAX >> 20;
        return Err(Failure::failed(format!("{name} is larger than {limit} MiB"))
            .hint("publish a link to it instead"));
    }
    Ok(bytes)
}

/// What is said of a publication: words for a person, JSON for a program.
fn receipt(channel: &str, appended: &Appended, terminal: bool) -> String {
    let Appended { id, position, time, duplicate } = appended;
    if terminal {
        let verb = if *duplicate { "was published before" } else { "published" };
        return format!("{channel} {}: {verb} as {id}\n", position.offset);
    }
    let mut receipt = json!({
        "channel": channel, "id": id.to_string(), "epoch": position.epoch.to_string(),
        "offset": position.offset, "time": time.0
    });
    if *duplicate {
        receipt["duplicate"] = true.into();
    }
    format!("{receipt}\n")
}
