use super::*;

#[test]
fn what_is_due_first_comes_first_and_the_rest_in_turn() {
    let mut agenda = Agenda::default();
    agenda.put(Instant(5), What::Serve, 1);
    agenda.put(Instant(2), What::Kill, 2);
    agenda.put(Instant(5), What::Begin, 3);
    let all: Vec<_> =
        std::iter::from_fn(|| agenda.next()).map(|(at, _, who)| (at.0, who)).collect();
    assert_eq!(all, [(2, 2), (5, 1), (5, 3)]);
}
