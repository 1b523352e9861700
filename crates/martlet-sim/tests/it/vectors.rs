//! Replays every golden transcript. With `UPDATE=1` those in JSON and the plain ones get the lines
//! that the server really says; those in Protobuf are made from the ones in JSON, elsewhere.

use std::path::{Path, PathBuf};

use martlet_sim::transcript::{Grammar, replay};

#[test]
fn json_transcripts_are_what_the_server_says() {
    check("native-json", Grammar::Json);
}

#[test]
fn proto_transcripts_are_what_the_server_says() {
    check("native-proto", Grammar::Proto);
}

#[test]
fn plain_transcripts_are_what_the_server_says() {
    check("plain", Grammar::Plain);
}

#[test]
fn a_wrong_line_is_noticed() {
    let transcript = "open\n> {\"id\":1,\"ping\":{}}\n< {\"id\":1,\"pong\":{}}\n";
    let replayed = replay(transcript, Grammar::Json).unwrap();
    assert_ne!(replayed, transcript);
    assert!(replayed.contains("\n< {\"id\":1,\"error\":{\"code\":1003,"));
    assert_eq!(replay(&replayed, Grammar::Json).unwrap(), replayed);
}

fn check(folder: &str, grammar: Grammar) {
    let mut wrong = Vec::new();
    for file in files(folder) {
        let text = std::fs::read_to_string(&file).unwrap();
        let replayed = replay(&text, grammar).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        if std::env::var_os("UPDATE").is_some() && grammar != Grammar::Proto {
            std::fs::write(&file, &replayed).unwrap();
        } else {
            wrong.extend(difference(&file, &text, &replayed));
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE=1 rewrites transcripts", wrong.join("\n"));
}

/// The first line in which two transcripts differ.
fn difference(file: &Path, text: &str, replayed: &str) -> Option<String> {
    let (mut said, mut says) = (text.lines(), replayed.lines());
    for line in 1.. {
        match (said.next(), says.next()) {
            (None, None) => return None,
            (expected, found) if expected != found => {
                let [expected, found] = [expected, found].map(Option::unwrap_or_default);
                return Some(format!(
                    "{}:{line}\n  is    {expected}\n  not   {found}",
                    file.display()
                ));
            }
            _ => {}
        }
    }
    None
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors").join(folder);
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "txt")).collect();
    files.sort();
    assert!(!files.is_empty(), "there are transcripts in {}", folder.display());
    files
}
