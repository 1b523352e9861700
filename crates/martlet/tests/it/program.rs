//! Starting the built program and reading what it says.

use std::io::Write;
use std::process::{Command, Stdio};

/// The built program.
pub const MARTLET: &str = env!("CARGO_BIN_EXE_martlet");

/// What a run of the program came to.
#[derive(Debug)]
pub struct Run {
    /// The exit code.
    pub code: i32,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
}

/// Runs the program, without any of its environment variables, to its end.
pub fn martlet(arguments: &[&str]) -> Run {
    martlet_with(arguments, &[], "")
}

/// Runs the program with these environment variables, and `input` as standard input.
pub fn martlet_with(arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Run {
    let mut command = Command::new(MARTLET);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MARTLET_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the built program starts");
    let mut stdin = child.stdin.take().expect("standard input is piped");
    // A program that does not read its input may be gone before it is written.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
    let code = output.status.code().expect("the program was not killed");
    Run { code, out: text(output.stdout), err: text(output.stderr) }
}
