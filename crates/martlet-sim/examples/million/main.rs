//! A million sessions with a subscription each, in one process and without sockets: what each
//! takes in memory, and how long a worker's turns take with so many.
//!
//! `cargo run --release -p martlet-sim --example million [SESSIONS]` prints a table. The session,
//! the lane, the shard, the store and the codecs are those of the server, and the lists by which
//! sessions are found are made like the server's (`node.rs`). Sockets, their buffers and the
//! tasks that read them are not here; `martlet bench idle` measures a server with all of it.
//!
//! Each shape runs in a process of its own, so that none is left the memory of another.

#![allow(clippy::print_stdout, reason = "its table is what it is for")]
#![allow(clippy::unwrap_used, reason = "an example may fail where it stands")]

mod index;
mod machine;
mod memory;
mod node;
mod shape;

use std::process::Command;

use shape::Shape;

/// Counts what is allocated, and leaves the work to the allocator of the server.
#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// How many sessions there are without an argument.
const SESSIONS: usize = 1_000_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--shape", channels, sessions] => {
            let (channels, sessions) = (number(channels), number(sessions));
            for (what, figure) in shape::measure(Shape { sessions, channels }) {
                println!("{what}\t{figure}");
            }
        }
        [sessions] => table(number(sessions)),
        _ => table(SESSIONS),
    }
}

fn number(text: &str) -> usize {
    text.replace([',', '_'], "").parse().unwrap()
}

/// One channel for all, channels of a thousand, and one for each.
fn table(sessions: usize) {
    let columns: Vec<_> =
        [1, sessions.div_ceil(1_000), sessions].map(|n| column(n, sessions)).to_vec();
    println!("{}\n", machine::describe());
    for (row, (what, _)) in columns[0].iter().enumerate() {
        let figures: Vec<_> =
            columns.iter().map(|column| format!("{:>14}", column[row].1)).collect();
        println!("{what:<52}{}", figures.concat());
    }
}

/// What a process of its own says about one shape.
fn column(channels: usize, sessions: usize) -> Vec<(String, String)> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--shape", &channels.to_string(), &sessions.to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = text.lines().filter_map(|line| line.split_once('\t'));
    rows.map(|(what, figure)| (what.to_owned(), figure.to_owned())).collect()
}
