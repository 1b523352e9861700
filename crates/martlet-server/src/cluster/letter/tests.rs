use martlet_core::model::SessionPlace;

use super::*;

fn key() -> SessionKey {
    SessionKey::new(SessionPlace { node: NodeId::new(5), worker: 2, slot: 9 }, 77)
}

fn whoms() -> [Whom; 3] {
    let user = UserId::parse("ann").unwrap();
    [Whom::User(user), Whom::Client(ClientId::new(7)), Whom::Session(key())]
}

fn everything() -> Vec<What> {
    let next = NextPoll { have: 3, wait: Duration::from_millis(1_500) };
    let channel = ChannelName::parse("room:1").unwrap();
    let epoch = martlet_core::model::Epoch::new(9);
    let head = Some(martlet_core::model::Position { epoch, offset: 4 });
    let state = ChannelState { channel: channel.clone(), head, subscribers: 2, members: 1 };
    let bare = ChannelState { head: None, ..state.clone() };
    let detail = Some("because".into());
    let refusal = Refusal {
        code: Code::RateLimited,
        detail: detail.clone(),
        after: Some(Duration::from_secs(1)),
    };
    let close = Close { detail, ..Code::Disconnected.into() };
    let at = UnixMillis(1_000);
    let mut questions = vec![
        Question::Frame(key(), Bytes::from_static(b"{\"id\":1}\n{}\n")),
        Question::Leave(key()),
        Question::Replace(key()),
        Question::Poll(key(), next),
        Question::PollGone(key(), 12),
        Question::Channels("room:".into(), 100),
        Question::Revoked,
    ];
    for whom in whoms() {
        questions.push(Question::Control(Control::Subscribe(whom.clone(), channel.clone())));
        questions.push(Question::Control(Control::Unsubscribe(whom.clone(), channel.clone())));
        let close = close.clone();
        questions.push(Question::Control(Control::Disconnect { whom, close, at }));
    }
    let bytes = Bytes::from_static(b"a\nb");
    let answers = [
        Answer::Done,
        Answer::Refused(refusal),
        Answer::Refused(Code::UnknownSession.into()),
        Answer::Polled(Polled::Batch { number: 4, bytes }),
        Answer::Polled(Polled::Nothing { number: 4 }),
        Answer::Polled(Polled::Unknown),
        Answer::Sessions(3),
        Answer::Channels(vec![state, bare]),
        Answer::Revoked(whoms().into_iter().map(|whom| (whom, at)).collect()),
    ];
    let questions = questions.into_iter().map(What::Question);
    questions.chain(answers.into_iter().map(What::Answer)).collect()
}

#[test]
fn what_is_written_is_read() {
    for what in everything() {
        let letter = Letter { from: NodeId::new(3), number: 8, what };
        assert_eq!(Letter::read(&letter.write()), Some(letter));
    }
}

#[test]
fn anything_else_is_nothing() {
    for text in [
        "",
        "\n",
        "{}\n",
        "{\"from\":\"0000003\",\"number\":1}\n",
        "{\"from\":\"x\",\"number\":1,\"done\":{}}\n",
        "{\"from\":\"0000003\",\"number\":1,\"sing\":{}}\n",
        "{\"from\":\"0000003\",\"number\":1,\"leave\":{\"session\":\"short\"}}\n",
        "{\"from\":\"0000003\",\"number\":1,\"done\":{}}",
    ] {
        assert_eq!(Letter::read(&Bytes::from(text)), None, "{text}");
    }
}
