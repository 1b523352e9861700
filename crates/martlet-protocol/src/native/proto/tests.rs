//! Protobuf: the made code is fresh, what is written is read back, bad frames are refused.

use std::path::Path;

use martlet_core::model::{Code, Limits};
use martlet_core::session::{Answer, Event, Numbered};
use proptest::prelude::*;
use prost::Message;
use prost::encoding::encode_varint;
use prost_build::Module;

use super::*;
use crate::native::samples::{self, assert_file};
use crate::{FrameError, Refused};

#[test]
fn the_messages_are_made_from_the_schema() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let schema = protox::compile([root.join("proto/martlet.proto")], [root.join("proto")]).unwrap();
    let module = Module::from_protobuf_package_name("martlet.v1");
    let requests = schema.file.into_iter().map(|file| (module.clone(), file)).collect();
    let mut config = prost_build::Config::new();
    config.bytes(["."]).btree_map(["."]);
    let made = config.generate(requests).unwrap().remove(&module).unwrap();
    let file = root.join("crates/martlet-protocol/src/native/proto/messages.rs");
    assert_file(&file, &format!("{HEAD}{made}"));
}

const HEAD: &str = "\
//! The messages of `proto/martlet.proto`. Made by `UPDATE=1 cargo test -p martlet-protocol
//! proto`; not to be edited by hand.

";

type Heard = Vec<Result<Numbered, Refused>>;

fn heard_within(frame: &[u8], limits: &Limits) -> Result<Heard, FrameError> {
    let mut heard = Vec::new();
    decode(frame, limits, |it| heard.push(it))?;
    Ok(heard)
}

/// The one refusal of a message: the id it is answered with, and the code.
fn refused(message: &[u8]) -> (u32, Code) {
    let mut frame = Vec::new();
    encode_varint(message.len() as u64, &mut frame);
    frame.extend_from_slice(message);
    match &heard_within(&frame, &Limits::default()).unwrap()[..] {
        [Err(refused)] => (refused.id, refused.refusal.code),
        other => panic!("one refusal was expected: {other:?}"),
    }
}

fn told(frame: &[u8]) -> Result<Vec<Answer>, FrameError> {
    let mut told = Vec::new();
    decode_answer(frame, |answer| told.push(answer)).map(|()| told)
}

#[test]
fn a_frame_that_is_no_messages_does_nothing() {
    let ping = [4, 8, 7, 0x42, 0];
    let frames: [&[u8]; 6] = [
        &[],
        &[5, 8, 7],
        &[0xff; 20],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[&ping[..], &[100, 1]].concat(),
    ];
    for frame in frames {
        let mut heard = 0;
        let error = decode(frame, &Limits::default(), |_| heard += 1).unwrap_err();
        assert_eq!((heard, error.close().code), (0, Code::BadFrame), "{frame:?}");
    }
}

#[test]
fn refusals_have_the_id_and_the_code() {
    let groups = [&[8, 7][..], &[0x7b; 200]].concat();
    let cases: [(&[u8], u32, Code); 8] = [
        (&[], 0, Code::Malformed),
        (&[8, 7], 7, Code::Malformed),
        (&[8, 7, 0xfa, 1, 0], 7, Code::UnknownCommand),
        (&[8, 7, 0x3a, 2, 10, 9], 7, Code::Malformed),
        (&[8, 7, 0x3a, 3, 10, 1, 0xff], 7, Code::Malformed),
        (&[8, 7, 0x3a, 3, 10, 1, b' '], 7, Code::ChannelInvalid),
        (&[8, 7, 0x3a, 0], 7, Code::ChannelInvalid),
        (&groups, 0, Code::Malformed),
    ];
    for (message, id, code) in cases {
        assert_eq!(refused(message), (id, code), "{message:?}");
    }
}

#[test]
fn json_inside_is_looked_at() {
    let publish = |json: &'static [u8]| {
        let data = Some(messages::publish::Data::Json(json.into()));
        let publish = messages::Publish { channel: "a".into(), data, ..Default::default() };
        let command = Some(messages::command::Command::Publish(publish));
        messages::Command { id: 7, command }.encode_to_vec()
    };
    for bad in [&b""[..], b"{", b"1 2", b"\"\xff\"", b"NaN"] {
        assert_eq!(refused(&publish(bad)), (7, Code::DataInvalid), "{bad:?}");
    }
}

#[test]
fn commands_have_a_limit_together() {
    let limits = Limits { commands_per_frame: 2, ..Limits::default() };
    let ping = [4, 8, 7, 0x42, 0];
    assert_eq!(heard_within(&ping.repeat(2), &limits).unwrap().len(), 2);
    let heard = heard_within(&ping.repeat(3), &limits).unwrap();
    let codes = heard.iter().map(|it| it.as_ref().unwrap_err().refusal.code);
    assert_eq!(codes.collect::<Vec<_>>(), [Code::TooManyCommands]);
}

#[test]
fn a_client_overhears_what_is_newer_than_itself() {
    let unknown = [7, 8, 7, 0xfa, 0x0f, 2, 1, 2];
    let ping = [2, 0x6a, 0];
    let events = told(&[&unknown[..], &ping].concat()).unwrap();
    assert_eq!(events, [Answer { id: 0, event: Event::Ping }]);
}

proptest! {
    #[test]
    fn commands_come_back(commands in prop::collection::vec(samples::command(), 1..4)) {
        let limits = Limits { tags: 100, name_bytes: 10_000, ..Limits::default() };
        let mut frame = Vec::new();
        for command in &commands {
            encode_command(command, &mut frame);
            frame.extend_from_slice(JOINT);
        }
        let heard = heard_within(&frame, &limits).unwrap();
        prop_assert_eq!(heard, commands.into_iter().map(Ok).collect::<Vec<_>>());
    }

    #[test]
    fn events_come_back(answers in prop::collection::vec(samples::answer(), 1..4)) {
        let mut frame = Vec::new();
        for answer in &answers {
            encode_answer(answer, &mut frame);
            frame.extend_from_slice(JOINT);
        }
        prop_assert_eq!(told(&frame).unwrap(), answers);
    }

    #[test]
    fn what_all_are_told_is_what_one_is_told(answer in samples::answer()) {
        let (mut one, mut all) = (Vec::new(), Vec::new());
        match &answer.event {
            Event::Publication(it) => encode_publication(it, &mut all),
            Event::Join { channel, member } => encode_join(channel, member, &mut all),
            Event::Leave { channel, member } => encode_leave(channel, member, &mut all),
            _ => return Ok(()),
        }
        encode_answer(&Answer { id: 0, ..answer }, &mut one);
        prop_assert_eq!(one, all);
    }

    #[test]
    fn a_cut_frame_does_nothing(command in samples::command(), cut in any::<prop::sample::Index>()) {
        let mut frame = Vec::new();
        encode_command(&command, &mut frame);
        frame.truncate(cut.index(frame.len()));
        prop_assert!(heard_within(&frame, &Limits::default()).is_err());
    }
}
