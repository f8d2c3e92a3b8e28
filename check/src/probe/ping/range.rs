//! Who may ping without privileges: `net.ipv4.ping_group_range`, which has to include group 0.

use std::fs;
use std::path::PathBuf;

use super::Notice;

const PATH: &str = "/proc/sys/net/ipv4/ping_group_range";

/// The kernel's setting while the checker process is there. Put it back with [`Range::restore`].
#[derive(Debug)]
pub struct Range {
    path: PathBuf,
    /// The first group before it was changed.
    first: u64,
}

impl Range {
    /// Lets group 0 ping, and thus us. `None` if it may already, or if the setting cannot be changed; then a socket will
    /// be refused. The line is to be logged.
    pub fn expand() -> (Option<Self>, Option<Notice>) {
        Self::expand_at(PATH.into())
    }

    fn expand_at(path: PathBuf) -> (Option<Self>, Option<Notice>) {
        let shown = path.display().to_string();
        let Some((first, last)) = read(&path).filter(|&(first, _)| first != 0) else {
            return (None, None);
        };
        if let Err(error) = write(&path, 0, last) {
            let errno = error.raw_os_error().unwrap_or(0);
            return (None, Some(Notice::info(format!("Write {shown} failed - errno {errno}"))));
        }
        // `1 0`, which is nobody, is what the kernel starts with.
        let notice = (first > 1 && last > 1).then(|| {
            Notice::info(format!("Warning: {shown} being expanded from {first} {last} to 0 {last}"))
        });
        (Some(Self { path, first }), notice)
    }

    /// Takes it back, unless somebody else has changed it since.
    pub fn restore(self) {
        if let Some((0, last)) = read(&self.path) {
            // The process ends: nobody is left to do anything about it.
            let _ = write(&self.path, self.first, last);
        }
    }
}

fn read(path: &PathBuf) -> Option<(u64, u64)> {
    let text = fs::read_to_string(path).ok()?;
    let mut groups = text.split_whitespace().map(|word| word.parse().ok());
    match (groups.next(), groups.next(), groups.next()) {
        (Some(first), Some(last), None) => first.zip(last),
        _ => None,
    }
}

fn write(path: &PathBuf, first: u64, last: u64) -> std::io::Result<()> {
    fs::write(path, format!("{first}\t{last}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct File(PathBuf);

    impl File {
        fn new(name: &str, text: &str) -> Self {
            let name = format!("ping_group_range.{}.{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::write(&path, text).unwrap();
            Self(path)
        }

        fn text(&self) -> String {
            fs::read_to_string(&self.0).unwrap()
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            let _ = fs::remove_file(&self.0);
        }
    }

    #[test]
    fn the_range_is_expanded_and_put_back() {
        let file = File::new("expanded", "5\t2147483647\n");
        let (range, notice) = Range::expand_at(file.0.clone());
        assert_eq!(file.text(), "0\t2147483647\n");
        let path = file.0.display();
        assert_eq!(
            notice,
            Some(Notice::info(format!(
                "Warning: {path} being expanded from 5 2147483647 to 0 2147483647"
            )))
        );
        range.unwrap().restore();
        assert_eq!(file.text(), "5\t2147483647\n");
    }

    #[test]
    fn the_kernels_own_setting_is_changed_without_a_word() {
        let file = File::new("nobody", "1\t0\n");
        let (range, notice) = Range::expand_at(file.0.clone());
        assert_eq!((file.text().as_str(), notice), ("0\t0\n", None));
        fs::write(&file.0, "3\t9\n").unwrap();
        range.unwrap().restore();
        assert_eq!(file.text(), "3\t9\n", "somebody else wanted that");
    }

    #[test]
    fn what_is_wide_enough_is_left() {
        let file = File::new("wide", "0\t100\n");
        assert!(matches!(Range::expand_at(file.0.clone()), (None, None)));
        assert_eq!(file.text(), "0\t100\n");
        assert!(matches!(Range::expand_at("/nonexistent/range".into()), (None, None)));
    }
}
