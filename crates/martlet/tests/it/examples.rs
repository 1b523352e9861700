//! Every example in README.md and docs/ is run: what the words promise is what the program does.
//!
//! A page is a story, told to one fresh server from top to bottom. What is after the language of
//! a fenced block says what the block is:
//!
//! | block | what is done with it |
//! | --- | --- |
//! | `sh` | run to its end by bash, in the page's own directory; it has to succeed |
//! | `sh fails` | the same, but it has to fail |
//! | `sh @name` | begun in a terminal of that name and left running |
//! | `ts`, `ts @name` | the same two for TypeScript with the client of `clients/js` |
//! | `text`, `text @name` | what the block before, or that terminal, has written |
//! | `toml name` | written to that file; like every `toml` block it passes `martlet config check` |
//! | `json` | parses |
//! | `rust name` | is the example of that name of `martlet-client`, which is compiled and run too |
//!
//! In what is expected `…` stands for anything, alone on a line for any lines. `localhost:8000` is
//! the page's server and the epoch `k3f9x2ab` whichever the server made. A page begins with a
//! server in development mode; one that the page itself runs takes its place, and so does an
//! HAProxy. What else listens (`--listen 127.0.0.1:8001`, `--port 6379`) does so on free ports.
//!
//! `<!-- not run: why -->` before a block says that it cannot be run.

mod beside;
mod expected;
mod links;
mod page;
mod stage;
mod terminal;
mod typescript;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use page::Page;
use stage::Stage;

#[allow(dead_code, reason = "its main is for those who run it by itself")]
#[path = "../../../martlet-client/examples/backend.rs"]
mod backend;
#[allow(dead_code, reason = "its main is for those who run it by itself")]
#[path = "../../../martlet-client/examples/hello.rs"]
mod hello;

/// How many blocks may say that they cannot be run.
const NOT_RUN_MAX: usize = 7;

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// All pages: those of the root, and everything under docs/.
fn pages() -> Vec<Page> {
    let mut paths = Vec::new();
    collect(&root(), false, &mut paths);
    collect(&root().join("docs"), true, &mut paths);
    paths.sort();
    paths.iter().map(|path| Page::read(&root(), path)).collect()
}

fn collect(directory: &Path, deep: bool, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && deep {
            collect(&path, deep, paths);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
}

#[test]
fn every_example_runs() {
    let pages = pages();
    let code = typescript::compile(&pages);
    let told = pages.iter().filter(|page| page.blocks.iter().any(page::Block::runs));
    let waiting = Mutex::new(told);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().unwrap().next();
                    let Some(page) = next else { return };
                    if let Err(why) = Stage::new(page, code.as_ref()).play() {
                        wrong.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}

#[test]
fn what_is_not_run_says_why_and_is_rare() {
    let pages = pages();
    let mut reasons = Vec::new();
    for page in &pages {
        for block in &page.blocks {
            assert!(block.known(), "{}: nothing runs {:?}", block.place, block.language);
            reasons.extend(block.not_run.iter().map(|why| format!("{}: {why}", block.place)));
        }
    }
    assert!(reasons.len() <= NOT_RUN_MAX, "{reasons:#?}");
    assert!(reasons.iter().all(|why| why.len() > 20), "a reason is a sentence: {reasons:#?}");
}

#[test]
fn json_examples_parse() {
    for page in &pages() {
        for block in page.blocks.iter().filter(|block| block.language == "json") {
            let parsed = serde_json::from_str::<serde_json::Value>(&block.text);
            assert!(parsed.is_ok(), "{}: {parsed:?}", block.place);
        }
    }
}

/// systemd is not where the tests run; what is shown of its units is what `deploy/` has.
#[test]
fn unit_examples_are_lines_of_those_in_deploy() {
    let units = ["martlet.service", "martlet.socket"]
        .map(|unit| std::fs::read_to_string(root().join("deploy/systemd").join(unit)).unwrap());
    for page in &pages() {
        for block in page.blocks.iter().filter(|block| block.language == "ini") {
            let mut lines = block.text.lines().filter(|line| !line.is_empty());
            let odd = lines.find(|line| !units.iter().any(|unit| unit.lines().any(|l| l == *line)));
            assert_eq!(odd, None, "{}", block.place);
        }
    }
}

#[test]
fn rust_examples_are_those_that_are_compiled() {
    let examples = root().join("crates/martlet-client/examples");
    let mut shown = Vec::new();
    for page in &pages() {
        for block in page.blocks.iter().filter(|block| block.language == "rust") {
            let file = block.word.as_deref().unwrap_or_default();
            let text = std::fs::read_to_string(examples.join(file));
            let text = text.unwrap_or_else(|error| panic!("{}: {file:?}: {error}", block.place));
            let head = |line: &&str| line.starts_with("//!") || line.starts_with("#![");
            let body: Vec<_> = text.lines().skip_while(head).collect();
            assert_eq!(block.text.trim(), body.join("\n").trim(), "{}", block.place);
            shown.push(file.to_owned());
        }
    }
    shown.sort();
    assert_eq!(shown, ["backend.rs", "hello.rs"], "every example is on one page");
}

#[test]
fn rust_examples_run() {
    let server = stage::Server::start(&[]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(hello::hello(&server.url)).unwrap();
    runtime.block_on(backend::backend(&server.url, None)).unwrap();
}

#[test]
fn links_lead_somewhere() {
    let mut pages = pages();
    for folder in ["clients/js", "e2e", "vectors", "web"] {
        pages.push(Page::read(&root(), &root().join(folder).join("README.md")));
    }
    let wrong = links::broken(&root(), &pages);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
