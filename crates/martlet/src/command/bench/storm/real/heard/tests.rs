use super::*;

fn of(message: &str) -> Heard {
    heard(message.as_bytes()).unwrap()
}

#[test]
fn what_a_client_comes_back_with_is_kept() {
    let connected =
        r#"{"id":1,"connected":{"client":"0q3","session":"01","grant":"g1.x","ping":25000}}"#;
    assert_eq!(of(connected), Heard::Connected { grant: "g1.x".into(), session: "01".into() });
    let grant = r#"{"grant":{"grant":"g1.y","expires":1700003600000}}"#;
    assert_eq!(of(grant), Heard::Grant("g1.y".into()));
    let subscribed = r#"{"id":1,"subscribed":{"channel":"a","epoch":"k3","offset":41,"head":44}}"#;
    assert_eq!(of(subscribed), Heard::Subscribed { epoch: "k3".into(), offset: 41 });
}

#[test]
fn publications_have_a_place_and_a_number() {
    let message =
        format!(r#"{{"publication":{{"channel":"a","offset":42,"data":"{:020}xx"}}}}"#, 7);
    assert_eq!(of(&message), Heard::Publication { offset: 42, number: 7 });
    let gap =
        r#"{"gap":{"channel":"a","from":42,"to":80,"reason":"expired","epoch":"k","offset":80}}"#;
    assert_eq!(of(gap), Heard::Gap(80));
}

#[test]
fn closes_say_whether_and_when_to_come_back() {
    let close = |reconnect, after| Heard::Close { reconnect, after };
    let busy =
        r#"{"close":{"code":3011,"name":"busy","message":"…","reconnect":true,"after":3000}}"#;
    assert_eq!(of(busy), close(true, Some(Duration::from_secs(3))));
    assert_eq!(of(r#"{"close":{"code":3008,"reconnect":true}}"#), close(true, None));
    assert_eq!(of(r#"{"close":{"code":3502,"reconnect":false}}"#), close(false, None));
    assert_eq!(of(r#"{"ping":{}}"#), Heard::Ping);
    assert_eq!(of(r#"{"join":{"channel":"a"}}"#), Heard::Nothing);
}

#[test]
fn refusals_and_nonsense_are_errors() {
    assert!(heard(br#"{"id":1,"error":{"code":1100}}"#).is_err());
    assert!(heard(br#"{"publication":{"offset":1,"data":"no number"}}"#).is_err());
    assert!(heard(b"nonsense").is_err());
}
