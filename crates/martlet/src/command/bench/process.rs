//! What the kernel tells about a process: the CPU time of all its threads, and its memory.

use std::fs;
use std::time::Duration;

/// A process on this machine.
#[derive(Debug, Clone, Copy)]
pub struct Process {
    /// Its number.
    pub pid: u32,
}

impl Process {
    /// The CPU time of all its threads, to the nanosecond. `None` where it cannot be read.
    pub fn cpu(self) -> Option<Duration> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.pid)).ok()?;
        let mut nanoseconds = 0;
        for thread in threads {
            // A thread may end while they are read; the others count.
            let text = fs::read_to_string(thread.ok()?.path().join("schedstat"));
            nanoseconds += text.ok().and_then(|text| first_number(&text)).unwrap_or(0);
        }
        Some(Duration::from_nanos(nanoseconds)).filter(|cpu| !cpu.is_zero())
    }

    /// The bytes of memory that it holds.
    pub fn resident(self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        kilobytes(&status, "VmRSS:")
    }
}

/// The CPU time of the calling thread.
pub fn own_cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(first_number(&text).unwrap_or(0))
}

/// What the kernel holds for all sockets and files of this machine.
#[derive(Debug, Clone, Copy)]
pub struct KernelMemory {
    /// Memory of all kernel objects, `Slab` of `/proc/meminfo`.
    pub slab: u64,
    /// Memory of TCP's buffers, `mem` of `/proc/net/sockstat`.
    pub tcp_buffers: u64,
}

impl KernelMemory {
    /// How it is now; `None` where it cannot be read.
    pub fn now() -> Option<Self> {
        let slab = kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, "Slab:")?;
        let sockets = fs::read_to_string("/proc/net/sockstat").ok()?;
        let tcp = sockets.lines().find_map(|line| line.strip_prefix("TCP:"))?;
        let pages = tcp.split_once(" mem ").and_then(|(_, rest)| first_number(rest))?;
        Some(Self { slab, tcp_buffers: pages * rustix::param::page_size() as u64 })
    }
}

/// The value of a line such as `VmRSS:   1234 kB`, in bytes.
pub fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(first_number(rest)? * 1024)
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests;
