//! When to come back: the cases that both clients share, and what must hold whatever happens.

use martlet_core::model::UnixMillis;
use proptest::prelude::*;

use super::*;

const TABLE: &str = include_str!("../../../../../vectors/comeback.txt");

const MIN: Duration = Duration::from_millis(250);
const MAX: Duration = Duration::from_secs(20);

fn ms(text: &str) -> Duration {
    Duration::from_millis(text.parse().unwrap())
}

fn begin() -> Now {
    Now { instant: Instant(1_000_000), wall: UnixMillis(5) }
}

/// What the words of a loss say, as they come in a close.
fn advice(words: &str) -> Advice {
    let given = |name: &str| words.split(',').find_map(|word| word.strip_prefix(name));
    let after = given("after=").map(ms);
    let code = |number: &str| Code::from_number(number.parse().unwrap()).unwrap();
    if let Some(number) = given("refused=") {
        return Advice::of_refusal(&Refusal { after, ..code(number).into() });
    }
    match (given("code="), after) {
        (Some(number), None) => Advice::of_close_code(number.parse().unwrap()),
        (Some(number), after) => Advice::of_close(&Close { after, ..code(number).into() }),
        (None, _) => Advice::None,
    }
}

/// What the client answers to a line, in the words that the table has.
fn answer(retry: &mut Retry, now: &mut Now, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    match words[..] {
        ["try", _] => match retry.permit(*now) {
            Ok(_) => "try yes".into(),
            Err(soonest) => format!("try {}", soonest.as_millis()),
        },
        ["connected"] => {
            retry.handle_connected(*now);
            line.into()
        }
        ["lost", words, random, "=", _] => {
            let share: f64 = random.parse().unwrap();
            let wait = retry.handle_lost(*now, advice(words), (share * u64::MAX as f64) as u64);
            let wait = wait.map(|wait| format!("{:.0}", wait.as_secs_f64() * 1e3 + 1e-6));
            format!("lost {words} {random} = {}", wait.unwrap_or("never".into()))
        }
        [time] => {
            now.instant = now.instant.after(ms(time.strip_prefix('+').unwrap()));
            line.into()
        }
        _ => panic!("{line}"),
    }
}

#[test]
fn it_comes_back_as_the_table_says_which_the_typescript_client_reads_too() {
    let (mut retry, mut now) = (Retry::new(MIN, MAX), begin());
    let lines = TABLE.lines().enumerate().filter(|(_, l)| !l.is_empty() && !l.starts_with('#'));
    let mut count = 0;
    for (at, line) in lines {
        count += 1;
        match line.strip_prefix("client ").and_then(|rest| rest.split_once(' ')) {
            Some((min, max)) => (retry, now) = (Retry::new(ms(min), ms(max)), begin()),
            None => assert_eq!(answer(&mut retry, &mut now, line), line, "line {}", at + 1),
        }
    }
    assert!(count > 100);
}

#[test]
fn after_a_server_was_killed_nobody_comes_before_others_because_of_the_waits() {
    let mut slots = [0; 15];
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..15_000 {
        let (mut retry, mut now) = (Retry::new(MIN, MAX), begin());
        let _ = retry.permit(now).unwrap();
        retry.handle_connected(now);
        now.instant = now.instant.after(Duration::from_secs(60));
        let wait = retry.handle_lost(now, Advice::None, random.u64(..)).unwrap();
        slots[wait.as_millis() as usize / 100] += 1;
    }
    assert!(slots.iter().all(|count| (800..1_200).contains(count)), "{slots:?}");
}

/// What may become of a try.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Fails(Advice),
    Lives(u64, Advice),
}

fn advices() -> impl Strategy<Value = Advice> {
    prop_oneof![
        Just(Advice::None),
        Just(Advice::After(Duration::ZERO)),
        (0_u64..5_000).prop_map(|ms| Advice::After(Duration::from_millis(ms))),
    ]
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        advices().prop_map(Fate::Fails),
        (0_u64..8_000, advices()).prop_map(|(lived, advice)| Fate::Lives(lived, advice)),
        (0_u64..3, advices()).prop_map(|(lived, advice)| Fate::Lives(lived, advice)),
    ]
}

proptest! {
    #[test]
    fn whatever_becomes_of_the_tries_they_are_few_in_any_ten_seconds(
        fates in prop::collection::vec((fates(), any::<u64>(), any::<bool>()), 1..120)
    ) {
        let (mut retry, mut now) = (Retry::new(MIN, MAX), begin());
        let mut tries = Vec::new();
        for (fate, random, obeys) in fates {
            while let Err(soonest) = retry.permit(now) {
                // A caller that does not wait gets nothing for it.
                let wait = if obeys { soonest } else { Duration::from_millis(20) };
                now.instant = now.instant.after(wait);
            }
            tries.push(now.instant);
            let advice = match fate {
                Fate::Fails(advice) => advice,
                Fate::Lives(lived, advice) => {
                    retry.handle_connected(now);
                    now.instant = now.instant.after(Duration::from_millis(lived));
                    advice
                }
            };
            let wait = retry.handle_lost(now, advice, random).unwrap();
            if obeys {
                now.instant = now.instant.after(wait);
                prop_assert!(retry.soonest(now).is_zero(), "a wait that is over is over");
            }
        }
        for (i, first) in tries.iter().enumerate() {
            let window = tries[i..].iter().take_while(|at| at.since(*first) < Duration::from_secs(10));
            prop_assert!(window.count() <= 12);
        }
    }
}
