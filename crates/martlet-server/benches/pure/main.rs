//! What the hot pure parts cost, in instructions: encoding, lane, decoding, shard, cursor, grant.
//!
//! `cargo bench -p martlet-server --bench pure` runs all and prints a table; a word after `--`
//! chooses those subjects that have it in their names. How it counts is in `count.rs`. Nothing
//! here is asserted about speed: each subject only checks that it does its work.

#![allow(clippy::print_stdout, reason = "its table is what it is for")]
#![allow(clippy::print_stderr, reason = "it says what is missing")]
#![allow(clippy::unwrap_used, reason = "a bench may fail where it stands")]

mod count;
mod cursor;
mod decode;
mod encode;
mod grant;
mod lane;
mod samples;
mod shard;

use count::Subject;

/// The allocator of the server.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    let groups = [
        encode::SUBJECTS,
        lane::SUBJECTS,
        decode::SUBJECTS,
        shard::SUBJECTS,
        cursor::SUBJECTS,
        grant::SUBJECTS,
    ];
    let subjects: Vec<Subject> = groups.concat();
    count::run(&subjects);
}
