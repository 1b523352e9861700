use super::*;

#[test]
fn reads_its_own_process() {
    let own = Process { pid: std::process::id() };
    let before = own.cpu().unwrap();
    // Until the kernel has counted some of it.
    let counted = (0..1_000_000_000_u64).any(|_| own.cpu().unwrap() > before);
    assert!(counted);
    assert!(own.resident().unwrap() > 100_000);
    assert!((0..1_000_000_000_u64).any(|_| own_cpu() > Duration::ZERO));
    assert!(KernelMemory::now().unwrap().slab > 0);
}

#[test]
fn a_process_that_is_not_there_has_no_figures() {
    let none = Process { pid: u32::MAX };
    assert!(none.cpu().is_none() && none.resident().is_none());
}

#[test]
fn reads_lines_of_proc() {
    assert_eq!(kilobytes("A:  1 kB\nVmRSS:\t  20 kB\n", "VmRSS:"), Some(20 * 1024));
    assert_eq!(kilobytes("VmRSS: many", "VmRSS:"), None);
    assert_eq!(kilobytes("", "VmRSS:"), None);
}
