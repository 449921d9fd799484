//! Spinners and bars on standard error. Silent where that is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A spinner beside `text`, until the bar is cleared or dropped.
pub(crate) fn spinner(text: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(text.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{msg} {spinner}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// A bar of `total` bytes that come over a line, with their rate and the time that is left.
pub(crate) fn transfer(text: &str, total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total).with_message(text.to_owned());
    let template = "{msg}: {percent:>3}% ▕{bar:16}▏ {decimal_bytes}/{decimal_total_bytes}  {decimal_bytes_per_sec}  {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("█ "));
    }
    bar
}

/// A bar of `total` bytes beside `text`.
pub(crate) fn bytes(text: &str, total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total).with_message(text.to_owned());
    let template = "{msg}: {percent:>3}% ▕{wide_bar}▏ {decimal_bytes}/{decimal_total_bytes}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("█ "));
    }
    bar
}
