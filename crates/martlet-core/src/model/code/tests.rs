//! Tests of the table of codes, which docs and clients are made of.

use std::collections::BTreeSet;

use super::*;

#[test]
fn numbers_rise_and_lie_where_their_kind_belongs() {
    assert!(Code::ALL.is_sorted_by(|a, b| a.number() < b.number()), "each number once, in order");
    for code in Code::ALL {
        let range = match code.kind() {
            CodeKind::Refusal | CodeKind::Temporary => 1_000..2_000,
            CodeKind::CloseAndReturn => 3_000..3_500,
            CodeKind::CloseForGood => 3_500..4_000,
        };
        assert!(range.contains(&code.number()), "{code}");
        assert!((400..600).contains(&code.http_status()), "{code}");
    }
}

#[test]
fn names_are_unique_and_words_are_sentences() {
    let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(names.len(), Code::ALL.len());
    for code in Code::ALL {
        let snake = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        };
        assert!(snake(code.name()), "{code}");
        for sentence in [code.message(), code.hint()] {
            assert!(sentence.ends_with('.') && !sentence.contains(['\n', '"', '\\']), "{code}");
            assert!(sentence.starts_with(|c: char| c.is_uppercase() || c == '/'), "{code}");
        }
        // A WebSocket close has room for 123 bytes of reason.
        assert!(code.number() < 3_000 || code.message().len() <= 123, "{code}");
    }
}

#[test]
fn a_code_is_found_by_its_number() {
    for code in Code::ALL {
        assert_eq!(Code::from_number(code.number()), Some(*code));
    }
    assert_eq!([0, 999, 1_999, 3_999, u16::MAX].map(Code::from_number), [None; 5]);
}

#[test]
fn what_may_help_is_said() {
    assert!(Code::RateLimited.temporary() && Code::Shutdown.temporary());
    assert!(!Code::TokenInvalid.temporary() && !Code::Disconnected.temporary());
    assert!(Close::from(Code::Shutdown).reconnect() && !Close::from(Code::BadFrame).reconnect());
}

#[test]
fn a_detail_is_added_to_the_sentence() {
    let plain = Refusal::from(Code::NotFound);
    assert_eq!(plain.message(), "There is nothing at this address.");
    let refusal = Refusal::because(Code::NotFound, "/x");
    assert_eq!(refusal.message(), "There is nothing at this address. (/x)");
    let close = Close { detail: Some("b".into()), ..Code::Failed.into() };
    assert_eq!(close.reason(), "The server failed. (b)");
    let after = Duration::from_millis(5);
    assert_eq!(Refusal::until(Code::RateLimited, after).after, Some(after));
}
