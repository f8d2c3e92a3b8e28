use super::*;

/// 2026-11-28 13:00:00 UTC.
const NOON: i64 = 1_795_870_800;

fn at(text: &str) -> Result<i64, Wrong> {
    parse(text, NOON).map(|schedule| schedule.at)
}

#[test]
fn dates_in_utc() {
    assert_eq!(at("2026-11-28 13:00:01Z"), Ok(NOON + 1));
    assert_eq!(at("26-12-01 00:00:00Z"), Ok(NOON - 13 * 3600 + 3 * DAY));
    assert_eq!(at("2028-02-29 00:00:00Z"), Ok(1_835_395_200));
    assert!(parse("2026-11-28 13:00:01Z", NOON).unwrap().dated);
}

#[test]
fn a_time_that_has_passed_is_tomorrows() {
    assert_eq!(at("13:00:01Z"), Ok(NOON + 1));
    assert_eq!(at("13:00:00Z"), Ok(NOON + DAY));
    assert_eq!(at("00:00:00Z"), Ok(NOON - 13 * 3600 + DAY));
    assert!(!parse("13:00:01Z", NOON).unwrap().dated);
}

#[test]
fn local_times_name_the_same_clock_reading() {
    let schedule = parse("23:59:58", NOON).unwrap();
    assert!(schedule.at > NOON && schedule.at <= NOON + DAY);
    assert!(shown(schedule.at).ends_with(" 23:59:58"));
    assert_eq!(shown(at("2027-03-04 05:06:07").unwrap()), "2027-03-04 05:06:07");
}

#[test]
fn anything_else_is_refused() {
    for (text, wrong) in [
        ("", Wrong::Length),
        ("13:00", Wrong::Length),
        ("2026-11-28 13:00:00ZZ", Wrong::Length),
        ("24:00:00", Wrong::Syntax),
        ("13:60:00", Wrong::Syntax),
        ("13-00-00", Wrong::Syntax),
        ("+1:00:00", Wrong::Syntax),
        ("2026-13-01 00:00:00", Wrong::Syntax),
        ("2026/12/01 00:00:00", Wrong::Syntax),
        ("2027-02-29 00:00:00Z", Wrong::NoSuchTime),
        ("2027-02-29 00:00:00", Wrong::NoSuchTime),
        ("2026-11-28 13:00:00Z", Wrong::Past),
        ("99-01-01 00:00:00", Wrong::Past),
    ] {
        assert_eq!(at(text), Err(wrong), "{text}");
    }
}

#[test]
fn days_and_dates_are_inverse() {
    for day in (-800_000..800_000).step_by(97) {
        let (year, month, date) = civil(day).unwrap();
        assert_eq!(days(year, month, date), day);
    }
    assert_eq!(civil(0), Some((1970, 1, 1)));
    assert_eq!(civil(-1), Some((1969, 12, 31)));
}

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("reload-timer-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn monitor(&self) -> (PathBuf, Monitor) {
        let path = self.0.join("when");
        let monitor = Monitor::start(path.to_str().unwrap()).unwrap();
        (path, monitor)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_file_may_come_change_and_go() {
    let directory = Directory::new("change");
    let (path, mut monitor) = directory.monitor();
    assert_eq!(monitor.schedule, None);
    fs::write(&path, "2099-01-01 00:00:00Z\nmore\n").unwrap();
    assert!(monitor.changed());
    let first = monitor.schedule.unwrap();
    fs::write(&path, "2099-01-01 00:00:01Z").unwrap();
    assert!(monitor.changed());
    assert_eq!(monitor.schedule.unwrap().at, first.at + 1);
    assert!(monitor.delay().unwrap() >= Duration::from_secs(1));
    fs::write(&path, "soon\n").unwrap();
    assert!(monitor.changed());
    assert_eq!(monitor.schedule, None);
    let other = directory.0.join("other");
    fs::write(&other, "2099-01-01 00:00:00Z\n").unwrap();
    fs::rename(&other, &path).unwrap();
    assert!(monitor.changed());
    assert_eq!(monitor.schedule, Some(first));
    fs::remove_file(&path).unwrap();
    assert!(monitor.changed());
    assert_eq!(monitor.schedule, None);
}

#[test]
fn a_directory_that_goes_ends_it() {
    let directory = Directory::new("gone");
    let (_, mut monitor) = directory.monitor();
    fs::remove_dir(&directory.0).unwrap();
    assert!(!monitor.changed());
    assert!(Monitor::start(directory.0.join("when").to_str().unwrap()).is_none());
}

#[test]
fn only_a_daily_time_that_repeats_stays() {
    for (text, repeat, stays) in [
        ("23:00:00Z", true, true),
        ("23:00:00Z", false, false),
        ("2099-01-01 00:00:00Z", true, false),
    ] {
        let directory = Directory::new(&format!("stays-{repeat}-{}", text.len()));
        fs::write(directory.0.join("when"), text).unwrap();
        let (path, mut monitor) = directory.monitor();
        monitor.fire(repeat);
        assert_eq!(path.exists(), stays, "{text} {repeat}");
        assert_eq!(monitor.schedule, None);
    }
}
