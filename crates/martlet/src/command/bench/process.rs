//! What the kernel tells about a server: the CPU time of all threads of all its processes, and
//! their memory.

use std::fs;
use std::time::Duration;

/// A server's processes on this machine, mostly one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Their numbers.
    pub pids: Vec<u32>,
}

impl Process {
    /// A server that is one process.
    pub fn one(pid: u32) -> Self {
        Self { pids: vec![pid] }
    }

    /// The CPU time of all threads, to the nanosecond. `None` where it cannot be read.
    pub fn cpu(&self) -> Option<Duration> {
        let each = self.pids.iter().map(|pid| cpu(*pid));
        each.sum::<Option<Duration>>().filter(|cpu| !cpu.is_zero())
    }

    /// The bytes of memory that are its own: neither files nor what it shares with others.
    pub fn memory(&self) -> Option<u64> {
        let status = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/status")).ok();
        self.pids.iter().map(|pid| kilobytes(&status(pid)?, "RssAnon:")).sum()
    }
}

fn cpu(pid: u32) -> Option<Duration> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let mut nanoseconds = 0;
    for thread in threads {
        // A thread may end while they are read; the others count.
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat"));
        nanoseconds += text.ok().and_then(|text| first_number(&text)).unwrap_or(0);
    }
    Some(Duration::from_nanos(nanoseconds))
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
