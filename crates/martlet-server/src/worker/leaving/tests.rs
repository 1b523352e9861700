use super::*;

#[test]
fn an_order_has_everybody_once_and_is_not_the_one_they_came_in() {
    let mut them: Vec<_> = (0..1_000).collect();
    shuffle(&mut them, 7);
    assert_ne!(them, (0..1_000).collect::<Vec<_>>());
    let near = them.windows(2).filter(|pair| pair[1] == pair[0] + 1).count();
    assert!(near < 20, "{near}");
    them.sort_unstable();
    assert_eq!(them, (0..1_000).collect::<Vec<_>>());
}

#[test]
fn who_only_looks_in_is_not_sent_away_before_the_others_go() {
    let leaving = |stage| Leaving { stage, nodes: Arc::default() };
    assert!(leaving(Stage::Waiting).send_away(true).is_none());
    assert!(leaving(Stage::LettingGo).send_away(true).is_some());
    let told = leaving(Stage::Waiting).send_away(false).expect("nobody new stays");
    let after = told.after.expect("it is told when");
    assert!(after >= RETURN_MIN && after <= RETURN_MIN + RETURN_SPREAD, "{after:?}");
}
