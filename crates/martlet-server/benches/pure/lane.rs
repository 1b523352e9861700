//! A lane with 10,000 subscribers of one channel: appending what comes, and the sweep that gives
//! it to all of them. What is written goes nowhere; its bytes are counted.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;

use martlet_core::hub::{Delivery, Lane, LaneLimits};
use martlet_core::model::Limits;
use martlet_core::session::Followed;
use martlet_server::wire::{Carrier, Encoders, Form, Grammar, Layouts, WireKind};

use crate::count::{Meter, Subject};
use crate::samples::{channel, now, position, publication};

const READERS: u64 = 10_000;

pub const SUBJECTS: &[Subject] = &[
    Subject {
        name: "lane: append, 10,000 subscribers",
        units: READERS,
        per: "subscriber",
        work: |meter| turns(meter, 1, Part::Append),
    },
    Subject {
        name: "lane: append the 2nd to 16th",
        units: 15,
        per: "publication",
        work: |meter| turns(meter, 16, Part::AppendMore),
    },
    Subject {
        name: "lane: sweep, 1 publication",
        units: READERS,
        per: "subscriber",
        work: |meter| turns(meter, 1, Part::Sweep),
    },
    Subject {
        name: "lane: sweep, 16 publications",
        units: READERS,
        per: "subscriber",
        work: |meter| turns(meter, 16, Part::Sweep),
    },
    Subject {
        name: "lane: sweep, 16 publications, each of them",
        units: READERS * 16,
        per: "delivery",
        work: |meter| turns(meter, 16, Part::Sweep),
    },
    Subject { name: "lane: follow and unfollow", units: READERS, per: "subscriber", work: follow },
];

/// Which part of a turn is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Append,
    AppendMore,
    Sweep,
}

struct Room {
    lane: Lane,
    encoders: Encoders,
    offset: u64,
    frame: usize,
}

impl Room {
    fn new() -> Self {
        let lane = Lane::new(LaneLimits::from(&Limits::default()), 7);
        let encoders = Encoders::new(Rc::new(Layouts::new(7)), 1);
        let mut room = Self { lane, encoders, offset: 0, frame: 0 };
        (0..READERS).for_each(|_| room.enter());
        room
    }

    fn enter(&mut self) {
        let (grammar, form, carrier) = (Grammar::Json, Form::Message, Carrier::WebSocket);
        let wire = WireKind { grammar, form, carrier, cursor: false }.wire();
        let reader = self.lane.add_reader(now().instant, wire);
        self.lane.begin(reader, &channel(1), &followed(self.offset));
    }

    /// The next publications, made beforehand.
    fn made(&mut self, count: u64) -> Vec<Delivery> {
        // Of one length, so that every frame is.
        let next = self.offset.max(1_000_000) + 1;
        self.offset = next + count - 1;
        let one = |offset| Delivery::Publication(Arc::new(publication(offset)));
        (next..next + count).map(one).collect()
    }

    fn append(&mut self, deliveries: &[Delivery]) {
        let Self { lane, encoders, .. } = self;
        deliveries.iter().for_each(|delivery| lane.deliver(delivery, encoders));
        self.frame = self.lane.log_bytes();
    }

    /// Writes to all who are marked; gives how many bytes.
    fn sweep(&mut self) -> usize {
        let mut bytes = 0;
        while let Some(reader) = self.lane.poll_marked() {
            let write = |slices: &[std::io::IoSlice<'_>]| {
                let written: usize = slices.iter().map(|slice| slice.len()).sum();
                bytes += written;
                Ok::<_, Infallible>(written)
            };
            let visit = self.lane.visit(now().instant, reader, &mut self.encoders, write);
            visit.unwrap();
        }
        bytes
    }
}

fn followed(offset: u64) -> Followed {
    let at = position(offset);
    Followed { channel: channel(1), begin: at, head: at, gap: None, recovered: false }
}

fn turns(meter: &mut Meter, count: u64, part: Part) {
    let mut room = Room::new();
    while meter.again() {
        let made = room.made(count);
        match part {
            Part::Append => meter.measure(|| room.append(&made)),
            Part::AppendMore => {
                room.append(&made[..1]);
                meter.measure(|| room.append(&made[1..]));
            }
            Part::Sweep => room.append(&made),
        }
        let logged = room.frame;
        let written = match part {
            Part::Sweep => meter.measure(|| room.sweep()),
            _ => room.sweep(),
        };
        assert!(logged > 128 * count as usize, "everything was encoded");
        assert_eq!(written, logged * READERS as usize, "everybody was written everything");
    }
}

fn follow(meter: &mut Meter) {
    let mut room = Room::new();
    let (grammar, form, carrier) = (Grammar::Json, Form::Message, Carrier::WebSocket);
    let wire = WireKind { grammar, form, carrier, cursor: false }.wire();
    while meter.again() {
        let (name, lane) = (channel(1), &mut room.lane);
        meter.measure(|| {
            let readers: Vec<_> =
                (0..READERS).map(|_| lane.add_reader(now().instant, wire)).collect();
            let followed = followed(room.offset);
            readers.iter().for_each(|reader| lane.begin(*reader, &name, &followed));
            readers.iter().for_each(|reader| lane.remove_reader(*reader));
        });
        assert_eq!(room.lane.readers(), READERS as usize);
    }
}
