use std::time::Duration;

use super::super::plan::{Conditions, Scenario, Server};
use super::super::policy::Clients;
use super::*;

const SESSIONS: u32 = 6_000;

fn plan(scenario: Scenario, clients: Clients, server: Server) -> Plan {
    let ms = Duration::from_millis;
    let conditions = Conditions {
        sessions: SESSIONS,
        nodes: 3,
        workers: 2,
        over: ms(10_000),
        away: ms(2_000),
        admission: 1_000,
        handshakes: 2_000,
        round_trip: [ms(5), ms(80)],
        work: Duration::from_micros(100),
        patience: ms(10_000),
        silence: [ms(10_000), ms(35_000)],
        seed: 3,
    };
    Plan { conditions, scenario, clients, server }
}

fn ours(scenario: Scenario) -> Counted {
    World::new(&plan(scenario, Clients::Martlet, Server::Martlet)).run()
}

/// The most that anybody was without a connection.
fn longest(counted: &Counted) -> Duration {
    Duration::from_nanos(counted.away.max())
}

#[test]
fn whatever_happens_everybody_comes_back() {
    for scenario in Scenario::ALL {
        let counted = ours(scenario);
        assert_eq!(counted.never, 0, "{scenario:?}");
        assert_eq!(counted.away.len(), counted.gone, "{scenario:?}");
        assert_eq!(counted.let_in.total() as u64, counted.gone, "{scenario:?}");
        assert_eq!(counted.shaking.total(), 0, "{scenario:?}: no handshake is left");
        assert!(counted.tries >= counted.gone, "{scenario:?}");
    }
}

#[test]
fn as_many_lose_their_connections_as_were_there() {
    let third = u64::from(SESSIONS / 3);
    assert_eq!(ours(Scenario::Drain).gone, third);
    assert_eq!(ours(Scenario::Kill).gone, third);
    assert_eq!(ours(Scenario::Vanish).gone, third);
    assert_eq!(ours(Scenario::Restart).gone, 3 * third);
    assert_eq!(ours(Scenario::Outage).gone, 3 * third);
    // Whoever has left the first node may be on the second or third, which follow.
    assert!(ours(Scenario::Rolling).gone > 3 * third);
}

#[test]
fn a_drain_is_even_and_nobody_is_away_for_long() {
    let counted = ours(Scenario::Drain);
    let even = f64::from(SESSIONS / 3) / 10.0;
    let peak = counted.arrivals.most_in_second();
    assert!(peak <= 1.3 * even, "{peak} of {even}");
    assert!(longest(&counted) < Duration::from_secs(1));
    assert_eq!(counted.most_tries, 1);
}

#[test]
fn a_server_that_closes_all_at_once_has_them_all_at_once() {
    let counted = World::new(&plan(Scenario::Drain, Clients::Pusher, Server::AllAtOnce)).run();
    assert_eq!(counted.arrivals.most_in_second(), f64::from(SESSIONS / 3));
    let fixed = World::new(&plan(Scenario::Kill, Clients::EventSource, Server::AllAtOnce)).run();
    assert!(longest(&fixed) >= Duration::from_secs(3));
}

#[test]
fn admission_lets_in_no_more_than_it_says() {
    let counted = ours(Scenario::Outage);
    // Six workers with a thousand each, and a quarter of that once.
    assert!(counted.let_in.most_in_second() <= 7_500.0);
    let mut one = plan(Scenario::Restart, Clients::Martlet, Server::Martlet);
    one.conditions.away = Duration::from_millis(100);
    let counted = World::new(&one).run();
    assert!(counted.let_in.most_in_second() <= 2_500.0);
    assert!(counted.tries < counted.gone * 5 / 4, "most were told a time at which there is room");
}

#[test]
fn whoever_is_not_let_in_comes_when_it_is_told_to() {
    let mut plan = plan(Scenario::Kill, Clients::Martlet, Server::Martlet);
    plan.conditions.admission = 100;
    let counted = World::new(&plan).run();
    assert!(counted.let_in.most_in_second() <= 500.0, "four workers, and a quarter once");
    assert!(counted.most_tries <= 5, "{}", counted.most_tries);
    assert_eq!(counted.never, 0);
}

#[test]
fn a_silent_end_is_noticed_by_the_heartbeat() {
    let counted = ours(Scenario::Vanish);
    let away = &counted.away;
    assert!(away.min() > 10_000_000_000, "{}", away.min());
    assert!(longest(&counted) < Duration::from_secs(40));
}

#[test]
fn a_herd_keeps_slow_servers_down_and_admission_does_not() {
    let mut plan = plan(Scenario::Kill, Clients::Restless, Server::AllAtOnce);
    plan.conditions.work = Duration::from_millis(20);
    plan.conditions.patience = Duration::from_secs(2);
    let herd = World::new(&plan).run();
    assert!(herd.never > 0, "they give up waiting, and the work for them is in vain");
    plan.server = Server::Martlet;
    plan.clients = Clients::Martlet;
    plan.conditions.admission = 40;
    plan.conditions.handshakes = 40;
    let ours = World::new(&plan).run();
    assert_eq!(ours.never, 0, "as many as can be served come at a time");
}

#[test]
fn those_who_give_up_are_counted() {
    let mut plan = plan(Scenario::Outage, Clients::SignalR, Server::AllAtOnce);
    plan.conditions.away = Duration::from_secs(2);
    assert_eq!(World::new(&plan).run().never, 0);
    // Nobody is let in in time.
    plan.conditions.patience = Duration::ZERO;
    assert_eq!(World::new(&plan).run().never, u64::from(SESSIONS));
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let figures =
        |counted: Counted| (counted.arrivals.tenths(BEGIN, 99), counted.tries, counted.away.max());
    assert_eq!(figures(ours(Scenario::Kill)), figures(ours(Scenario::Kill)));
    let mut other = plan(Scenario::Kill, Clients::Martlet, Server::Martlet);
    other.conditions.seed = 4;
    assert_ne!(figures(World::new(&other).run()), figures(ours(Scenario::Kill)));
}
