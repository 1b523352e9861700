//! Tests of the node's memory.

use std::path::Path;

use super::machine::{given_under, resident};
use super::*;

const MIB: usize = 1 << 20;

fn histories(bytes: usize) -> Held {
    Held { histories: bytes, ..Held::default() }
}

#[test]
fn workers_tell_what_they_hold_and_hear_how_short_it_is() {
    let memory = Memory::new(100 * MIB, 2);
    memory.tell(LaneId(0), histories(40 * MIB));
    assert_eq!(memory.level(), Level::Calm);
    memory.tell(LaneId(1), histories(45 * MIB));
    assert_eq!(memory.level(), Level::Forgetting);
    assert!(memory.refuses_newcomers() && memory.refuses_publication(LaneId(0)).is_none());
    // Five too many for it to end, of which each gives up its share.
    let share = |own| memory.share(Level::Forgetting, own * MIB, |held| held.histories);
    assert_eq!((share(40) + share(45)).div_ceil(MIB), 5);
    assert!(share(40) < share(45));
    memory.tell(LaneId(1), histories(56 * MIB));
    let refusal = memory.refuses_publication(LaneId(0)).unwrap();
    assert_eq!(refusal.code, Code::Overloaded);
    assert!(refusal.after.unwrap() >= Duration::from_secs(1));
}

#[test]
fn what_the_process_has_counts_too() {
    let memory = Memory::new(100 * MIB, 1);
    memory.look(Some(76 * MIB));
    assert_eq!((memory.level(), memory.stats().other), (Level::Closed, 76 * MIB));
    assert!(memory.refuses_newcomers() && !memory.refuses_everybody());
    memory.look(None);
    assert_eq!(memory.level(), Level::Closed);
    memory.look(Some(81 * MIB));
    assert!(memory.refuses_newcomers() && memory.refuses_everybody());
    assert!(resident().is_none_or(|bytes| bytes > 0));
}

#[test]
fn those_who_are_sent_away_come_again_at_different_times() {
    let memory = Memory::new(MIB, 1);
    let mut times: Vec<_> = (0..20).map(|_| memory.turn_away()).collect();
    times.sort_unstable();
    times.dedup();
    assert!(times.len() > 15, "{times:?}");
    assert_eq!(memory.let_go().code, Code::Shed);
}

#[test]
fn only_so_many_bytes_of_bodies_are_read_at_once() {
    let memory = Arc::new(Memory::new(80 * MIB, 1));
    let huge = memory.take_in(11 * MIB).unwrap();
    assert_eq!(memory.take_in(1).unwrap_err().code, Code::Overloaded);
    drop(huge);
    let many: Vec<_> = (0..10).map(|_| memory.take_in(MIB).unwrap()).collect();
    assert!(memory.take_in(1).is_err());
    assert_eq!(memory.stats().bodies, 10 * MIB);
    drop(many);
    assert_eq!(memory.stats().bodies, 0);
    assert!(memory.take_in(MIB).is_ok());
}

#[test]
fn a_worker_that_has_too_many_letters_is_sent_no_more_publications() {
    let memory = Memory::new(160 * MIB, 2);
    memory.posted(LaneId(0), 5 * MIB);
    assert!(memory.refuses_publication(LaneId(0)).is_none());
    memory.posted(LaneId(0), 1);
    assert!(memory.refuses_publication(LaneId(0)).is_some());
    assert!(memory.refuses_publication(LaneId(1)).is_none());
    memory.taken(LaneId(0), 5 * MIB + 1);
    assert!(memory.refuses_publication(LaneId(0)).is_none());
}

/// A system with these files.
fn system(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}

const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:       16384 kB\nMemFree:   7 kB\n");

#[test]
fn a_process_is_given_the_least_that_the_machine_and_its_groups_allow() {
    let machine = system(&[MEMINFO, ("proc/self/cgroup", "0::/a/b\n")]);
    assert_eq!(given_under(machine.path()), Some(16 * MIB));
    let grouped = [
        MEMINFO,
        ("proc/self/cgroup", "1:cpu:/x\n0::/a/b\n"),
        ("sys/fs/cgroup/a/b/memory.max", "max\n"),
        ("sys/fs/cgroup/a/memory.max", "8388608\n"),
    ];
    assert_eq!(given_under(system(&grouped).path()), Some(8 * MIB), "a group around it");
    let contained = [
        MEMINFO,
        ("proc/self/cgroup", "0::/not/to/be/seen/from/here\n"),
        ("sys/fs/cgroup/memory.max", "4194304\n"),
    ];
    assert_eq!(given_under(system(&contained).path()), Some(4 * MIB), "a container");
    let old = [
        MEMINFO,
        ("proc/self/cgroup", "5:memory:/a\n"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "2097152\n"),
    ];
    assert_eq!(given_under(system(&old).path()), Some(2 * MIB), "version 1");
    assert_eq!(given_under(Path::new("/not/there")), None);
}
