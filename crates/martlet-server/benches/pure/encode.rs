//! Encoding a publication of 128 bytes, once for each wire.

use std::rc::Rc;

use martlet_core::hub::Wires as _;
use martlet_core::model::Cursor;
use martlet_server::wire::{Carrier, Encoders, Form, Grammar, Layouts, WireKind};

use crate::count::{Meter, Subject};
use crate::samples::{DATA_BYTES, channel, position, publication};

const ROUND: u64 = 100;

const fn subject(name: &'static str, work: fn(&mut Meter)) -> Subject {
    Subject { name, units: ROUND, per: "publication", work }
}

pub const SUBJECTS: &[Subject] = &[
    subject("encode: WebSocket, JSON", |meter| {
        encode(meter, Grammar::Json, Form::Message, Carrier::WebSocket);
    }),
    subject("encode: WebSocket, Protobuf", |meter| {
        encode(meter, Grammar::Proto, Form::Message, Carrier::WebSocket);
    }),
    subject("encode: WebSocket, JSON, deflated", |meter| {
        encode(meter, Grammar::Json, Form::Message, Carrier::Deflated);
    }),
    subject("encode: events", |meter| {
        encode(meter, Grammar::Json, Form::Events, Carrier::Chunked);
    }),
    subject("encode: events, plain", |meter| {
        encode(meter, Grammar::Plain, Form::Events, Carrier::Chunked);
    }),
    subject("encode: events, plain, envelope", |meter| {
        encode(meter, Grammar::Envelope, Form::Events, Carrier::Chunked);
    }),
    subject("encode: cursor after an event of 10 channels", cursor),
    subject("encode: lines", |meter| encode(meter, Grammar::Json, Form::Lines, Carrier::Chunked)),
    subject("encode: lines, plain", |meter| {
        encode(meter, Grammar::Plain, Form::Lines, Carrier::Chunked);
    }),
    subject("encode: items of a poll", |meter| {
        encode(meter, Grammar::Json, Form::Items, Carrier::Raw);
    }),
    subject("encode: forever frame", |meter| {
        encode(meter, Grammar::Json, Form::Page, Carrier::Chunked);
    }),
    subject("encode: parts, plain", |meter| {
        encode(meter, Grammar::Plain, Form::Parts, Carrier::Chunked);
    }),
];

fn encode(meter: &mut Meter, grammar: Grammar, form: Form, carrier: Carrier) {
    let wire = WireKind { grammar, form, carrier, cursor: false }.wire();
    let mut encoders = Encoders::new(Rc::new(Layouts::new(7)), 1);
    let (publication, mut out) = (publication(42), Vec::new());
    while meter.again() {
        out.clear();
        meter.measure(|| {
            (0..ROUND).for_each(|_| encoders.publication(wire, &publication, &mut out));
        });
        let least = if carrier == Carrier::Deflated { DATA_BYTES / 3 } else { DATA_BYTES };
        assert!(out.len() > least * ROUND as usize, "{} bytes", out.len());
    }
}

fn cursor(meter: &mut Meter) {
    let (grammar, form, carrier) = (Grammar::Plain, Form::Events, Carrier::Chunked);
    let wire = WireKind { grammar, form, carrier, cursor: true }.wire();
    let mut encoders = Encoders::new(Rc::new(Layouts::new(7)), 1);
    let cursor = Cursor::new((0..10).map(|n| (channel(n), position(1_000))).collect());
    let mut out = Vec::new();
    while meter.again() {
        out.clear();
        meter.measure(|| (0..ROUND).for_each(|_| encoders.cursor(wire, &cursor, &mut out)));
        assert!(out.len() > cursor.to_string().len() * ROUND as usize);
    }
}
