//! Kinds of wires go through the lane's one byte and come out as they were.

use super::*;

#[test]
fn every_kind_of_wire_has_a_number_of_its_own() {
    let forms = &FORMS[..7];
    let mut seen = std::collections::HashSet::new();
    for (grammar, form, carrier, cursor) in GRAMMARS.into_iter().flat_map(|grammar| {
        forms.iter().flat_map(move |form| {
            CARRIERS.into_iter().flat_map(move |carrier| {
                [true, false].into_iter().map(move |cursor| (grammar, *form, carrier, cursor))
            })
        })
    }) {
        let kind = WireKind { grammar, form, carrier, cursor };
        assert_eq!(WireKind::of(kind.wire()), kind);
        assert!(seen.insert(kind.wire()), "{kind:?}");
    }
}
