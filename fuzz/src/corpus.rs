//! The inputs kept for each target, one a file.

use std::io;
use std::path::{Path, PathBuf};

/// The directory with a directory for each target.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// One kept input.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The file's name.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

/// The inputs of one target, by name.
pub fn of(target: &str) -> io::Result<Vec<Kept>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(root().join(target))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        all.push(Kept { name, bytes: std::fs::read(&path)? });
    }
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}
