//! The names of grants: real ones are signed, a transcript calls them `g1.1`, `g1.2`, … in the
//! order in which the server made them.

use martlet_core::session::{Answer, Command, Event, Numbered};
use martlet_protocol::native::proto;

/// The grants that the server made.
#[derive(Debug, Default)]
pub(super) struct Grants(Vec<String>);

/// What stands before a grant in JSON.
const FIELD: &str = "\"grant\":\"";

impl Grants {
    /// A grant was made; its name.
    fn name(&mut self, grant: &str) -> String {
        self.0.push(grant.into());
        format!("g1.{}", self.0.len())
    }

    /// The grant of a name, or the name itself, if it is no grant's.
    fn real<'a>(&'a self, name: &'a str) -> &'a str {
        let number = name.strip_prefix("g1.").and_then(|number| number.parse::<usize>().ok());
        let grant = number.and_then(|number| self.0.get(number.checked_sub(1)?));
        grant.map_or(name, String::as_str)
    }

    /// An event in JSON, its grant named.
    pub fn name_in_json(&mut self, text: &str) -> String {
        match split(text) {
            Some((before, grant, after)) => format!("{before}{}{after}", self.name(grant)),
            None => text.into(),
        }
    }

    /// A frame in JSON, with the real grant.
    pub fn real_in_json(&self, text: &str) -> String {
        match split(text) {
            Some((before, name, after)) => format!("{before}{}{after}", self.real(name)),
            None => text.into(),
        }
    }

    /// An event in Protobuf, its grant named.
    pub fn name_in_proto(&mut self, message: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let read = proto::decode_answer(message, |mut answer: Answer| {
            match &mut answer.event {
                Event::Connected(connected) => connected.grant = self.name(&connected.grant).into(),
                Event::Grant { grant, .. } => *grant = self.name(grant).into(),
                _ => {}
            }
            proto::encode_answer(&answer, &mut out);
        });
        if read.is_ok() { out } else { message.to_vec() }
    }

    /// A frame in Protobuf, with the real grant. A frame without one stays as it is, since it may
    /// be one that cannot be read.
    pub fn real_in_proto(&self, frame: Vec<u8>) -> Vec<u8> {
        let (mut out, mut granted) = (Vec::new(), false);
        let limits = martlet_core::model::Limits::default();
        let read = proto::decode(&frame, &limits, |command| {
            let Ok(mut numbered): Result<Numbered, _> = command else { return };
            if let Command::Connect(connect) = &mut numbered.command
                && let Some(name) = &connect.grant
            {
                connect.grant = Some(self.real(name).into());
                granted = true;
            }
            proto::encode_command(&numbered, &mut out);
        });
        if read.is_ok() && granted { out } else { frame }
    }
}

/// The text of the grant in an object, and what stands before and after it.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let begin = text.find(FIELD)? + FIELD.len();
    let end = begin + text[begin..].find('"')?;
    Some((&text[..begin], &text[begin..end], &text[end..]))
}
