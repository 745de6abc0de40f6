//! Taking the time, the CPU and the memory of things.

use std::hint::black_box;
use std::time::Instant;

/// Wall time of `body`, in seconds.
pub(crate) fn seconds<T>(body: impl FnOnce() -> T) -> (f64, T) {
    let begun = Instant::now();
    let value = body();
    (begun.elapsed().as_secs_f64(), value)
}

/// Seconds for one call of `body`: the median of five rounds of `calls` each.
pub(crate) fn each<T>(calls: u32, mut body: impl FnMut() -> T) -> f64 {
    let mut rounds: Vec<f64> = (0..5)
        .map(|_| {
            let (taken, ()) = seconds(|| {
                for _ in 0..calls {
                    black_box(body());
                }
            });
            taken / f64::from(calls)
        })
        .collect();
    median(&mut rounds)
}

/// The middle of `figures`.
pub(crate) fn median(figures: &mut [f64]) -> f64 {
    percentile(figures, 50)
}

/// The value below which `percent` of `figures` lie.
pub(crate) fn percentile(figures: &mut [f64], percent: usize) -> f64 {
    figures.sort_by(f64::total_cmp);
    let place = figures.len() * percent / 100;
    figures[place.min(figures.len() - 1)]
}

/// CPU seconds, user and system, of a process with all its threads, in steps of 10 ms
/// (proc_pid_stat(5), fields 14 and 15, in ticks of 1/100 s on every Linux there is).
pub(crate) fn cpu_of(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("it lives");
    // The name, in parentheses, may hold anything.
    let fields = stat.rsplit_once(") ").expect("a name").1;
    let ticks: u32 =
        fields.split(' ').skip(11).take(2).map(|f| f.parse::<u32>().unwrap_or(0)).sum();
    f64::from(ticks) / 100.0
}

/// CPU seconds of this thread alone.
pub(crate) fn cpu_of_thread() -> f64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    let nanos: f64 = stat.split(' ').next().and_then(|f| f.parse().ok()).unwrap_or(0.0);
    nanos / 1e9
}

/// CPU seconds of this process's own sequencers: the threads that decide.
pub(crate) fn cpu_of_sequencer() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").expect("Linux");
    let nanos = threads.filter_map(|thread| {
        let path = thread.ok()?.path();
        let name = std::fs::read_to_string(path.join("comm")).ok()?;
        let stat = std::fs::read_to_string(path.join("schedstat")).ok()?;
        (name.trim() == "sequencer").then(|| stat.split(' ').next()?.parse::<f64>().ok()).flatten()
    });
    nanos.sum::<f64>() / 1e9
}

/// Resident bytes of a process.
pub(crate) fn memory_of(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1024.0
}
