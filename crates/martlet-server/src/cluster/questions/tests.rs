use super::*;

fn nodes(ids: &[u32]) -> BTreeSet<NodeId> {
    ids.iter().map(|id| NodeId::new(*id)).collect()
}

fn done(questions: &mut Questions<char>) -> Option<(char, usize)> {
    questions.poll_done().map(|(ticket, answers)| (ticket, answers.len()))
}

#[test]
fn a_question_is_answered_when_all_have_or_are_gone() {
    let mut questions = Questions::new();
    let number = 5;
    questions.ask(number, nodes(&[1, 2, 3]), Instant(100), 'a');
    questions.handle_answer(NodeId::new(1), number, Answer::Done);
    questions.handle_answer(NodeId::new(1), number, Answer::Done);
    questions.handle_answer(NodeId::new(9), number, Answer::Done);
    questions.handle_answer(NodeId::new(2), number + 1, Answer::Done);
    assert_eq!(done(&mut questions), None);
    questions.handle_dead(&nodes(&[3, 9]));
    assert_eq!(done(&mut questions), None);
    questions.handle_answer(NodeId::new(2), number, Answer::Done);
    assert_eq!(done(&mut questions), Some(('a', 2)));
}

#[test]
fn nobody_is_waited_for_longer_than_was_said() {
    let mut questions = Questions::new();
    questions.ask(1, nodes(&[1]), Instant(100), 'a');
    questions.ask(2, nodes(&[1]), Instant(200), 'b');
    questions.handle_timeout(Instant(99));
    assert_eq!(done(&mut questions), None);
    questions.handle_timeout(Instant(100));
    assert_eq!(done(&mut questions), Some(('a', 0)));
    questions.forget(2);
    questions.handle_timeout(Instant(200));
    assert_eq!(done(&mut questions), None);
}

#[test]
fn where_nobody_is_to_be_asked_nobody_is_waited_for() {
    let mut questions = Questions::new();
    questions.ask(1, nodes(&[]), Instant(100), 'a');
    assert_eq!(done(&mut questions), Some(('a', 0)));
}
