use super::*;

#[test]
fn a_batch_for_redis_is_as_many_commands() {
    let door = Door::anonymous("127.0.0.1:1".parse().unwrap(), Kind::Redis.dialects().0);
    let requests = Requests { batch: 3, channels: 2, payload: 20, key: None };
    let commands = Requests::write(&requests, &Door { kind: Kind::Redis, ..door }, 1);
    let text = String::from_utf8(commands).unwrap();
    assert_eq!(text.matches("PUBLISH").count(), 3, "{text}");
}
