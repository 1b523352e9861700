use clap::Parser;

use super::*;

#[derive(Debug, clap::Parser)]
struct Line {
    #[command(flatten)]
    arguments: Arguments,
}

fn arguments(line: &str) -> Arguments {
    let words = std::iter::once("storm").chain(line.split_whitespace());
    Line::try_parse_from(words).unwrap().arguments
}

fn plans(line: &str) -> Vec<(Scenario, Clients, Server)> {
    let plans = arguments(line).plans();
    plans.iter().map(|plan| (plan.scenario, plan.clients, plan.server)).collect()
}

#[test]
fn without_more_words_there_is_everything_and_martlet_comes_first() {
    let all = plans("");
    let of = |scenario| all.iter().filter(|(it, ..)| *it == scenario).count();
    assert_eq!(Scenario::ALL.map(of), [10, 19, 1, 1, 1, 1]);
    for scenario in Scenario::ALL {
        let first = all.iter().find(|(it, ..)| *it == scenario).unwrap();
        assert_eq!(*first, (scenario, Clients::Martlet, Server::Martlet));
    }
}

#[test]
fn scenarios_and_clients_are_chosen() {
    let chosen = plans("--scenario drain,outage --clients pusher,martlet");
    let expected = [
        (Scenario::Drain, Clients::Martlet, Server::Martlet),
        (Scenario::Drain, Clients::Pusher, Server::AllAtOnce),
        (Scenario::Outage, Clients::Martlet, Server::Martlet),
        (Scenario::Outage, Clients::Pusher, Server::AllAtOnce),
    ];
    assert_eq!(chosen, expected);
}
