//! The file that says when to reload (`reload_time_file`): its format, and watching it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use log::info;
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use runtime::global::Reload;
use runtime::sys::time::{from_local_time, local_time};

/// Seconds of a day without a leap second.
const DAY: i64 = 86_400;

/// When to reload, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// The time.
    pub(crate) at: i64,
    /// Whether the file names a day. If not, the time comes every day.
    pub(crate) dated: bool,
}

/// Why a text is no time to reload at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Length,
    Syntax,
    NoSuchTime,
    Past,
}

impl Wrong {
    /// What the log says.
    fn messages(self, text: &str) -> [String; 2] {
        let invalid = format!("Invalid reload time '{text}' specified - ignoring");
        match self {
            Self::Length => [format!("Reload time {text} format is incorrect - ignoring"), invalid],
            Self::Syntax => [format!("Reload date/time {text} invalid - ignoring"), invalid],
            Self::NoSuchTime => [format!("Reload time {text} is not valid - ignoring"), invalid],
            Self::Past => [
                format!("Reload time {text} is in the past - ignoring"),
                "Reload date/time is in the past - ignoring".to_owned(),
            ],
        }
    }
}

/// Reads `HH:MM:SS`, `YY-MM-DD HH:MM:SS` or `YYYY-MM-DD HH:MM:SS`, local time or, with a `Z` behind it, UTC. A time without
/// a day that has passed by `now` is tomorrow's.
fn parse(text: &str, now: i64) -> Result<Schedule, Wrong> {
    let (stamp, zone) = match text.strip_suffix('Z') {
        Some(stamp) => (stamp, Zone::Utc),
        None => (text, Zone::Local),
    };
    let (date, time) = match stamp.len() {
        8 => (None, stamp),
        17 | 19 => {
            let (date, time) = stamp.split_once(' ').ok_or(Wrong::Syntax)?;
            (Some(date), time)
        }
        _ => return Err(Wrong::Length),
    };
    let [hour, minute, second] = numbers(time, ':').ok_or(Wrong::Syntax)?;
    let (year, month, day) = match date {
        Some(date) => {
            let [year, month, day] = numbers(date, '-').ok_or(Wrong::Syntax)?;
            (if date.len() == 8 { century(year) } else { year }, month, day)
        }
        None => zone.date(now).ok_or(Wrong::NoSuchTime)?,
    };
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 62;
    if !in_range {
        return Err(Wrong::Syntax);
    }
    let at = zone.instant(year, month, day, [hour, minute, second]).ok_or(Wrong::NoSuchTime)?;
    match date {
        Some(_) if at <= now => Err(Wrong::Past),
        None if at <= now => {
            let (year, month, day) = zone.date(at + DAY).ok_or(Wrong::NoSuchTime)?;
            let tomorrow = zone.instant(year, month, day, [hour, minute, second]);
            // An hour that summer time leaves out comes as late as it would have.
            Ok(Schedule { at: tomorrow.unwrap_or(at + DAY), dated: false })
        }
        date => Ok(Schedule { at, dated: date.is_some() }),
    }
}

/// Three numbers with `separator` between them, digits only; all but the first have two.
fn numbers(text: &str, separator: char) -> Option<[i32; 3]> {
    let mut parts = text.split(separator);
    let mut number = |first: bool| {
        let part = parts.next()?;
        let plain = part.bytes().all(|byte| byte.is_ascii_digit());
        (plain && (first || part.len() == 2)).then(|| part.parse().ok()).flatten()
    };
    let found = [number(true)?, number(false)?, number(false)?];
    parts.next().is_none().then_some(found)
}

/// Years of two digits are from 1969 to 2068 (POSIX, strptime).
fn century(year: i32) -> i32 {
    if year < 69 { 2000 + year } else { 1900 + year }
}

#[derive(Clone, Copy)]
enum Zone {
    Local,
    Utc,
}

impl Zone {
    /// Year, month and day of an instant.
    fn date(self, at: i64) -> Option<(i32, i32, i32)> {
        match self {
            Self::Local => {
                let local = local_time(at)?;
                Some((local.year, i32::try_from(local.month).ok()? + 1, local.day))
            }
            Self::Utc => civil(at.div_euclid(DAY)),
        }
    }

    /// The instant of a time that exists.
    fn instant(self, year: i32, month: i32, day: i32, time: [i32; 3]) -> Option<i64> {
        let [hour, minute, second] = time;
        match self {
            Self::Local => {
                let at = from_local_time(year, month - 1, day, hour, minute, second)?;
                let local = local_time(at)?;
                let same = (local.year, local.day, local.hour, local.minute, local.second)
                    == (year, day, hour, minute, second);
                same.then_some(at)
            }
            Self::Utc => {
                let days = days(year, month, day);
                let exists = civil(days) == Some((year, month, day)) && second < 60;
                let seconds = (hour * 60 + minute) * 60 + second;
                exists.then(|| days * DAY + i64::from(seconds))
            }
        }
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. The year is counted from March, so that the leap day is its
/// last one.
fn days(year: i32, month: i32, day: i32) -> i64 {
    let (year, month, day) = (i64::from(year), i64::from(month), i64::from(day));
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date that is so many days after 1970-01-01: the inverse of [`days`].
fn civil(since_1970: i64) -> Option<(i32, i32, i32)> {
    let shifted = since_1970 + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    Some((i32::try_from(year).ok()?, i32::try_from(month).ok()?, i32::try_from(day).ok()?))
}

/// Local time as the log shows it.
fn shown(at: i64) -> String {
    let Some(time) = local_time(at) else { return at.to_string() };
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        time.year,
        time.month + 1,
        time.day,
        time.hour,
        time.minute,
        time.second
    )
}

fn now() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX)
}

/// The file, watched, and what it says.
#[derive(Debug)]
pub(crate) struct Monitor {
    path: PathBuf,
    name: OsString,
    inotify: Inotify,
    directory: WatchDescriptor,
    file: Option<WatchDescriptor>,
    schedule: Option<Schedule>,
}

impl Monitor {
    /// Watches the file and reads it. `None` when its directory cannot be watched, which has been logged then.
    pub(crate) fn start(path: &str) -> Option<Self> {
        let path = PathBuf::from(path);
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        match watch_directory(directory) {
            Ok((inotify, watch)) => {
                let name = path.file_name().unwrap_or_default().to_owned();
                let mut monitor =
                    Self { path, name, inotify, directory: watch, file: None, schedule: None };
                monitor.watch_file();
                Some(monitor)
            }
            Err(_) => {
                let directory = directory.display();
                info!("Unable to monitor reload timer file directory {directory}- ignoring");
                None
            }
        }
    }

    /// When to reload.
    pub(crate) fn schedule(&self) -> Option<Reload> {
        self.schedule.map(|Schedule { at, dated }| Reload { at, dated })
    }

    /// How long to wait before looking at the clock again, which may be set meanwhile; zero when the time has come.
    pub(crate) fn delay(&self) -> Option<Duration> {
        /// A clock that is set is noticed within this time.
        const LOOK_AGAIN: Duration = Duration::from_secs(60);
        let at = UNIX_EPOCH + Duration::from_secs(u64::try_from(self.schedule?.at).ok()?);
        Some(at.duration_since(SystemTime::now()).unwrap_or_default().min(LOOK_AGAIN))
    }

    /// The time has come. The file goes, unless the time is to come again every day.
    pub(crate) fn fire(&mut self, repeat: bool) {
        let every_day = self.schedule.take().is_some_and(|schedule| !schedule.dated);
        if !(repeat && every_day) {
            // If it cannot be removed, a date in it is past and a time in it is tomorrow's.
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Something happened to the file or its directory. `false` when there is nothing left to watch.
    pub(crate) fn changed(&mut self) -> bool {
        loop {
            let events = match self.inotify.read_events() {
                Ok(events) => events,
                Err(Errno::EINTR) => continue,
                Err(_) => return true,
            };
            for event in events {
                if Some(event.wd) == self.file && event.mask.contains(AddWatchFlags::IN_CLOSE_WRITE)
                {
                    self.read();
                }
                if event.wd != self.directory {
                    continue;
                }
                let gone = AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_MOVE_SELF;
                if event.mask.intersects(gone) {
                    self.cancel();
                    info!("Directory of reload timer file has disappeared. Monitoring stopped.");
                    return false;
                }
                if event.name.as_ref() == Some(&self.name) {
                    let came = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
                    if event.mask.intersects(came) {
                        self.watch_file();
                    } else {
                        self.forget_file();
                        self.cancel();
                    }
                }
            }
        }
    }

    fn watch_file(&mut self) {
        self.forget_file();
        self.file = self.inotify.add_watch(&self.path, AddWatchFlags::IN_CLOSE_WRITE).ok();
        if self.file.is_some() {
            self.read();
        }
    }

    /// The watch of a removed file is gone already, that of one that was moved away is not.
    fn forget_file(&mut self) {
        if let Some(watch) = self.file.take() {
            let _ = self.inotify.rm_watch(watch);
        }
    }

    fn read(&mut self) {
        let text = fs::read(&self.path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let Some(line) = text.lines().next() else {
            self.cancel();
            return;
        };
        match parse(line, now()) {
            Ok(schedule) => {
                match self.schedule {
                    None => info!("Scheduling reload for {}", shown(schedule.at)),
                    Some(old) if old.at != schedule.at => {
                        info!(
                            "Reload time updated from {} to {}",
                            shown(old.at),
                            shown(schedule.at)
                        );
                    }
                    Some(_) => {}
                }
                self.schedule = Some(schedule);
            }
            Err(wrong) => {
                for message in wrong.messages(line) {
                    info!("{message}");
                }
                self.cancel();
            }
        }
    }

    fn cancel(&mut self) {
        if let Some(schedule) = self.schedule.take() {
            info!("Cancelling reload scheduled for {}", shown(schedule.at));
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }
}

fn watch_directory(path: &Path) -> io::Result<(Inotify, WatchDescriptor)> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
    let wanted = AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_DELETE
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_MOVED_FROM
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF;
    let watch = inotify.add_watch(path, wanted)?;
    Ok((inotify, watch))
}

#[cfg(test)]
mod tests;
