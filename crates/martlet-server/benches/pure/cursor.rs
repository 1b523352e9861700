//! Writing and reading cursors of 1, 10 and 100 channels.

use martlet_core::model::Cursor;

use crate::count::{Meter, Subject};
use crate::samples::{channel, position};

const ROUND: u64 = 100;

const fn subject(name: &'static str, work: fn(&mut Meter)) -> Subject {
    Subject { name, units: ROUND, per: "cursor", work }
}

pub const SUBJECTS: &[Subject] = &[
    subject("cursor: write, 1 channel", |meter| write(meter, 1)),
    subject("cursor: write, 10 channels", |meter| write(meter, 10)),
    subject("cursor: write, 100 channels", |meter| write(meter, 100)),
    subject("cursor: read, 1 channel", |meter| read(meter, 1)),
    subject("cursor: read, 10 channels", |meter| read(meter, 10)),
    subject("cursor: read, 100 channels", |meter| read(meter, 100)),
];

fn cursor(channels: usize) -> Cursor {
    Cursor::new((0..channels).map(|n| (channel(n), position(1_000))).collect())
}

fn write(meter: &mut Meter, channels: usize) {
    let cursor = cursor(channels);
    while meter.again() {
        let bytes: usize = meter.measure(|| (0..ROUND).map(|_| cursor.to_string().len()).sum());
        assert_eq!(bytes, cursor.to_string().len() * ROUND as usize);
    }
}

fn read(meter: &mut Meter, channels: usize) {
    let (cursor, text) = (cursor(channels), cursor(channels).to_string());
    while meter.again() {
        let read: Vec<Cursor> =
            meter.measure(|| (0..ROUND).map(|_| Cursor::parse(&text).unwrap()).collect());
        assert!(read.iter().all(|read| *read == cursor));
    }
}
