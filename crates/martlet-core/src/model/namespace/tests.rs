//! Tests of which options a channel has.

use super::*;

fn options(history_size: usize) -> Namespace {
    Namespace { history_size, ..Namespace::default() }
}

#[test]
fn the_prefix_decides() {
    let namespaces = Namespaces {
        default: Some(options(1)),
        named: [("room".into(), options(2)), ("".into(), options(3))].into(),
        unnamed: Some(options(4)),
    };
    let cases = [("news", 1), ("room", 1), ("room:1", 2), (":x", 3), ("rooms:1", 4), ("ROOM:1", 4)];
    for (channel, size) in cases {
        let channel = ChannelName::parse(channel).unwrap();
        assert_eq!(namespaces.of(&channel).unwrap().history_size, size, "{channel}");
    }
}

#[test]
fn what_nothing_was_said_about_is_refused() {
    let channel = ChannelName::parse("room:1").unwrap();
    let error = Namespaces::default().of(&channel).unwrap_err();
    assert_eq!(error.to_string(), "there is no namespace for channel room:1");
    assert!(Namespaces::default().of(&ChannelName::parse("news").unwrap()).is_err());
}

#[test]
fn what_is_not_said_is_safe() {
    let Namespace { subscribe, publish, history, see_presence, .. } = Namespace::default();
    assert_eq!([subscribe, history, see_presence], [Access::Granted; 3]);
    assert_eq!(publish, Access::Backend);
}
