//! The promise of delivery against a server that is a list: whatever the network does, a reader
//! sees every publication once and in order, or is told of the gap.

use martlet_core::model::Epoch;
use proptest::prelude::*;

use super::*;

/// What happens next.
#[derive(Debug, Clone)]
enum Act {
    /// Publications are added, and sent to whoever is subscribed.
    Publish(u8),
    /// One is added, but its sending is lost.
    Swallow,
    /// The last one is sent again.
    Repeat,
    /// The oldest ones leave the history.
    Expire(u8),
    /// The connection breaks.
    Cut,
    /// The reader is full, and goes on at once.
    Stall,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (1u8..4).prop_map(Act::Publish),
        1 => Just(Act::Swallow),
        1 => Just(Act::Repeat),
        1 => (1u8..4).prop_map(Act::Expire),
        1 => Just(Act::Cut),
        1 => Just(Act::Stall),
    ];
    prop::collection::vec(act, 1..40)
}

/// A server with one channel.
struct Server {
    head: u64,
    /// The oldest offset in the history, less one.
    tail: u64,
    subscribed: bool,
}

impl Server {
    /// Answers a request to follow from `from` on.
    fn follow(&mut self, bench: &mut Bench, id: &Value, asked: &Value) {
        self.subscribed = true;
        let from = asked["offset"].as_u64().unwrap_or(self.head);
        let begin = from.max(self.tail);
        bench.subscribed(id, "a", begin, self.head);
        if from < begin {
            bench.tell(json!({"gap": {
                "channel": "a", "from": from + 1, "to": begin, "reason": "expired",
                "epoch": EPOCH, "offset": begin
            }}));
        }
        (begin + 1..=self.head).for_each(|offset| bench.tell(publication("a", offset)));
    }

    /// Does what the client asks until it asks nothing more.
    fn serve(&mut self, bench: &mut Bench, reader: &mut Reader) {
        for _ in 0..20 {
            let sent = bench.sent();
            for command in &sent {
                if command.get("unsubscribe").is_some() {
                    self.subscribed = false;
                }
                if let Some(asked) = command.get("subscribe") {
                    self.follow(bench, &command["id"], &asked[0]);
                }
            }
            reader.take(bench);
            if sent.is_empty() {
                return;
            }
        }
        panic!("the client asks without end");
    }

    fn publish(&mut self, bench: &mut Bench, reached: bool) {
        self.head += 1;
        if self.subscribed && reached {
            bench.tell(publication("a", self.head));
        }
    }
}

/// A reader that checks what it is told.
#[derive(Default)]
struct Reader {
    place: u64,
    seen: Vec<u64>,
    missed: Vec<u64>,
}

impl Reader {
    fn take(&mut self, bench: &mut Bench) {
        for event in bench.told() {
            match event {
                SubscriptionEvent::Publication(publication) => {
                    assert_eq!(publication.position.offset, self.place + 1);
                    self.place += 1;
                    self.seen.push(self.place);
                }
                SubscriptionEvent::Gap(gap) => {
                    assert_eq!(gap.from, self.place + 1);
                    self.place = gap.to.unwrap();
                    self.missed.extend(gap.from..=self.place);
                }
                SubscriptionEvent::Subscribed(_) | SubscriptionEvent::Lagged { .. } => {}
                other => panic!("told {other:?}"),
            }
        }
    }
}

fn act(act: &Act, bench: &mut Bench, server: &mut Server, reader: &mut Reader) {
    match act {
        Act::Publish(count) => (0..*count).for_each(|_| server.publish(bench, true)),
        Act::Swallow => server.publish(bench, false),
        Act::Repeat if server.subscribed && server.head > 0 => {
            bench.tell(publication("a", server.head));
        }
        Act::Repeat => {}
        Act::Expire(count) => server.tail = (server.tail + u64::from(*count)).min(server.head),
        Act::Cut => {
            reader.take(bench);
            let dialed = bench.come_back();
            bench.let_in(&dialed);
            let asked = dialed["connect"]["subscribe"][0].clone();
            server.follow(bench, &dialed["id"], &asked);
        }
        Act::Stall => {
            let place = Position { epoch: Epoch::parse(EPOCH).unwrap(), offset: reader.place };
            bench.outputs();
            bench.session.pause(&channel("a"), Start::After(place));
            bench.session.go_on(&channel("a"));
        }
    }
    server.serve(bench, reader);
}

proptest! {
    #[test]
    fn nothing_is_lost_or_repeated_in_silence(acts in acts()) {
        let mut bench = Bench::connected(settings());
        let mut server = Server { head: 0, tail: 0, subscribed: false };
        let mut reader = Reader::default();
        bench.session.subscribe(channel("a"), from_now()).unwrap();
        server.serve(&mut bench, &mut reader);
        for one in &acts {
            act(one, &mut bench, &mut server, &mut reader);
        }
        // One more that arrives shows every hole before it.
        act(&Act::Publish(1), &mut bench, &mut server, &mut reader);
        prop_assert_eq!(reader.place, server.head);
        let told = reader.seen.len() + reader.missed.len();
        prop_assert_eq!(told as u64, server.head);
        prop_assert!(reader.missed.iter().all(|offset| *offset <= server.tail));
    }
}
