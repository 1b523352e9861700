use super::*;

#[tokio::test]
async fn stages_come_in_their_order_and_once() {
    let drain = Drain::default();
    let stages = drain.stages();
    drain.enter(Stage::LettingGo);
    drain.enter(Stage::Waiting);
    assert_eq!(drain.stage(), Stage::LettingGo);
    reached(stages, Stage::Waiting).await;
    drain.enter(Stage::Ending);
    assert_eq!(drain.stage(), Stage::Ending);
}

#[tokio::test]
async fn the_first_who_asks_says_how() {
    let drain = Drain::default();
    drain.ask(Plan::at_once(Duration::from_secs(1)));
    drain.ask(Plan::at_once(Duration::from_secs(9)));
    assert_eq!(drain.asked().await.force, Duration::from_secs(1));
}
