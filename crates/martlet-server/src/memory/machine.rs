//! What the operating system says of memory: how much this process may have, and how much it has.

use std::path::Path;

/// How much memory this process is given: the least of what the machine has and what its groups
/// allow. `None` where the system does not say.
pub fn given() -> Option<usize> {
    given_under(Path::new("/"))
}

/// The same, with the system's files under `root`.
pub(super) fn given_under(root: &Path) -> Option<usize> {
    let machine = kilobytes(&read(root, "proc/meminfo"), "MemTotal:");
    machine.into_iter().chain(groups(root)).min()
}

/// How much memory the process has that is not that of files.
pub(super) fn resident() -> Option<usize> {
    kilobytes(&read(Path::new("/"), "proc/self/status"), "RssAnon:")
}

/// The limits of the groups that the process is in. A group is bound by those around it; within a
/// container its own name may lead nowhere, and the outermost there is the container's.
fn groups(root: &Path) -> Vec<usize> {
    let mut limits = Vec::new();
    for line in read(root, "proc/self/cgroup").lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { continue };
        let (hierarchy, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            "memory" => ("sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => continue,
        };
        for group in Path::new(group.trim_start_matches('/')).ancestors() {
            let path = Path::new(hierarchy).join(group).join(file);
            let limit = std::fs::read_to_string(root.join(path)).ok();
            limits.extend(limit.and_then(|text| text.trim().parse::<usize>().ok()));
        }
    }
    limits
}

fn read(root: &Path, path: &str) -> String {
    std::fs::read_to_string(root.join(path)).unwrap_or_default()
}

/// The number of bytes in the line of `name`.
fn kilobytes(text: &str, name: &str) -> Option<usize> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1024)
}
