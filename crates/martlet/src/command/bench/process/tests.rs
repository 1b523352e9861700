use super::*;

#[test]
fn reads_its_own_process() {
    let own = Process::one(std::process::id());
    let before = own.cpu().unwrap();
    // Until the kernel has counted some of it.
    let counted = (0..1_000_000_000_u64).any(|_| own.cpu().unwrap() > before);
    assert!(counted);
    assert!(own.memory().unwrap() > 100_000);
    assert!((0..1_000_000_000_u64).any(|_| own_cpu() > Duration::ZERO));
    assert!(KernelMemory::now().unwrap().slab > 0);
}

#[test]
fn a_process_that_is_not_there_has_no_figures() {
    for gone in [Process::one(u32::MAX), Process { pids: vec![std::process::id(), u32::MAX] }] {
        assert!(gone.cpu().is_none() && gone.memory().is_none());
    }
}

#[test]
fn what_several_processes_use_is_added_up() {
    let own = std::process::id();
    let (one, twice) = (Process::one(own), Process { pids: vec![own, own] });
    let (one, twice) = (one.memory().unwrap() as f64, twice.memory().unwrap() as f64);
    assert!((1.5..2.5).contains(&(twice / one)), "{one} {twice}");
}

#[test]
fn reads_lines_of_proc() {
    assert_eq!(kilobytes("A:  1 kB\nVmRSS:\t  20 kB\n", "VmRSS:"), Some(20 * 1024));
    assert_eq!(kilobytes("VmRSS: many", "VmRSS:"), None);
    assert_eq!(kilobytes("", "VmRSS:"), None);
}
