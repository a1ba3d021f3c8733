//! What the process uses, from `/proc` and of the disk from the file system. What cannot be read is left out.

use std::path::{Path, PathBuf};
use std::time::Instant;

/// Measures one process over its life.
pub(super) struct Sampler {
    data_dir: PathBuf,
    started: Instant,
}

/// What was measured, by the metric's name.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample(Vec<(&'static str, f64)>);

impl Sample {
    pub(super) fn values(&self) -> Vec<(&'static str, f64)> {
        self.0.clone()
    }
}

/// Kilobytes in a gigabyte.
const GIGABYTE: f64 = 1024.0 * 1024.0;

/// What of the data directory is told of by itself, and the metrics that do. One file is what the reference keeps in
/// `storage` and `context`, and there are no daily logs.
const PARTS: [(&str, &str); 2] = [("performance_storage", "store.redb"), ("performance_wasm", "wasm_2_0_0")];

impl Sampler {
    pub(super) fn new(data_dir: PathBuf) -> Sampler {
        Sampler { data_dir, started: Instant::now() }
    }

    pub(super) fn sample(&self) -> Sample {
        let elapsed = self.started.elapsed().as_secs_f64();
        let mut values = vec![("performance_elapsed_time", elapsed)];
        let mut put = |name, value: Option<f64>| values.extend(value.map(|value| (name, value)));
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let resident = kilobytes(&status, "VmRSS:");
        put("performance_virtual", kilobytes(&status, "VmSize:").map(|size| size / GIGABYTE));
        put("performance_resident", resident.map(|size| size / GIGABYTE));
        let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let share = resident.zip(kilobytes(&memory, "MemTotal:")).map(|(used, all)| 100.0 * used / all);
        put("performance_mem_percentage", share);
        put("performance_cpu_percentage", cpu_seconds().zip(age()).map(|(used, age)| 100.0 * used / age.max(0.01)));
        let descriptors = std::fs::read_dir("/proc/self/fd").ok().map(Iterator::count);
        put("performance_file_descriptors", descriptors.map(|count| count as f64));
        put("performance_connections", connections());
        put("performance_disk_percentage", disk_percentage(&self.data_dir));
        let gigabytes = |path: &Path| bytes(path).map(|bytes| bytes as f64 / 1024.0 / GIGABYTE);
        put("performance_data", gigabytes(&self.data_dir));
        for (name, part) in PARTS {
            put(name, gigabytes(&self.data_dir.join(part)));
        }
        Sample(values)
    }
}

/// The number behind a label, in kB.
fn kilobytes(text: &str, label: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(label))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Ticks of the system's clock in a second, as user space sees it: 100 on all Linux platforms.
const CLOCK: f64 = 100.0;

/// Fields of `/proc/self/stat` behind the name of the program, which may hold spaces.
fn stat() -> Option<Vec<f64>> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect())
}

/// Seconds of processor time the process has used.
fn cpu_seconds() -> Option<f64> {
    let stat = stat()?;
    Some((stat.get(10)? + stat.get(11)?) / CLOCK)
}

/// Seconds since the process began.
fn age() -> Option<f64> {
    let uptime: f64 = std::fs::read_to_string("/proc/uptime").ok()?.split_whitespace().next()?.parse().ok()?;
    Some(uptime - stat()?.get(18)? / CLOCK)
}

/// Open TCP sockets of the process.
fn connections() -> Option<f64> {
    let inodes = |path: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let inodes = text.lines().skip(1).filter_map(|line| line.split_whitespace().nth(9).map(str::to_owned));
        inodes.collect::<Vec<String>>()
    };
    let tcp: std::collections::HashSet<String> =
        [inodes("/proc/self/net/tcp"), inodes("/proc/self/net/tcp6")].concat().into_iter().collect();
    let open = std::fs::read_dir("/proc/self/fd").ok()?;
    let targets = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let is_tcp = |target: PathBuf| {
        let text = target.to_string_lossy().into_owned();
        text.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')).is_some_and(|inode| tcp.contains(inode))
    };
    Some(targets.filter(|target| is_tcp(target.clone())).count() as f64)
}

/// How full the disk of a folder is, of what others than root can use.
fn disk_percentage(folder: &Path) -> Option<f64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    let used = disk.f_blocks.checked_sub(disk.f_bfree)?;
    share(used, used.checked_add(disk.f_bavail)?)
}

/// A part of a whole in percent, rounded up as `df` does.
fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| (100.0 * part as f64 / whole as f64).ceil())
}

/// Bytes of a file, or of the files below a folder, without following links.
fn bytes(path: &Path) -> Option<u64> {
    let metadata = path.symlink_metadata().ok()?;
    if !metadata.is_dir() {
        return Some(metadata.len());
    }
    let entries = std::fs::read_dir(path).ok()?;
    Some(entries.filter_map(|entry| bytes(&entry.ok()?.path())).sum())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn how_full_a_disk_is() {
        assert_eq!(share(1, 3), Some(34.0));
        assert_eq!(share(3, 3), Some(100.0));
        assert_eq!(share(0, 0), None);
        let full = disk_percentage(&std::env::temp_dir()).unwrap();
        assert!((0.0..=100.0).contains(&full), "{full}");
        assert_eq!(disk_percentage(Path::new("/no/such/folder")), None);
    }
}
