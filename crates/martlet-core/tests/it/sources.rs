//! The workspace's source files, as text.

use std::fs;
use std::path::{Path, PathBuf};

/// One Rust file.
pub struct Source {
    /// Its path from the root of the workspace.
    pub path: String,
    pub text: String,
}

impl Source {
    /// The lines that are not comments, with their numbers from 1.
    pub fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = (1..).zip(self.text.lines());
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the crate is two levels deep").to_path_buf()
}

/// Every Rust file under these folders of the root, by path.
pub fn under(folders: &[&str]) -> Vec<Source> {
    let root = root();
    let mut paths = Vec::new();
    folders.iter().for_each(|folder| collect(&root.join(folder), &mut paths));
    paths.sort();
    assert!(!paths.is_empty(), "there are sources in {folders:?}");
    let source = |path: PathBuf| Source {
        text: fs::read_to_string(&path).unwrap(),
        path: path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/"),
    };
    paths.into_iter().map(source).collect()
}

/// The files under these folders that are compiled into a program: all but unit tests.
pub fn compiled_under(folders: &[&str]) -> Vec<Source> {
    let mut sources = under(folders);
    let tests: Vec<String> = sources.iter().flat_map(test_modules).collect();
    sources.retain(|source| !tests.iter().any(|test| source.path.starts_with(test)));
    sources
}

/// Where the modules are that a file declares for tests only.
fn test_modules(source: &Source) -> Vec<String> {
    let folder = match source.path.strip_suffix("/lib.rs") {
        Some(folder) => folder,
        None => source.path.strip_suffix(".rs").expect("a Rust file"),
    };
    let lines: Vec<&str> = source.text.lines().collect();
    let pairs = lines.windows(2).filter(|pair| pair[0].trim() == "#[cfg(test)]");
    let names = pairs.filter_map(|pair| pair[1].trim().strip_suffix(';')?.split("mod ").nth(1));
    names.flat_map(|name| [format!("{folder}/{name}.rs"), format!("{folder}/{name}/")]).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}")) {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}
