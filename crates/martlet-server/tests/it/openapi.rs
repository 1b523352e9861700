//! The description of the API against what the server answers: every answer that a test of this
//! program gets has to be described, with its status, its type and the form of its JSON.

use std::sync::LazyLock;

use http::Method;
use serde_json::{Map, Value, json};

use crate::http::{Answer, Ask, Http};
use crate::node::TestNode;

mod pattern;
mod schema;

use schema::Schemas;

static FILE: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../src/api/openapi.json")).unwrap());

/// Holds an answer, and the request if it was taken, against the description.
pub fn check(ask: &Ask<'_>, answer: &Answer) {
    let Some(item) = item(ask.path) else {
        let unknown = (answer.status, answer.json()["code"].as_u64());
        return assert!(
            matches!(unknown, (404, Some(1007)) | (403 | 413, _)),
            "{} is not described: {answer:?}",
            ask.path
        );
    };
    // Whoever answers GET answers HEAD, without the body.
    let method = if ask.method == Method::HEAD { Method::GET } else { ask.method.clone() };
    let Some(operation) = item.get(&method.as_str().to_ascii_lowercase()) else {
        if answer.status != 403 && answer.status != 204 {
            assert_eq!(answer.status, 405, "{ask:?} is not described");
            check_response(
                ask,
                answer,
                &json!({"$ref": "#/components/responses/MethodNotAllowed"}),
            );
        }
        return;
    };
    let response = &operation["responses"][answer.status.to_string()];
    assert!(!response.is_null(), "{ask:?}: {} is not described: {answer:?}", answer.status);
    check_response(ask, answer, response);
    if answer.status < 300 {
        check_request(ask, operation);
    }
}

fn check_response(ask: &Ask<'_>, answer: &Answer, response: &Value) {
    let schemas = Schemas(&FILE);
    let response = schemas.resolve(response);
    for (name, header) in response["headers"].as_object().unwrap_or(&Map::new()) {
        let there = answer.headers.contains_key(name.as_str());
        assert!(there || header["required"] != true, "{ask:?} is answered without {name}");
    }
    if ask.method == Method::HEAD {
        return assert!(answer.body.is_empty());
    }
    let Some(content) = response["content"].as_object() else {
        return assert!(answer.body.is_empty(), "{ask:?}: {answer:?}");
    };
    let kind = answer.header("content-type").split(';').next().unwrap();
    let media = content.get(kind).unwrap_or_else(|| panic!("{ask:?}: {kind} is not described"));
    if kind == "application/json" {
        let judged = schemas.check(&media["schema"], &answer.json());
        judged.unwrap_or_else(|why| panic!("{ask:?}: {why} in {answer:?}"));
    }
}

/// What the server takes has to be what the description allows.
fn check_request(ask: &Ask<'_>, operation: &Value) {
    let content = operation["requestBody"]["content"].as_object();
    let kind = ask.headers.iter().find(|(name, _)| *name == "content-type");
    let (Some(content), Some((_, kind))) = (content, kind) else { return };
    let media = &content[kind.as_str()];
    if let Ok(body) = serde_json::from_slice(&ask.body)
        && kind == "application/json"
        && media["schema"]["type"] != "string"
    {
        let judged = Schemas(&FILE).check(&media["schema"], &body);
        judged.unwrap_or_else(|why| panic!("{ask:?} was taken: {why}"));
    }
}

/// The entry of a path.
fn item(path: &str) -> Option<&'static Map<String, Value>> {
    let path = path.split('?').next().unwrap();
    let parts: Vec<_> = path.split('/').collect();
    let fits = |template: &str| {
        let names: Vec<_> = template.split('/').collect();
        let same = |(name, part): (&&str, &&str)| name == part || name.starts_with('{');
        names.len() == parts.len() && names.iter().zip(&parts).all(same)
    };
    let mut all = FILE["paths"].as_object().unwrap().iter();
    all.find(|(template, _)| fits(template)).map(|(_, item)| item.as_object().unwrap())
}

#[tokio::test]
async fn every_address_of_the_description_answers_the_methods_it_says_and_no_other() {
    let node = TestNode::open(|_| {});
    let http = Http::new(&node);
    for (path, item) in FILE["paths"].as_object().unwrap() {
        let path = path.replace("{channel}", "a");
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            if path == "/v1/sse" && method == Method::GET {
                continue;
            }
            let described = item.get(method.as_str().to_ascii_lowercase()).is_some();
            let answer = http.ask(Ask::new(method.clone(), &path)).await;
            assert_eq!(answer.status != 405, described, "{method} {path}: {answer:?}");
            if !described {
                let allowed = answer.header("allow").to_owned();
                for method in item.as_object().unwrap().keys() {
                    let method = method.to_ascii_uppercase();
                    assert!(allowed.contains(&method), "{path} allows {method}, not {allowed:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn the_served_description_is_the_one_of_these_tests() {
    let node = TestNode::open(|_| {});
    assert_eq!(Http::new(&node).get("/v1/openapi.json").await.good(), *FILE);
}

/// Every reference leads somewhere, every schema is one that these tests can check, and examples
/// are what they are examples of.
#[test]
fn the_description_is_whole() {
    let schemas = Schemas(&FILE);
    for (name, schema) in FILE["components"]["schemas"].as_object().unwrap() {
        schemas.sound(schema).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
    let mut found = 0;
    schemas.each_media(&FILE["paths"], &mut |schema, example| {
        schemas.sound(schema).unwrap();
        if let Some(example) = example {
            found += 1;
            schemas.check(schema, example).unwrap_or_else(|why| panic!("{example}: {why}"));
        }
    });
    assert!(found >= 7, "{found} examples");
    let mut ids: Vec<_> = operations().map(|operation| operation["operationId"].as_str()).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert!(ids.len() == all && !ids.contains(&None), "operations have names of their own");
}

fn operations() -> impl Iterator<Item = &'static Value> {
    let items = FILE["paths"].as_object().unwrap().values();
    items.flat_map(|item| item.as_object().unwrap().values())
}
