//! Local time.

use std::mem::MaybeUninit;

/// A wall-clock time split up for the machine's time zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocalTime {
    /// Year, such as 2026.
    pub year: i32,
    /// Month, 0 to 11.
    pub month: usize,
    /// Day of the month, from 1.
    pub day: i32,
    /// Day of the week, Sunday is 0.
    pub weekday: usize,
    /// Hour.
    pub hour: i32,
    /// Minute.
    pub minute: i32,
    /// Second, 60 in a leap second.
    pub second: i32,
    /// Seconds east of Greenwich.
    pub offset: i64,
}

/// Splits up `seconds` since 1970; `None` when the year does not fit.
pub fn local_time(seconds: i64) -> Option<LocalTime> {
    let mut fields = MaybeUninit::<libc::tm>::uninit();
    // SAFETY: both pointers are valid for the call, and the C library writes all fields unless it returns null.
    let fields = unsafe {
        if libc::localtime_r(&seconds, fields.as_mut_ptr()).is_null() {
            return None;
        }
        fields.assume_init()
    };
    Some(LocalTime {
        year: fields.tm_year.checked_add(1900)?,
        month: usize::try_from(fields.tm_mon).ok()?,
        day: fields.tm_mday,
        weekday: usize::try_from(fields.tm_wday).ok()?,
        hour: fields.tm_hour,
        minute: fields.tm_min,
        second: fields.tm_sec,
        offset: fields.tm_gmtoff,
    })
}

/// Seconds since 1970 of a local date and time; `None` when there is no such time. Month counts from 0.
pub fn from_local_time(
    year: i32,
    month: i32,
    day: i32,
    hour: i32,
    minute: i32,
    second: i32,
) -> Option<i64> {
    // SAFETY: all-zero bytes are a valid `tm`: integers and a null pointer for the zone's name.
    let mut fields: libc::tm = unsafe { MaybeUninit::zeroed().assume_init() };
    fields.tm_year = year.checked_sub(1900)?;
    fields.tm_mon = month;
    fields.tm_mday = day;
    fields.tm_hour = hour;
    fields.tm_min = minute;
    fields.tm_sec = second;
    fields.tm_isdst = -1;
    // SAFETY: the pointer is valid for the call, which only normalises the fields.
    let seconds = unsafe { libc::mktime(&mut fields) };
    (seconds != -1).then_some(seconds)
}
