//! What every wire refuses alike, at its limit and one past it.

use bytes::Bytes;
use martlet_core::model::{Code, Data, Limits};

use super::*;

fn code<T: std::fmt::Debug>(result: Result<T, Refused>) -> Code {
    result.unwrap_err().refusal.code
}

fn tag(name: &str, value: &str) -> (Box<str>, Box<str>) {
    (name.into(), value.into())
}

#[test]
fn a_label_is_short_and_printable() {
    let limits = Limits { name_bytes: 4, ..Limits::default() };
    assert_eq!(label("name", Some("abcd".into()), &limits), Ok(Some("abcd".into())));
    assert_eq!(label("name", None, &limits), Ok(None));
    for bad in ["abcde", "", "a\nb", "a\0", "\u{85}"] {
        assert_eq!(code(label("name", Some(bad.into()), &limits)), Code::NameInvalid, "{bad:?}");
    }
}

#[test]
fn tags_are_few_and_different() {
    let limits = Limits { tags: 2, name_bytes: 4, ..Limits::default() };
    let two = vec![tag("a", ""), tag("b", "x")];
    assert_eq!(tags(two.clone(), &limits), Ok(two));
    let three = vec![tag("a", ""), tag("b", ""), tag("c", "")];
    assert_eq!(code(tags(three, &limits)), Code::TooManyTags);
    for bad in [vec![tag("a", ""), tag("a", "")], vec![tag("", "")], vec![tag("a", "12345")]] {
        assert_eq!(code(tags(bad, &limits)), Code::NameInvalid);
    }
}

#[test]
fn a_start_is_a_position_or_a_time_and_not_half_of_one() {
    assert_eq!(start(None, None, None), Ok(None));
    assert!(matches!(start(Some("k3f9x2ab"), Some(0), None), Ok(Some(Start::After(_)))));
    assert_eq!(start(None, None, Some(7)), Ok(Some(Start::Since(UnixMillis(7)))));
    assert_eq!(code(start(Some("k3f9x2ab"), None, None)), Code::Malformed);
    assert_eq!(code(start(None, Some(1), None)), Code::Malformed);
    assert_eq!(code(start(Some("k3f9x2ab"), Some(1), Some(1))), Code::Malformed);
    assert_eq!(code(start(Some("K3F9"), Some(1), None)), Code::CursorInvalid);
}

#[test]
fn json_is_kept_as_it_is_but_on_one_line() {
    let limits = Limits::default();
    let kept = "{\"a\" : [1e999999,\"\\ud800 </script> \u{2028}\\n\"], \"a\":0}";
    assert_eq!(json(kept, &limits), Ok(Data::Json(kept.into())));
    let broken = "{\"a\":\r\n[1,\n2]}";
    assert_eq!(json(broken, &limits), Ok(Data::Json("{\"a\":  [1, 2]}".into())));
}

#[test]
fn json_is_not_too_deep() {
    let limits = Limits::default();
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(json(&nested(120), &limits).is_ok());
    assert_eq!(code(json(&nested(121), &limits)), Code::DataInvalid);
    let brackets = format!("\"{}\\\"{}\"", "[".repeat(500), "{".repeat(500));
    assert!(json(&brackets, &limits).is_ok(), "brackets in a text are no nesting");
    let in_frame = format!("{{\"history\":{{\"publications\":[{{\"data\":{}}}]}}}}", nested(120));
    assert!(serde_json::from_str::<serde_json::Value>(&in_frame).is_ok());
}

#[test]
fn data_meets_its_limit_exactly() {
    let limits = Limits { data_bytes: 8, ..Limits::default() };
    assert!(json("\"123456\"", &limits).is_ok());
    assert_eq!(code(json("\"1234567\"", &limits)), Code::DataTooLarge);
    assert!(base64("MTIzNDU2Nzg=", &limits).is_ok());
    assert_eq!(code(base64("MTIzNDU2Nzg5", &limits)), Code::DataTooLarge);
    assert_eq!(code(base64(&"A".repeat(1 << 20), &limits)), Code::DataTooLarge);
    assert_eq!(code(base64("MTI", &limits)), Code::DataInvalid);
    assert_eq!(code(base64("MT I=", &limits)), Code::DataInvalid);
    assert_eq!(base64("", &limits), Ok(Data::Bytes(Bytes::new())));
    assert!(bytes(vec![0; 8].into(), &limits).is_ok());
    assert_eq!(code(bytes(vec![0; 9].into(), &limits)), Code::DataTooLarge);
}

#[test]
fn bytes_that_should_be_json_are_looked_at() {
    let limits = Limits::default();
    assert_eq!(json_bytes(b" [1]\n", &limits), Ok(Data::Json("[1]".into())));
    for bad in [&b""[..], b"{", b"1 2", b"NaN", b"\xef\xbb\xbf1", b"\"\xff\"", b"\"\0\""] {
        assert_eq!(code(json_bytes(bad, &limits)), Code::DataInvalid, "{bad:?}");
    }
}

#[test]
fn an_agent_is_made_fit() {
    let limits = Limits { name_bytes: 5, ..Limits::default() };
    assert_eq!(&*agent("a\nb€", &limits), "a b", "the last character would be the sixth byte");
    assert_eq!(&*agent("ab€cd", &limits), "ab€");
}

#[test]
fn what_is_quoted_is_short() {
    let refused = channel(&"é\u{1b} ".repeat(10_000)).unwrap_err();
    assert_eq!(refused.refusal.code, Code::ChannelInvalid);
    assert!(refused.refusal.detail.unwrap().len() < 200);
}
