//! Publishing, history, members, signs of life, rates and floods.

use super::bench::*;
use super::*;
use crate::model::Publisher;
use crate::session::Reply;

#[test]
fn a_publication_says_who_published() {
    let mut bench = Bench::identified(user("ann"));
    let forged = Publisher { client: ClientId::new(1), user: None };
    let draft = crate::model::Draft { from: Some(forged), ..draft("a") };
    bench.command(2, Command::Publish(draft));
    let Some(Output::Request(number, Request::Publish(draft))) = bench.session.poll_output() else {
        panic!("it was not published")
    };
    let user = user("ann").user;
    assert_eq!(draft.from, Some(Publisher { client: ClientId::new(5), user }));
    bench.session.handle_reply(number, published(7));
    assert_eq!(bench.words(), ["2 published a 7"]);
}

#[test]
fn what_is_asked_without_a_number_is_answered_only_by_refusals() {
    let mut bench = Bench::connected();
    assert_eq!(bench.say(0, Command::Publish(draft("a"))), ["publish a"]);
    bench.reply("publish a", published(7));
    assert!(bench.words().is_empty());
    bench.say(0, Command::Publish(draft("a")));
    bench.reply("publish a", Reply::Refused(Code::NodeFull.into()));
    assert_eq!(bench.words(), ["0 node_full a"]);
    assert!(bench.say(0, Command::Ping).is_empty());
}

#[test]
fn each_answer_goes_to_who_asked_for_it() {
    let mut bench = Bench::connected();
    bench.say(2, Command::Publish(draft("a")));
    bench.say(3, history("a", 10));
    bench.say(4, Command::Presence(name("a")));
    bench.reply("members a 20", Reply::Members { members: Vec::new(), count: 8 });
    bench.reply("read a 10", page("a"));
    bench.reply("publish a", published(7));
    assert_eq!(bench.words(), ["4 presence a 8", "3 history a 3", "2 published a 7"]);
    bench.reply("publish a", published(8));
    assert!(bench.words().is_empty(), "a second answer is none");
}

#[test]
fn an_answer_that_fits_no_question_is_a_refusal() {
    let mut bench = Bench::connected();
    bench.say(2, Command::Publish(draft("a")));
    bench.reply("publish a", page("a"));
    assert_eq!(bench.words(), ["2 internal a"]);
    bench.subscribe(3, &["a"]);
    bench.reply("follow a", page("a"));
    assert_eq!(bench.words(), ["3 internal a"]);
    assert_eq!(bench.subscribe(4, &["a"]), ["follow a"], "it does not follow it");
}

#[test]
fn pages_are_no_longer_than_the_limit() {
    let mut bench = Bench::connected();
    assert_eq!(bench.say(2, history("a", usize::MAX)), ["read a 50"]);
    assert_eq!(bench.say(3, history("a", 0)), ["read a 0"]);
}

#[test]
fn what_it_may_not_do_is_refused() {
    let mut bench = Bench::connected();
    for (channel, code) in [
        ("user:a", "token_missing"),
        ("mine:a", "token_missing"),
        ("backend:a", ""),
        ("nowhere:a", "namespace_unknown"),
    ] {
        let code = |denied: &str| if code.is_empty() { denied.into() } else { code.to_string() };
        let refused = |word: &str| vec![format!("2 {} {channel}", code(word))];
        assert_eq!(bench.subscribe(2, &[channel]), refused("subscribe_denied"));
        assert_eq!(bench.say(2, Command::Publish(draft(channel))), refused("publish_denied"));
        assert_eq!(bench.say(2, history(channel, 1)), refused("history_denied"));
        assert_eq!(bench.say(2, Command::Presence(name(channel))), refused("presence_denied"));
    }
}

#[test]
fn a_ping_is_answered_with_the_time() {
    assert_eq!(Bench::connected().say(2, Command::Ping), ["2 pong 100000"]);
}

#[test]
fn a_silent_line_is_tried_and_given_up() {
    let mut bench = Bench::connected();
    let Rules { ping, pong, .. } = rules();
    let start = bench.now.instant;
    assert_eq!(bench.session.poll_timeout(bench.now, start), Some(start.after(ping)));
    bench.pass(ping);
    assert_eq!(bench.timeout(start), ["0 ping"]);
    let pinged = bench.now.instant;
    assert_eq!(bench.session.poll_timeout(bench.now, pinged), Some(pinged.after(pong)));
    bench.pass(pong - Duration::from_micros(1));
    assert!(bench.timeout(pinged).is_empty());
    bench.pass(Duration::from_micros(1));
    assert_eq!(bench.timeout(pinged), ["0 closing pong_missing", "close pong_missing"]);
}

#[test]
fn any_sign_of_life_will_do() {
    let mut bench = Bench::connected();
    let Rules { ping, pong, .. } = rules();
    bench.pass(ping);
    bench.timeout(Instant(1_000_000));
    bench.session.handle_heard();
    assert!(bench.say(0, Command::Pong).is_empty());
    bench.pass(pong);
    let sent_at = bench.now.instant;
    assert!(bench.timeout(sent_at).is_empty());
    assert!(!bench.session.ended());
}

#[test]
fn where_no_answer_can_come_none_is_awaited() {
    let mut bench = Bench::with(rules(), Opening { answers: false, ..opening() });
    bench.say(1, Command::Connect(Connect::default()));
    let Rules { ping, pong, .. } = rules();
    let start = bench.now.instant;
    bench.pass(ping);
    assert_eq!(bench.timeout(start), ["0 ping"]);
    let sent_at = bench.now.instant;
    bench.pass(pong * 2);
    assert!(bench.timeout(sent_at).is_empty());
    assert!(!bench.session.ended());
}

#[test]
fn more_than_the_rate_is_refused_with_the_wait() {
    let mut bench = Bench::connected();
    let Limits { commands_burst, commands_per_second, .. } = rules().limits;
    bench.pass(Duration::from_secs(60));
    for _ in 0..commands_burst {
        assert_eq!(bench.say(2, Command::Ping).len(), 1);
    }
    bench.command(3, Command::Ping);
    let Some(Output::Tell(Answer { id: 3, event: Event::Refused { refusal, .. } })) =
        bench.session.poll_output()
    else {
        panic!("it was not refused")
    };
    assert_eq!(refusal.code, Code::RateLimited);
    assert_eq!(refusal.after, Some(Duration::from_secs(1) / commands_per_second));
    bench.pass(refusal.after.unwrap());
    assert_ne!(bench.say(4, Command::Ping), ["4 rate_limited"]);
}

#[test]
fn a_flood_of_anything_ends_the_connection() {
    let floods: [fn(&mut Bench); 5] = [
        |bench| bench.command(2, Command::Ping),
        |bench| bench.command(0, Command::Pong),
        |bench| bench.command(2, Command::Connect(Connect::default())),
        |bench| bench.session.handle_refused(bench.now, 2, None, Code::Malformed),
        |bench| _ = bench.session.handle_sign(bench.now),
    ];
    let most = rules().limits.commands_burst + FLOOD_MAX + 1;
    for (i, flood) in floods.into_iter().enumerate() {
        let mut bench = Bench::connected();
        let mut sent = 0;
        while !bench.session.ended() && sent <= most {
            flood(&mut bench);
            sent += 1;
        }
        assert_eq!(bench.words().last().unwrap(), "close flooded", "flood {i}");
        assert!(sent > FLOOD_MAX, "flood {i} was ended after {sent}");
        let mut bench = Bench::new();
        (0..=most).for_each(|_| flood(&mut bench));
        let tolerated = i == 2;
        assert!(bench.session.ended() || tolerated, "flood {i} before connect");
    }
}

#[test]
fn one_that_keeps_its_rate_after_a_burst_is_not_flooding() {
    let mut bench = Bench::connected();
    for _ in 0..20 {
        (0..FLOOD_MAX / 2).for_each(|_| bench.command(2, Command::Ping));
        bench.pass(Duration::from_secs(20));
    }
    assert!(!bench.session.ended());
}

#[test]
fn tokens_cost_as_much_as_commands() {
    let mut bench = Bench::connected();
    let burst = rules().limits.commands_burst as usize;
    let list = (0..burst + 50).map(|i| with_token(&format!("c{i}"))).collect();
    let words = bench.say(2, Command::Subscribe(list));
    let asked = words.iter().filter(|word| word.starts_with("ask")).count();
    assert!((burst - 1..=burst).contains(&asked), "{asked} tokens were looked at");
    assert!(words.last().unwrap().starts_with("2 rate_limited c"));
}
