//! Connecting, losing the connection, and coming back.

use super::*;
use martlet_core::model::{NodeId, SessionPlace};

#[test]
fn the_first_frame_brings_the_channels() {
    let mut bench = Bench::new(settings());
    bench.session.subscribe(channel("news"), from_now()).unwrap();
    bench.session.start(bench.now);
    let dialed = bench.dialed();
    assert_eq!(dialed["connect"], json!({"agent": "test/1", "subscribe": [{"channel": "news"}]}));
}

#[test]
fn a_connection_that_never_answers_is_given_up() {
    let (mut bench, _) = Bench::begun(settings());
    assert_eq!(bench.pass_to_deadline(), Duration::from_secs(10));
    let outputs = bench.outputs();
    assert!(outputs.contains(&Output::HangUp));
    assert!(matches!(
        &outputs[..],
        [_, Output::State(State::Disconnected { why: Error::Timeout(_), retry_in: Some(_) })]
    ));
}

#[test]
fn silence_is_a_loss_and_any_sign_of_life_is_none() {
    let mut bench = Bench::connected(settings());
    bench.pass(Duration::from_secs(34));
    bench.session.handle_heard(bench.now);
    bench.pass(Duration::from_secs(34));
    assert_eq!(bench.states(), []);
    bench.pass(Duration::from_secs(1));
    assert!(matches!(&bench.states()[..], [State::Disconnected { why: Error::Timeout(_), .. }]));
}

#[test]
fn a_ping_is_answered_before_everything_else() {
    let mut bench = Bench::connected(settings());
    bench.session.presence(bench.now, channel("news")).unwrap();
    bench.tell(json!({"ping": {}}));
    let sent = bench.sent();
    assert_eq!(sent[0], json!({"pong": {}}));
    assert_eq!(sent.len(), 2);
}

#[test]
fn it_comes_back_with_grant_session_and_positions() {
    let mut bench = Bench::following("news");
    bench.tell(publication("news", 11));
    let dialed = bench.come_back();
    assert_eq!(
        dialed["connect"],
        json!({
            "grant": "g1.x", "session": SESSION, "agent": "test/1",
            "subscribe": [{"channel": "news", "epoch": EPOCH, "offset": 11}]
        })
    );
}

#[test]
fn a_newer_grant_replaces_the_older() {
    let mut bench = Bench::connected(settings());
    bench.tell(json!({"grant": {"grant": "g1.newer", "expires": 1}}));
    assert_eq!(bench.come_back()["connect"]["grant"], "g1.newer");
}

#[test]
fn waits_grow_are_never_zero_and_are_never_longer_than_the_maximum() {
    let (mut bench, _) = Bench::begun(settings());
    let mut waits = Vec::new();
    for _ in 0..40 {
        bench.lose();
        waits.push(bench.pass_to_deadline());
        bench.dialed();
    }
    assert!(waits.iter().all(|wait| *wait >= Duration::from_millis(100)));
    assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(10)));
    assert!(waits[0] <= Duration::from_millis(200));
    assert!(waits[10..].iter().any(|wait| *wait > Duration::from_secs(5)));
}

#[test]
fn a_server_that_drops_everybody_at_once_is_left_in_peace() {
    let mut bench = Bench::connected(settings());
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        bench.lose();
        longest = longest.max(bench.pass_to_deadline());
        let dialed = bench.dialed();
        bench.let_in(&dialed);
    }
    assert!(longest > Duration::from_secs(1));
    bench.session.handle_heard(bench.now);
    bench.pass(Duration::from_secs(20));
    bench.lose();
    bench.outputs();
    assert!(bench.pass_to_deadline() <= Duration::from_millis(600), "a long life was a success");
}

#[test]
fn the_advice_of_a_close_is_obeyed() {
    let mut bench = Bench::connected(settings());
    bench.close(Code::Shutdown, Some(1_200));
    let [Output::HangUp, Output::State(State::Disconnected { why, retry_in })] =
        &bench.outputs()[..]
    else {
        panic!("it did not hang up and say so");
    };
    assert_eq!(why.code(), Some(Code::Shutdown));
    assert_eq!(*retry_in, Some(Duration::from_millis(1_200)));
    assert_eq!(bench.pass_to_deadline(), Duration::from_millis(1_200));
}

#[test]
fn advice_to_come_back_at_once_is_taken_once() {
    let mut bench = Bench::connected(settings());
    bench.close(Code::Shutdown, Some(0));
    bench.outputs();
    assert_eq!(bench.pass_to_deadline(), Duration::ZERO);
    let dialed = bench.dialed();
    bench.let_in(&dialed);
    bench.close(Code::Shutdown, Some(0));
    bench.outputs();
    assert!(bench.pass_to_deadline() >= Duration::from_millis(100));
}

#[test]
fn a_close_for_good_ends_everything() {
    let mut bench = Bench::following("news");
    let ticket = bench.session.presence(bench.now, channel("news")).unwrap();
    bench.close(Code::Disconnected, None);
    let outputs = bench.outputs();
    let state = outputs.iter().find_map(|output| match output {
        Output::State(State::Disconnected { retry_in, .. }) => Some(*retry_in),
        _ => None,
    });
    assert_eq!(state, Some(None));
    assert!(outputs.iter().any(|o| matches!(o, Output::Reply(t, Err(_)) if *t == ticket)));
    assert!(outputs.iter().any(|o| matches!(o, Output::Ended { .. })));
    assert_eq!(bench.session.poll_timeout(), None);
    let late = bench.session.subscribe(channel("late"), from_now()).unwrap_err();
    assert_eq!(late.code(), Some(Code::Disconnected));
}

#[test]
fn what_a_connection_says_after_its_close_counts_for_nothing() {
    let mut bench = Bench::following("news");
    let close = json!({"close": {
        "code": 3000, "name": "shutdown", "message": "x", "reconnect": true, "after": 500
    }});
    bench.tell(format!("{close}\n{}", publication("news", 11)));
    assert_eq!(bench.offsets(), [0; 0]);
}

#[test]
fn nonsense_ends_the_connection_and_not_the_client() {
    for nonsense in ["", "hello", "{\"connected\":", "[]", "\u{0}"] {
        let mut bench = Bench::connected(settings());
        bench.tell(nonsense);
        if nonsense.is_empty() {
            continue;
        }
        let states = bench.states();
        let [State::Disconnected { why, retry_in: Some(_) }] = &states[..] else {
            panic!("{nonsense:?} gave {states:?}");
        };
        assert!(matches!(why, Error::Foreign(_)), "{why:?}");
    }
}

#[test]
fn more_channels_than_fit_into_one_frame_go_into_several() {
    let mut bench = Bench::new(settings());
    let names: Vec<String> = (0..200).map(|i| format!("room:{i:03}{}", "<".repeat(200))).collect();
    for name in &names {
        bench.session.subscribe(channel(name), from_now()).unwrap();
    }
    bench.session.start(bench.now);
    let frames: Vec<Output> =
        bench.outputs().into_iter().filter(|o| matches!(o, Output::Dial(_))).collect();
    let [Output::Dial(Dial { first, .. })] = &frames[..] else { panic!("it did not dial once") };
    assert!(first.len() <= 65_536, "{}", first.len());
    let dialed: Value = serde_json::from_slice(first).unwrap();
    bench.let_in(&dialed);
    let mut asked = dialed["connect"]["subscribe"].as_array().unwrap().clone();
    while let Some(frame) = bench.session.poll_frame() {
        assert!(frame.len() <= 65_536, "{}", frame.len());
        for line in std::str::from_utf8(&frame).unwrap().split('\n') {
            let command: Value = serde_json::from_str(line).unwrap();
            asked.extend(command["subscribe"].as_array().unwrap().clone());
        }
    }
    let asked: Vec<&str> = asked.iter().map(|ask| ask["channel"].as_str().unwrap()).collect();
    assert_eq!(asked, names);
}

#[test]
fn its_own_end_is_said_and_final() {
    let mut bench = Bench::connected(settings());
    bench.session.close(bench.now);
    bench.session.close(bench.now);
    assert_eq!(
        bench.outputs(),
        [Output::HangUp, Output::State(State::Disconnected { why: Error::Closed, retry_in: None })]
    );
}

#[test]
fn both_wires_say_the_same() {
    use martlet_core::session::{Answer, Connected, Event};
    use martlet_protocol::native::proto;

    let mut session = Session::new(Settings { wire: Wire::Proto, ..settings() }, 7);
    let now = Now::default();
    session.start(now);
    session.subscribe(channel("news"), from_now()).unwrap();
    let dialed = std::iter::from_fn(|| session.poll_output());
    assert!(dialed.into_iter().any(|output| matches!(output, Output::Dial(_))));
    let connected = Event::Connected(Box::new(Connected {
        client: martlet_core::model::ClientId::new(1),
        session: SessionKey::new(SessionPlace { node: NodeId::new(0), worker: 0, slot: 0 }, 1),
        user: None,
        resumed: false,
        grant: "g1.x".into(),
        expires: None,
        ping: Duration::from_secs(25),
        pong: Duration::from_secs(10),
        time: UnixMillis(1),
        frame_bytes: 65_536,
    }));
    let mut frame = Vec::new();
    proto::encode_answer(&Answer { id: 1, event: connected }, &mut frame);
    session.handle_frame(now, &frame);
    assert!(
        std::iter::from_fn(|| session.poll_output())
            .any(|output| matches!(output, Output::State(State::Connected(_))))
    );
    session.ping(now).unwrap();
    let sent = session.poll_frame().expect("the channel and the ping");
    let limits = martlet_core::model::Limits::default();
    let mut commands = Vec::new();
    proto::decode(&sent, &limits, |command| commands.push(command.unwrap().command)).unwrap();
    assert!(matches!(&commands[..], [Command::Subscribe(list), Command::Ping] if list.len() == 1));
}
