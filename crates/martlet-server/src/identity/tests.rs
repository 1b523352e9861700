//! Tests of whole tokens: the good of every algorithm, the forged of every kind, and what they
//! say.

use std::time::Duration;

use martlet_core::model::{ChannelName, Code, Refusal, UnixMillis, UserId};
use martlet_core::session::{ChannelGrant, Identity, Verb, Verbs};
use serde_json::{Value, json};

use super::*;

pub mod keyring;
mod times;

use keyring::{EC, ED, RSA, SECRET, forged, object, secret_source, source, token};

/// The time at which all tests happen.
const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn verifier() -> Verifier {
    Verifier::new(vec![secret_source()], Duration::from_secs(30))
}

async fn identity(token: &str) -> Result<Identity, Refusal> {
    verifier().connection(token, NOW).await
}

async fn grant(claims: Value, channel: &str, user: Option<&str>) -> Result<ChannelGrant, Refusal> {
    let channel = ChannelName::parse(channel).unwrap();
    let user = user.map(|user| UserId::parse(user).unwrap());
    verifier().channel(&token(claims), &channel, user.as_ref(), NOW).await
}

fn refused<T: std::fmt::Debug>(result: Result<T, Refusal>, code: Code, detail: &str) {
    let refusal = result.expect_err(detail);
    assert_eq!(refusal.code, code, "{refusal:?}");
    assert!(refusal.detail.as_deref().unwrap_or_default().contains(detail), "{refusal:?}");
}

#[tokio::test]
async fn every_algorithm_is_believed_by_its_key() {
    let claims = object(json!({ "sub": "ann" }));
    for pair in [&*RSA, &*EC, &*ED] {
        let verifier = Verifier::new(vec![source(pair.key())], Duration::ZERO);
        let token = pair.signer().sign(&claims, None).unwrap();
        let identity = verifier.connection(&token, NOW).await.unwrap();
        assert_eq!(identity.user, UserId::parse("ann"), "{}", pair.algorithm);
    }
    assert_eq!(identity(&token(Value::Object(claims))).await.unwrap().user, UserId::parse("ann"));
}

#[tokio::test]
async fn a_token_says_who_and_what() {
    let identity = identity(&token(json!({
        "sub": "ann",
        "exp": 1_700_000_100,
        "channels": ["inbox:ann", "news", "news"],
        "permissions": { "room:*": ["subscribe", "publish"], "log": ["history"] },
        "info": { "name": "Ann", "lines": "a\nb" },
        "iat": "ignored",
        "jti": 7,
    })))
    .await
    .unwrap();
    let channel = |name| ChannelName::parse(name).unwrap();
    assert_eq!(identity.user, UserId::parse("ann"));
    assert_eq!(identity.expires, Some(UnixMillis(1_700_000_130_000)), "the leeway is in it");
    assert_eq!(identity.channels, [channel("inbox:ann"), channel("news")]);
    assert!(identity.allows(&channel("room:7"), Verb::Publish));
    assert!(identity.allows(&channel("news"), Verb::Subscribe));
    assert!(!identity.allows(&channel("room"), Verb::Subscribe));
    assert!(!identity.allows(&channel("log"), Verb::Subscribe));
    let info = String::from_utf8(identity.info.unwrap().to_vec()).unwrap();
    assert_eq!(info, r#"{"lines":"a\nb","name":"Ann"}"#);
}

#[tokio::test]
async fn a_token_without_a_user_is_anonymous_with_permissions() {
    let identity =
        identity(&token(json!({ "permissions": { "*": ["subscribe"] } }))).await.unwrap();
    assert_eq!((identity.user.clone(), identity.expires), (None, None));
    assert!(identity.allows(&ChannelName::parse("any").unwrap(), Verb::Subscribe));
}

#[tokio::test]
async fn no_algorithm_is_chosen_by_the_token() {
    let claims = r#"{"sub":"root"}"#;
    for alg in ["none", "None", "nOnE", "", "HS384", "HS512", "RS512", "PS256", "hs256", "Ed25519"]
    {
        let header = format!(r#"{{"alg":"{alg}"}}"#);
        let with = forged(&header, claims, SECRET.as_bytes());
        let without = format!("{}.", with.rsplit_once('.').unwrap().0);
        for token in [with, without] {
            refused(identity(&token).await, Code::TokenInvalid, "its algorithm is not");
        }
    }
    for header in
        [r#"{"typ":"JWT"}"#, r#"["HS256"]"#, r#"{"alg":null}"#, r#"{"alg":["HS256"]}"#, "[]", "{"]
    {
        let token = forged(header, claims, SECRET.as_bytes());
        refused(identity(&token).await, Code::TokenInvalid, "its header cannot be read");
    }
}

#[tokio::test]
async fn a_public_key_is_no_secret() {
    for pair in [&*RSA, &*EC, &*ED] {
        let verifier = Verifier::new(vec![source(pair.key())], Duration::ZERO);
        let pem = &pair.public_pem;
        for secret in [pem.as_bytes(), pem.trim_end().as_bytes(), b""] {
            let token = forged(r#"{"alg":"HS256"}"#, r#"{"sub":"root"}"#, secret);
            let result = verifier.connection(&token, NOW).await;
            refused(result, Code::TokenInvalid, "no key of this name and algorithm");
        }
        let header = format!(r#"{{"alg":"{}"}}"#, pair.algorithm);
        let token = forged(&header, r#"{"sub":"root"}"#, pem.as_bytes());
        refused(verifier.connection(&token, NOW).await, Code::TokenInvalid, "signature is wrong");
    }
}

#[tokio::test]
async fn a_key_of_another_kind_does_not_fit() {
    let verifier = Verifier::new(vec![source(EC.key()), source(RSA.key())], Duration::ZERO);
    let token = ED.signer().sign(&object(json!({})), None).unwrap();
    refused(verifier.connection(&token, NOW).await, Code::TokenInvalid, "no key of this name");
    let stranger = keyring::OTHER_ED.signer().sign(&object(json!({})), None).unwrap();
    let verifier = Verifier::new(vec![source(ED.key())], Duration::ZERO);
    refused(verifier.connection(&stranger, NOW).await, Code::TokenInvalid, "signature is wrong");
}

#[tokio::test]
async fn names_of_keys_choose_among_keys_and_nothing_else() {
    let named = source(Key::secret(SECRET).unwrap().named(Some("a".into())));
    let verifier = Verifier::new(vec![named], Duration::ZERO);
    let sign = |id: Option<&str>| Signer::secret(SECRET).sign(&object(json!({})), id).unwrap();
    assert!(verifier.connection(&sign(Some("a")), NOW).await.is_ok());
    assert!(verifier.connection(&sign(None), NOW).await.is_ok());
    for id in ["b", "../../../../dev/null", "a' OR '1'='1", "http://127.0.0.1:1/", "A", "a\u{0}"] {
        let result = verifier.connection(&sign(Some(id)), NOW).await;
        refused(result, Code::TokenInvalid, "no key of this name");
    }
}

#[tokio::test]
async fn keys_and_addresses_in_the_header_are_not_used() {
    let jwk = json!({ "kty": "oct", "k": keyring::part("mine") });
    for extra in [
        json!({ "jwk": jwk }),
        json!({ "jku": "http://127.0.0.1:1/keys", "kid": "a" }),
        json!({ "x5u": "http://127.0.0.1:1/cert", "x5c": ["AAAA"] }),
    ] {
        let mut header = object(extra);
        header.insert("alg".into(), json!("HS256"));
        let header = Value::Object(header).to_string();
        let token = forged(&header, r#"{"sub":"root"}"#, b"mine");
        refused(identity(&token).await, Code::TokenInvalid, "signature is wrong");
    }
    let critical = forged(r#"{"alg":"HS256","crit":["b64"]}"#, "{}", SECRET.as_bytes());
    refused(identity(&critical).await, Code::TokenInvalid, "crit");
}

#[tokio::test]
async fn a_changed_token_is_not_believed() {
    let good = token(json!({ "sub": "ann" }));
    assert!(identity(&good).await.is_ok());
    let parts: Vec<&str> = good.split('.').collect();
    let other = keyring::part(r#"{"sub":"root"}"#);
    for token in [
        format!("{}.{other}.{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{good}A"),
        format!("{good}="),
        format!("{good} "),
        good[..good.len() - 1].to_owned(),
    ] {
        refused(identity(&token).await, Code::TokenInvalid, "signature is wrong");
    }
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    for text in ["", ".", "..", "...", "a.b", "a.b.c.d", "g1.abc", "\u{0}", "ééé.ééé.ééé"]
    {
        refused(identity(text).await, Code::TokenInvalid, "");
    }
    let long = "a".repeat(TOKEN_BYTES_MAX + 1);
    refused(identity(&long).await, Code::TokenInvalid, "longer than 8192 bytes");
    let deep = "[".repeat(2_000);
    let header = r#"{"alg":"HS256"}"#;
    for claims in ["", "null", "[]", r#"["root"]"#, "7", "{", r#"{"sub":"a","sub":"b"}"#, &deep] {
        let token = forged(header, claims, SECRET.as_bytes());
        refused(identity(&token).await, Code::TokenInvalid, "its claims are not a JSON object");
    }
    let nested = format!(r#"{{"info":{deep}"#);
    let token = forged(header, &nested, SECRET.as_bytes());
    refused(identity(&token).await, Code::TokenInvalid, "its claims are not");
}

#[tokio::test]
async fn claims_of_the_wrong_kind_are_mistakes_not_permissions() {
    let many: Vec<_> = (0..=Identity::CHANNELS_MAX).map(|n| format!("c{n}")).collect();
    let rules: Value =
        (0..129).map(|n| (format!("c{n}"), json!([]))).collect::<serde_json::Map<_, _>>().into();
    let cases = [
        (json!({ "sub": 7 }), "its sub is not"),
        (json!({ "sub": "" }), "its sub is not"),
        (json!({ "sub": null }), "its sub is not"),
        (json!({ "sub": "a\nb" }), "its sub is not"),
        (json!({ "sub": "x".repeat(256) }), "its sub is not"),
        (json!({ "channels": "news" }), "its channels are not"),
        (json!({ "channels": ["a b"] }), "its channels are not"),
        (json!({ "channels": [7] }), "its channels are not"),
        (json!({ "channels": many }), "it names more than 128 channels"),
        (json!({ "permissions": ["room:*"] }), "its permissions are not"),
        (json!({ "permissions": null }), "its permissions are not"),
        (json!({ "permissions": { "room:*": "publish" } }), "its permissions have"),
        (json!({ "permissions": { "room:*": ["fly"] } }), "its permissions have"),
        (json!({ "permissions": { "room:*": ["*"] } }), "its permissions have"),
        (json!({ "permissions": { "a b": ["publish"] } }), "in its permissions, a channel name"),
        (json!({ "permissions": rules }), "at most 128 permissions"),
        (json!({ "info": "x".repeat(5_000) }), "its info is longer than 4096"),
    ];
    for (claims, detail) in cases {
        refused(identity(&token(claims)).await, Code::TokenInvalid, detail);
    }
}

#[tokio::test]
async fn audience_and_issuer_are_those_of_the_key() {
    let mut source = secret_source();
    source.audience = vec!["chat".into(), "games".into()];
    source.issuer = Some("https://login.example.com".into());
    let verifier = Verifier::new(vec![source], Duration::ZERO);
    let check = async |aud: Value, iss: Value| {
        let token = token(json!({ "aud": aud, "iss": iss }));
        verifier.connection(&token, NOW).await
    };
    let iss = || json!("https://login.example.com");
    assert!(check(json!("chat"), iss()).await.is_ok());
    assert!(check(json!(["other", "games"]), iss()).await.is_ok());
    let invalid = Code::TokenInvalid;
    refused(check(json!("Chat"), iss()).await, invalid, "its audience (aud) is not");
    refused(check(json!([]), iss()).await, invalid, "it has no audience");
    refused(check(json!({ "a": 1 }), iss()).await, invalid, "its aud is neither");
    refused(check(json!(["chat", 7]), iss()).await, invalid, "its aud is neither");
    refused(check(json!("chat"), json!("https://login.example.com/")).await, invalid, "its issuer");
    refused(check(json!("chat"), json!(null)).await, invalid, "its issuer");
    let unasked = identity(&token(json!({ "aud": "another app" }))).await;
    refused(unasked, invalid, "it is for an audience (aud), and none is configured");
}

#[tokio::test]
async fn a_key_of_one_issuer_does_not_speak_for_another() {
    let mut ours = source(ED.key().named(Some("k".into())));
    ours.issuer = Some("ours".into());
    let mut theirs = source(keyring::OTHER_ED.key().named(Some("k".into())));
    theirs.issuer = Some("theirs".into());
    let verifier = Verifier::new(vec![ours, theirs], Duration::ZERO);
    let claims = object(json!({ "sub": "root", "iss": "ours" }));
    let token = keyring::OTHER_ED.signer().sign(&claims, Some("k")).unwrap();
    refused(verifier.connection(&token, NOW).await, Code::TokenInvalid, "its issuer");
    let honest = ED.signer().sign(&claims, Some("k")).unwrap();
    assert!(verifier.connection(&honest, NOW).await.is_ok());
}

#[tokio::test]
async fn a_token_for_a_channel_is_for_that_channel_and_user() {
    let grant_of_ann = grant(json!({ "channel": "room:1", "sub": "ann" }), "room:1", Some("ann"));
    assert_eq!(grant_of_ann.await.unwrap().verbs, Verbs::READ);
    let bearer = grant(json!({ "channel": "room:1", "permissions": ["publish"] }), "room:1", None);
    assert_eq!(bearer.await.unwrap().verbs, Verbs::NONE.with(Verb::Publish));
    let mismatch = Code::TokenMismatch;
    for other in ["room:2", "Room:1", "r\u{43e}om:1", "room:11", "room:"] {
        let result = grant(json!({ "channel": "room:1" }), other, None).await;
        refused(result, mismatch, "another channel");
    }
    let of_ann = || json!({ "channel": "room:1", "sub": "ann" });
    refused(grant(of_ann(), "room:1", Some("bob")).await, mismatch, "another user");
    refused(grant(of_ann(), "room:1", None).await, mismatch, "another user");
    refused(grant(json!({ "sub": "ann" }), "room:1", Some("ann")).await, mismatch, "no channel");
    refused(grant(json!({ "channel": "room:*" }), "room:1", None).await, mismatch, "another");
    refused(grant(json!({ "channel": ["room:1"] }), "room:1", None).await, mismatch, "another");
    let wrong = json!({ "channel": "room:1", "permissions": { "room:1": ["publish"] } });
    refused(grant(wrong, "room:1", None).await, Code::TokenInvalid, "its permissions have");
}

#[tokio::test]
async fn a_token_for_a_channel_does_not_connect() {
    let token = token(json!({ "sub": "ann", "channel": "room:1" }));
    refused(identity(&token).await, Code::TokenMismatch, "for a channel, not for a connection");
}

#[tokio::test]
async fn without_keys_no_token_is_good() {
    let verifier = Verifier::new(Vec::new(), Duration::ZERO);
    let result = verifier.connection(&token(json!({})), NOW).await;
    refused(result, Code::TokenInvalid, "the server has no keys for tokens");
}

#[tokio::test]
async fn a_token_costs_a_bounded_number_of_signatures() {
    let mut sources: Vec<_> =
        (0..TRIES_MAX).map(|n| source(Key::secret(&format!("wrong {n}")).unwrap())).collect();
    sources.push(secret_source());
    let late = Verifier::new(sources.clone(), Duration::ZERO);
    let good = token(json!({}));
    refused(late.connection(&good, NOW).await, Code::TokenInvalid, "signature is wrong");
    sources.remove(0);
    assert!(Verifier::new(sources, Duration::ZERO).connection(&good, NOW).await.is_ok());
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?} {:?}", verifier(), Signer::secret(SECRET));
    assert!(!shown.contains(SECRET), "{shown}");
}

/// The claims shown in the documentation are good ones.
#[tokio::test]
async fn the_tokens_of_the_documentation_are_good() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/tokens.md");
    let page = std::fs::read_to_string(path).unwrap();
    let examples = page.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let claims: Vec<Value> = examples.map(|json| serde_json::from_str(json).unwrap()).collect();
    let [connection, channel] = &claims[..] else { panic!("two examples were expected") };
    let identity = identity(&token(connection.clone())).await.unwrap();
    assert_eq!(identity.permissions.rules().len(), 2);
    let grant = grant(channel.clone(), "room:1", Some("ann")).await.unwrap();
    assert!(grant.verbs.has(Verb::Publish) && !grant.verbs.has(Verb::Presence));
}
