//! What a server's whole process tree uses, read from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

/// `USER_HZ`: proc(5) counts in ticks of 10 ms on every architecture that Debian has.
const TICK: Duration = Duration::from_millis(10);

/// One line of `/proc/PID/stat`.
struct Stat {
    parent: u32,
    /// Own time and that of the children it has waited for.
    cpu: Duration,
}

/// Processor time of a process, its descendants, and all children they have reaped.
///
/// The kernel adds a child's time to its parent when the parent waits for it, so short-lived
/// children (CGI programs) are not lost, unless the parent ignores them as mod_cgid does.
pub fn cpu_time(root: u32) -> Duration {
    tree(root).iter().map(|(_, stat)| stat.cpu).sum()
}

/// Proportional set size of the process and its descendants, in bytes: shared pages are divided by
/// the number of processes that share them. `None` when the kernel does not say.
pub fn memory(root: u32) -> Option<u64> {
    let sizes: Vec<u64> = tree(root).iter().filter_map(|(pid, _)| proportional_set_size(*pid)).collect();
    if sizes.is_empty() { None } else { Some(sizes.iter().sum()) }
}

/// The process and its descendants, ancestors first.
pub fn pids(root: u32) -> Vec<u32> {
    tree(root).into_iter().map(|(pid, _)| pid).collect()
}

fn tree(root: u32) -> Vec<(u32, Stat)> {
    let mut all = all_processes();
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (pid, stat) in &all {
        children.entry(stat.parent).or_default().push(*pid);
    }
    let (mut found, mut pending) = (Vec::new(), vec![root]);
    while let Some(pid) = pending.pop() {
        pending.extend(children.remove(&pid).unwrap_or_default());
        found.extend(all.remove(&pid).map(|stat| (pid, stat)));
    }
    found
}

fn all_processes() -> HashMap<u32, Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return HashMap::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| Some((pid, parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?)))
        .collect()
}

/// proc(5): after the name in parentheses, which may itself hold spaces and parentheses, come state
/// (field 3), ppid (4), …, utime, stime, cutime, cstime (14 to 17).
fn parse_stat(line: &str) -> Option<Stat> {
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let ticks: u32 = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u32>().ok()).sum();
    Some(Stat { parent: fields.get(1)?.parse().ok()?, cpu: TICK * ticks })
}

fn proportional_set_size(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}
