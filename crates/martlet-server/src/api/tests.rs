//! That the description of the API names every address there is, and no other.

use std::collections::BTreeSet;

use super::*;

/// Addresses that are answered before the API is asked: each is a door.
const DOORS: [&str; 7] =
    ["/v1/ws", "/v1/sse", "/v1/stream", "/v1/htmlfile", "/v1/multipart", "/v1/poll", "/v1/jsonp"];

#[test]
fn the_description_has_every_address_and_no_other() {
    let file: serde_json::Value = serde_json::from_str(operations::OPENAPI).unwrap();
    let described: BTreeSet<_> =
        file["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let answered: BTreeSet<_> = routes().iter().map(|(path, _)| *path).chain(DOORS).collect();
    assert_eq!(described, answered);
}
