//! `--help` and `--version` answer, and wrong arguments are refused with exit code 2.

use std::process::Command;

fn martlet(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_martlet"))
        .args(arguments)
        .output()
        .expect("the built program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

#[test]
fn help_says_how_to_begin() {
    let (code, out, _) = martlet(&["--help"]);
    assert_eq!(code, 0);
    assert!(out.contains("martlet serve"), "{out}");
}

#[test]
fn an_unknown_subcommand_is_refused() {
    let (code, _, err) = martlet(&["fly"]);
    assert_eq!(code, 2);
    assert!(err.contains("fly"), "{err}");
}
