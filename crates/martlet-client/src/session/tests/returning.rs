//! What the server advises, where the client goes with that, and what it does not ask for.

use proptest::prelude::*;

use super::*;

impl Bench {
    /// The node that is dialled now; `None` for the application's address.
    fn dialed_node(&mut self) -> (Option<String>, Value) {
        let mut dials = self.outputs().into_iter().filter_map(|output| match output {
            Output::Dial(dial) => Some(dial),
            _ => None,
        });
        let (Some(dial), None) = (dials.next(), dials.next()) else { panic!("it dialled once") };
        (dial.node.map(|node| node.http("")), serde_json::from_slice(&dial.first).unwrap())
    }

    fn close_with(&mut self, code: Code, more: Value) {
        let mut body = json!({
            "code": code.number(), "name": code.name(), "message": code.message(),
            "reconnect": code.temporary()
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.tell(json!({ "close": body }));
    }
}

#[test]
fn a_refused_connect_says_when_to_come_back() {
    for code in [Code::Busy, Code::RateLimited, Code::Overloaded] {
        let (mut bench, dialed) = Bench::begun(settings());
        bench.tell(json!({"id": dialed["id"], "error": {
            "code": code.number(), "name": code.name(), "message": "later",
            "temporary": true, "after": 300_000
        }}));
        bench.outputs();
        assert_eq!(bench.pass_to_deadline(), Duration::from_secs(300));
        bench.dialed();
    }
}

#[test]
fn a_named_node_is_dialled_with_the_grant_until_a_try_there_fails() {
    let mut bench = Bench::connected(settings());
    bench.close_with(Code::Shutdown, json!({"after": 5, "node": "https://b.example.com/live"}));
    bench.outputs();
    assert_eq!(bench.pass_to_deadline(), Duration::from_millis(5));
    let (node, dialed) = bench.dialed_node();
    assert_eq!(node.as_deref(), Some("https://b.example.com/live"));
    assert_eq!(dialed["connect"]["grant"], "g1.x");
    bench.let_in(&dialed);
    bench.pass(Duration::from_secs(30));
    bench.close(Code::Aged, None);
    bench.pass_to_deadline();
    let (node, _) = bench.dialed_node();
    assert_eq!(node.as_deref(), Some("https://b.example.com/live"), "it works, and is kept");
    bench.lose();
    bench.pass_to_deadline();
    let (node, dialed) = bench.dialed_node();
    assert_eq!(node, None);
    assert_eq!(dialed["connect"]["grant"], "g1.x");
}

#[test]
fn coming_back_asks_the_application_for_no_token_while_the_grant_is_good() {
    let mut bench = Bench::new(Settings { renewable: true, ..settings() });
    bench.session.start(bench.now);
    assert!(bench.outputs().contains(&Output::Fetch(None)));
    bench.session.handle_token(bench.now, None, Ok("t1".into()));
    let dialed = bench.dialed();
    bench.let_in(&dialed);
    for i in 0..20 {
        bench.pass(Duration::from_secs(6));
        match i % 2 {
            0 => bench.lose(),
            _ => bench.close(Code::Shutdown, Some(100)),
        }
        bench.pass_to_deadline();
        let outputs = bench.outputs();
        assert!(!outputs.contains(&Output::Fetch(None)));
        let dial = outputs.into_iter().find_map(|output| match output {
            Output::Dial(dial) => Some(dial),
            _ => None,
        });
        let dialed: Value = serde_json::from_slice(&dial.unwrap().first).unwrap();
        assert_eq!(dialed["connect"]["grant"], "g1.x");
        bench.let_in(&dialed);
    }
}

/// What may become of a try.
const FATES: [fn(&mut Bench, &Value); 9] = [
    |bench, dialed| bench.let_in(dialed),
    |bench, dialed| {
        bench.let_in(dialed);
        bench.close(Code::Shutdown, Some(0));
    },
    |bench, _| bench.close_with(Code::Shutdown, json!({"after": 0, "node": "https://b"})),
    |bench, _| bench.close_with(Code::Aged, json!({"node": "nonsense"})),
    |bench, dialed| {
        bench.let_in(dialed);
        bench.close(Code::Replaced, None);
    },
    |bench, _| bench.lose(),
    |bench, dialed| bench.refuse(&dialed["id"], Code::GrantInvalid, None),
    |bench, dialed| bench.refuse(&dialed["id"], Code::TokenExpired, None),
    |bench, dialed| bench.refuse(&dialed["id"], Code::Busy, None),
];

/// How often the client dials, and how often it asks for a token, in the ten seconds in which it
/// does most.
fn busiest(times: &[Instant]) -> usize {
    let window = |first: &Instant| {
        times.iter().filter(|at| *at >= first && at.since(*first) < Duration::from_secs(10)).count()
    };
    times.iter().map(window).max().unwrap_or(0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_server_does_there_is_no_loop_without_delay(
        fates in prop::collection::vec((0..FATES.len(), any::<bool>()), 1..150),
        renewable in any::<bool>(),
    ) {
        let mut bench = Bench::new(Settings {
            renewable, backoff_min: Duration::from_millis(250), ..settings()
        });
        let (mut dials, mut fetches) = (Vec::new(), Vec::new());
        bench.session.start(bench.now);
        for (fate, gives) in fates {
            for output in bench.outputs() {
                match output {
                    Output::Dial(dial) => {
                        dials.push(bench.now.instant);
                        FATES[fate](&mut bench, &serde_json::from_slice(&dial.first).unwrap());
                    }
                    Output::Fetch(None) => {
                        fetches.push(bench.now.instant);
                        let failed = Err(Error::Token("down".into()));
                        let token = if gives { Ok("t".into()) } else { failed };
                        bench.session.handle_token(bench.now, None, token);
                    }
                    _ => {}
                }
            }
            if let Some(deadline) = bench.session.poll_timeout() {
                bench.pass(deadline.since(bench.now.instant));
            }
        }
        prop_assert!(busiest(&dials) <= 12 && busiest(&fetches) <= 12, "{dials:?} {fetches:?}");
    }
}
