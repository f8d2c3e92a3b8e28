//! The table: its rows, and the figure that stands for several.

use std::time::Duration;

/// How often what varies is measured.
pub(crate) const ROUNDS: usize = 5;

pub(crate) fn head() {
    println!("{:54} {:>12} {:>12} {:>7}", "", "ours", "C", "ratio");
}

/// The median of several measurements.
pub(crate) fn median(measure: impl FnMut() -> Duration) -> Duration {
    middle(std::iter::repeat_with(measure).take(ROUNDS).collect())
}

pub(crate) fn middle(times: Vec<Duration>) -> Duration {
    percentile(times, 50)
}

/// The time that so many of a hundred do not exceed.
pub(crate) fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(place).copied().unwrap_or_default()
}

pub(crate) fn time(title: &str, [ours, theirs]: [Duration; 2]) {
    row(title, [ours, theirs].map(|time| time.as_secs_f64() * 1e3), "ms", 2);
}

pub(crate) fn row(title: &str, [ours, theirs]: [f64; 2], unit: &str, digits: usize) {
    let ratio = if theirs > 0.0 { format!("{:.2}", ours / theirs) } else { "-".to_owned() };
    println!("{title:54} {ours:>9.digits$} {unit} {theirs:>9.digits$} {unit} {ratio:>7}");
}
