use super::*;

const CUT: Loss = Loss::Cut;
const NOW: Instant = Instant(0);

/// The first waits of such a client, in milliseconds.
fn waits(clients: Clients, first: Loss, count: usize) -> Vec<u64> {
    let mut policy = clients.policy(7);
    let losses = std::iter::once(first).chain(std::iter::repeat(CUT)).take(count);
    losses
        .filter_map(|loss| policy.handle_lost(NOW, loss))
        .map(|it| it.as_millis() as u64)
        .collect()
}

#[test]
fn fixed_waits_are_as_the_clients_have_them() {
    assert_eq!(waits(Clients::Restless, CUT, 3), [0, 0, 0]);
    assert_eq!(waits(Clients::Naive, CUT, 3), [0, 1_000, 1_000]);
    assert_eq!(waits(Clients::EventSource, CUT, 2), [3_000, 3_000]);
    assert_eq!(waits(Clients::Pusher, CUT, 2), [1_000, 1_000]);
    assert_eq!(waits(Clients::Pusher, Loss::Told(None), 2), [0, 1_000]);
    let phoenix = [10, 50, 100, 150, 200, 250, 500, 1_000, 2_000, 5_000, 5_000];
    assert_eq!(waits(Clients::Phoenix, CUT, 11), phoenix);
    assert_eq!(waits(Clients::SignalR, CUT, 9), [0, 2_000, 10_000, 30_000], "it gives up");
}

#[test]
fn spread_waits_stay_within_what_the_clients_say() {
    for seed in 0..500 {
        let bounds = |clients: Clients, bounds: &[(u64, u64)]| {
            let mut policy = clients.policy(seed);
            for (low, high) in bounds {
                let wait = policy.handle_lost(NOW, CUT).unwrap().as_millis() as u64;
                assert!((*low..=*high).contains(&wait), "{clients:?}: {wait} of {low} to {high}");
            }
        };
        bounds(Clients::SocketIo, &[(500, 1_500), (1_000, 3_000), (2_000, 5_000), (2_500, 5_000)]);
        bounds(Clients::AnyCable, &[(1_500, 9_000), (3_000, 18_000)]);
        bounds(Clients::Centrifuge, &[(500, 1_000), (500, 1_500), (500, 2_500)]);
    }
}

#[test]
fn a_client_that_was_let_in_begins_anew() {
    for clients in [Clients::Phoenix, Clients::SignalR] {
        let mut policy = clients.policy(1);
        let first = policy.handle_lost(NOW, CUT);
        policy.handle_lost(NOW, CUT);
        policy.handle_connected(NOW);
        assert_eq!(policy.handle_lost(NOW, CUT), first, "{clients:?}");
    }
}

#[test]
fn ours_does_as_it_is_told_and_spreads_itself_otherwise() {
    let (told, later) = (Duration::from_secs(7), Instant(10_000_000));
    let first = |seed, loss| {
        let mut policy = Clients::Martlet.policy(seed);
        policy.permit(NOW).unwrap();
        policy.handle_connected(NOW);
        let wait = policy.handle_lost(later, loss).unwrap();
        policy.permit(later.after(wait)).expect("whoever has waited may set out");
        wait
    };
    assert_eq!(first(1, Loss::Told(Some(told))), told);
    let mut cut: Vec<Duration> = (0..1_000).map(|seed| first(seed, CUT)).collect();
    cut.sort();
    assert!(!cut[0].is_zero());
    assert!(cut[999] <= Duration::from_millis(1_500), "{:?}", cut[999]);
    assert!((600..900).contains(&cut[500].as_millis()), "half within half: {:?}", cut[500]);
}

#[test]
fn ours_may_not_set_out_again_and_again() {
    let mut policy = Clients::Martlet.policy(1);
    assert_eq!((policy.permit(NOW), policy.permit(NOW)), (Ok(()), Ok(())));
    assert!(policy.permit(NOW).is_err());
    assert_eq!(Clients::Restless.policy(1).permit(NOW), Ok(()));
}
