//! Tests of `exp` and `nbf`: the leeway, and times that are none.

use super::*;

async fn at(claims: Value, now: u64) -> Result<Identity, Refusal> {
    verifier().connection(&token(claims), UnixMillis(now)).await
}

#[tokio::test]
async fn a_token_is_good_until_its_end_and_the_leeway() {
    let claims = || json!({ "exp": 1_000 });
    assert!(at(claims(), 999_999).await.is_ok());
    assert!(at(claims(), 1_029_999).await.is_ok());
    refused(at(claims(), 1_030_000).await, Code::TokenExpired, "");
    refused(at(claims(), NOW.0).await, Code::TokenExpired, "");
    refused(at(json!({ "exp": 0 }), NOW.0).await, Code::TokenExpired, "");
}

#[tokio::test]
async fn a_token_is_good_from_its_beginning_less_the_leeway() {
    let claims = || json!({ "nbf": 1_000 });
    refused(at(claims(), 969_999).await, Code::TokenEarly, "");
    assert!(at(claims(), 970_000).await.is_ok());
    assert!(at(claims(), NOW.0).await.is_ok());
}

#[tokio::test]
async fn times_may_have_a_fraction() {
    let identity = at(json!({ "exp": 2_000.5 }), 1_000_000).await.unwrap();
    assert_eq!(identity.expires, Some(UnixMillis(2_030_500)));
}

#[tokio::test]
async fn times_that_are_none_make_the_token_invalid() {
    let cases = [
        (r#""1800000000""#, "is not a number"),
        ("null", "is not a number"),
        ("true", "is not a number"),
        ("[1800000000]", "is not a number"),
        ("-1", "is before 1970"),
        ("-9223372036854775808", "is before 1970"),
        ("9223372036854775807", "is after the year 9999"),
        ("9223372036854775808", "is after the year 9999"),
        ("18446744073709551616", "is after the year 9999"),
        ("1e300", "is after the year 9999"),
        ("1700000000000", "is after the year 9999; it is in seconds"),
    ];
    for name in ["exp", "nbf"] {
        for (value, detail) in cases {
            let claims = format!(r#"{{"{name}":{value}}}"#);
            let token = forged(r#"{"alg":"HS256"}"#, &claims, SECRET.as_bytes());
            let detail = format!("its {name} {detail}");
            refused(identity(&token).await, Code::TokenInvalid, &detail);
        }
        let huge = format!(r#"{{"{name}":1e999}}"#);
        let token = forged(r#"{"alg":"HS256"}"#, &huge, SECRET.as_bytes());
        refused(identity(&token).await, Code::TokenInvalid, "");
    }
}
