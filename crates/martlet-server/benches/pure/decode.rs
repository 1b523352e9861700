//! Decoding what clients send: commands of the native protocol, and WebSocket frames, which come
//! with a mask.

use std::ops::ControlFlow;

use martlet_core::model::{Cursor, Limits};
use martlet_core::session::{Command, Connect, Numbered, Start, Subscribe};
use martlet_protocol::native::{json, proto};
use martlet_transport::websocket::{Decoder, Inflater};

use crate::count::{Meter, Subject};
use crate::samples::{channel, draft, position};

const ROUND: u64 = 100;

const fn subject(name: &'static str, work: fn(&mut Meter)) -> Subject {
    Subject { name, units: ROUND, per: "frame", work }
}

pub const SUBJECTS: &[Subject] = &[
    subject("decode: JSON, connect and 1 channel", |meter| decode(meter, &connect(), false)),
    subject("decode: JSON, publish", |meter| decode(meter, &publish(), false)),
    subject("decode: Protobuf, connect and 1 channel", |meter| decode(meter, &connect(), true)),
    subject("decode: Protobuf, publish", |meter| decode(meter, &publish(), true)),
    subject("decode: WebSocket frame of 128 B", |meter| unmask(meter, 128)),
    subject("decode: WebSocket frame of 64 KiB", |meter| unmask(meter, 64 * 1024)),
];

fn connect() -> Command {
    let start = Start::After(position(42));
    Command::Connect(Connect {
        token: Some("t".repeat(300).into()),
        agent: Some("martlet-js/0.1.0".into()),
        subscribe: vec![Subscribe { channel: channel(1), token: None, start }],
        cursor: Cursor::default(),
        ..Connect::default()
    })
}

fn publish() -> Command {
    Command::Publish(draft(channel(1)))
}

fn decode(meter: &mut Meter, command: &Command, protobuf: bool) {
    let numbered = Numbered { id: 7, command: command.clone() };
    let (mut frame, limits) = (Vec::new(), Limits::default());
    match protobuf {
        true => proto::encode_command(&numbered, &mut frame),
        false => json::encode_command(&numbered, &mut frame),
    }
    while meter.again() {
        let mut read = Vec::with_capacity(ROUND as usize);
        meter.measure(|| {
            for _ in 0..ROUND {
                let sink = |command: Result<_, _>| read.push(command.unwrap());
                match protobuf {
                    true => proto::decode(&frame, &limits, sink).unwrap(),
                    false => json::decode(&frame, &limits, sink).unwrap(),
                }
            }
        });
        assert_eq!(read.len(), ROUND as usize);
        assert_eq!(read[0], numbered);
    }
}

/// A text frame of a client.
fn masked(length: usize) -> Vec<u8> {
    let mask = [0x1f, 0x2e, 0x3d, 0x4c];
    let mut frame = vec![0x81];
    match length {
        0..=125 => frame.push(0x80 | length as u8),
        126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend((0..length).map(|i| b'x' ^ mask[i % 4]));
    frame
}

fn unmask(meter: &mut Meter, length: usize) {
    let (frame, mut inflater) = (masked(length), Inflater::default());
    let mut decoder = Decoder::new(1024 * 1024, false);
    while meter.again() {
        let mut bytes = frame.repeat(ROUND as usize);
        let mut text = 0;
        meter.measure(|| {
            for one in bytes.chunks_exact_mut(frame.len()) {
                let mut sink = |incoming: martlet_transport::websocket::Incoming<'_>| {
                    if let martlet_transport::websocket::Incoming::Text(read) = incoming {
                        text += read.len();
                    }
                    ControlFlow::Continue(())
                };
                decoder.feed(one, &mut inflater, &mut sink).unwrap();
            }
        });
        assert_eq!(text, length * ROUND as usize);
        assert!(bytes.ends_with(b"xxxx"), "it was unmasked where it lay");
    }
}
