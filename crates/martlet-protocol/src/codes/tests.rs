//! The pages made from the table are those in the tree.

use std::path::Path;

use super::{markdown, typescript};
use crate::native::samples::assert_file;

#[test]
fn the_page_of_codes_is_fresh() {
    assert_file(&root().join("docs/reference/codes.md"), &markdown());
}

#[test]
fn the_typescript_constants_are_fresh() {
    assert_file(&root().join("clients/js/src/codes.ts"), &typescript());
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
