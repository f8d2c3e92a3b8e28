//! Settings of the kernel that are changed for as long as something needs them, and then put back.
//!
//! They are read and written below `/proc/sys/net`, which shows the network namespace of the process. Where that is not
//! writable, as in many containers, those of IPv4 interfaces are set through netlink. What they were before is noted in a
//! file, for whoever comes after a process that is killed.

mod journal;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::net::if_::{if_indextoname, if_nametoindex};
use runtime::machine::IfIndex;
use runtime::netlink::{Client, Request};

use self::journal::{Entry, Journal};

/// Where the settings are.
const DIRECTORY: &str = "/proc/sys/net";
/// The setting that is not one of an interface.
const LOCAL_IGMP_REPORTS: &str = "ipv4/igmp_link_local_mcast_reports";

/// A setting of the kernel.
///
/// Their order is the one in which they are set: a new default reaches all interfaces that were never set themselves,
/// and what is asked of all is loosened only when each asks for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Setting {
    /// What new interfaces start with.
    Default(Knob),
    /// Of one interface, whatever it is called.
    Interface(IfIndex, Knob),
    /// Of all interfaces, besides what each has of its own.
    All(Knob),
    /// Whether membership in groups of the link is reported (`igmp_link_local_mcast_reports`).
    LocalIgmpReports,
}

/// What can be set for an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Knob {
    /// IPv4: addresses of the same subnet outlive their primary one.
    PromoteSecondaries,
    /// IPv4: for which addresses ARP requests are answered.
    ArpIgnore,
    /// IPv4: ARP requests are answered only where the answer would leave.
    ArpFilter,
    /// IPv4: packets are taken whose source is one of our own addresses.
    AcceptLocal,
    /// IPv4: whether packets are dropped whose source is not reached through the interface.
    RpFilter,
    /// There is no IPv6 on the interface.
    DisableIpv6,
}

impl Knob {
    const ALL: [Knob; 6] = [
        Knob::PromoteSecondaries,
        Knob::ArpIgnore,
        Knob::ArpFilter,
        Knob::AcceptLocal,
        Knob::RpFilter,
        Knob::DisableIpv6,
    ];

    /// Where it is below `/proc/sys/net`, and its name there.
    fn file(self) -> (&'static str, &'static str) {
        match self {
            Knob::PromoteSecondaries => ("ipv4", "promote_secondaries"),
            Knob::ArpIgnore => ("ipv4", "arp_ignore"),
            Knob::ArpFilter => ("ipv4", "arp_filter"),
            Knob::AcceptLocal => ("ipv4", "accept_local"),
            Knob::RpFilter => ("ipv4", "rp_filter"),
            Knob::DisableIpv6 => ("ipv6", "disable_ipv6"),
        }
    }

    /// Its number in netlink (`IPV4_DEVCONF_*`).
    fn number(self) -> Option<u16> {
        match self {
            Knob::PromoteSecondaries => Some(20),
            Knob::ArpIgnore => Some(19),
            Knob::ArpFilter => Some(13),
            Knob::AcceptLocal => Some(23),
            Knob::RpFilter => Some(8),
            Knob::DisableIpv6 => None,
        }
    }
}

impl Setting {
    /// Its value now. [`io::ErrorKind::NotFound`] where there is no such interface, or no such setting.
    pub(crate) fn read(self) -> io::Result<i32> {
        let text = fs::read_to_string(self.path()?)?;
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        text.trim().parse().map_err(invalid)
    }

    /// Gives it a value.
    pub(crate) fn write(self, value: i32, netlink: &mut Client) -> io::Result<()> {
        let written = fs::write(self.path()?, value.to_string());
        let (Err(error), Some(request)) = (&written, self.request(value)) else { return written };
        if error.kind() == io::ErrorKind::NotFound {
            return written;
        }
        let outcome = netlink.execute(&[request]).pop();
        outcome.unwrap_or(Ok(())).map_err(|error| match error.errno() {
            Some(errno) => errno.into(),
            None => io::Error::other(error),
        })
    }

    fn path(self) -> io::Result<PathBuf> {
        Ok(Path::new(DIRECTORY).join(self.name()?))
    }

    /// What it is called, as a path below `/proc/sys/net`.
    fn name(self) -> io::Result<String> {
        let (place, knob) = match self {
            Setting::Interface(index, knob) => {
                let name = if_indextoname(index.0).map_err(|_| io::ErrorKind::NotFound)?;
                (name.to_string_lossy().into_owned(), knob)
            }
            Setting::All(knob) => ("all".to_owned(), knob),
            Setting::Default(knob) => ("default".to_owned(), knob),
            Setting::LocalIgmpReports => return Ok(LOCAL_IGMP_REPORTS.to_owned()),
        };
        let (family, file) = knob.file();
        Ok(format!("{family}/conf/{place}/{file}"))
    }

    /// The setting that is called so, if there is such a one and its interface is there.
    fn named(name: &str) -> Option<Self> {
        if name == LOCAL_IGMP_REPORTS {
            return Some(Setting::LocalIgmpReports);
        }
        let (family, rest) = name.split_once("/conf/")?;
        let (place, file) = rest.split_once('/')?;
        let knob = Knob::ALL.into_iter().find(|knob| knob.file() == (family, file))?;
        match place {
            "all" => Some(Setting::All(knob)),
            "default" => Some(Setting::Default(knob)),
            interface => {
                let index = IfIndex(if_nametoindex(interface).ok()?);
                Some(Setting::Interface(index, knob))
            }
        }
    }

    fn request(self, value: i32) -> Option<Request> {
        let Setting::Interface(interface, knob) = self else { return None };
        let (number, value) = (knob.number()?, u32::try_from(value).ok()?);
        Some(Request::ConfigureIpv4 { interface, number, value })
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Setting::Interface(index, knob) => {
                write!(f, "{} of interface {index}", knob.file().1)
            }
            Setting::All(knob) => write!(f, "{} of all interfaces", knob.file().1),
            Setting::Default(knob) => write!(f, "{} of new interfaces", knob.file().1),
            Setting::LocalIgmpReports => f.write_str("igmp_link_local_mcast_reports"),
        }
    }
}

/// Why a setting is not as it should be.
#[derive(Debug)]
pub(crate) struct SettingError {
    /// Which one.
    pub setting: Setting,
    /// What it should have become.
    pub value: i32,
    /// What is in the way.
    pub source: io::Error,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot set {} to {}: {}", self.setting, self.value, self.source)
    }
}

impl std::error::Error for SettingError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// What we have changed, and what it was before.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    held: BTreeMap<Setting, Held>,
    journal: Journal,
}

/// A setting that somebody wants.
#[derive(Debug)]
struct Held {
    value: i32,
    /// What it was when it was first wanted; `None` while that is not known.
    before: Option<i32>,
    /// Whether it is as wanted.
    done: bool,
    /// Why it is not, which has been told.
    failed: Option<io::ErrorKind>,
}

impl Settings {
    /// What a process before us has noted in the file at `path` when it was killed is ours, as far as it is still as that
    /// process has left it. From now on the file has what we change.
    pub(crate) fn inherit(path: PathBuf) -> Self {
        let (journal, entries) = Journal::open(path);
        let held = entries.into_iter().filter_map(|Entry { name, value, before }| {
            let setting = Setting::named(&name)?;
            let untouched = setting.read().is_ok_and(|now| now == value);
            untouched.then_some((
                setting,
                Held { value, before: Some(before), done: true, failed: None },
            ))
        });
        Self { held: held.collect(), journal }
    }

    /// Gives all of `desired` their values, and puts back what is no longer among them.
    ///
    /// What was as desired before anybody asked is left alone for ever, and what somebody else has changed meanwhile is
    /// not put back. Returns what could not be done. It is tried again with the next call, but told only once.
    pub(crate) fn reconcile(
        &mut self,
        desired: &BTreeMap<Setting, i32>,
        netlink: &mut Client,
    ) -> Vec<SettingError> {
        let mut failures = Vec::new();
        let dropped = self.held.keys().filter(|setting| !desired.contains_key(setting));
        for setting in dropped.copied().collect::<Vec<_>>() {
            let Some(held) = self.held.remove(&setting) else { continue };
            failures.extend(put_back(setting, &held, netlink));
        }
        let mut pending = Vec::new();
        for (&setting, &value) in desired {
            let fresh = Held { value, before: None, done: false, failed: None };
            let held = self.held.entry(setting).or_insert(fresh);
            if !held.done || held.value != value {
                (held.value, held.done) = (value, false);
                held.before = held.before.or_else(|| setting.read().ok());
                pending.push(setting);
            }
        }
        // Whoever kills us from here on leaves a note of what there was.
        self.note();
        for setting in pending {
            let Some(held) = self.held.get_mut(&setting) else { continue };
            failures.extend(held.set(setting, netlink));
        }
        failures
    }

    /// What a setting was before we changed it.
    pub(crate) fn before(&self, setting: Setting) -> Option<i32> {
        self.held.get(&setting)?.before
    }

    /// What a setting is where nobody of us has changed it, and otherwise was.
    pub(crate) fn original(&self, setting: Setting) -> io::Result<i32> {
        self.before(setting).map_or_else(|| setting.read(), Ok)
    }

    /// An interface is gone with its settings: there is nothing to put back.
    pub(crate) fn forget_interface(&mut self, gone: IfIndex) {
        self.held.retain(
            |setting, _| !matches!(setting, Setting::Interface(index, _) if *index == gone),
        );
    }

    fn note(&mut self) {
        let changed = self.held.iter().filter_map(|(setting, held)| {
            let before = held.before.filter(|&before| before != held.value)?;
            Some(Entry { name: setting.name().ok()?, value: held.value, before })
        });
        let entries: Vec<Entry> = changed.collect();
        self.journal.write(&entries);
    }
}

impl Held {
    /// A new default may have changed it since it was looked at first.
    fn set(&mut self, setting: Setting, netlink: &mut Client) -> Option<SettingError> {
        let value = self.value;
        let done = match setting.read() {
            Ok(now) if now == value => Ok(()),
            Ok(_) => setting.write(value, netlink),
            Err(error) => Err(error),
        };
        self.done = done.is_ok();
        let failed = done.as_ref().err().map(io::Error::kind);
        let told = self.failed == failed;
        self.failed = failed;
        let source = done.err().filter(|_| !told)?;
        Some(SettingError { setting, value, source })
    }
}

/// Undoes what we did, unless somebody else has done so, or has done something else.
fn put_back(setting: Setting, held: &Held, netlink: &mut Client) -> Option<SettingError> {
    let value = held.before.filter(|&before| before != held.value)?;
    let done = match setting.read() {
        Ok(now) if now == held.value => setting.write(value, netlink),
        Ok(_) => Ok(()),
        // The interface is gone.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    };
    done.err().map(|source| SettingError { setting, value, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cable::{Side, ip, link, with_cable};
    use runtime::global::NetlinkBuffer;

    fn client() -> Client {
        Client::open(NetlinkBuffer::default()).unwrap()
    }

    fn held(settings: &[Setting]) -> BTreeMap<Setting, i32> {
        settings.iter().map(|&setting| (setting, 1)).collect()
    }

    #[test]
    fn what_was_changed_is_put_back() {
        with_cable(|cable| {
            cable.on(Side::Left, || {
                let interface = link("v1").index;
                let promote = Setting::Interface(interface, Knob::PromoteSecondaries);
                let ignore = Setting::Interface(interface, Knob::ArpIgnore);
                let filter = Setting::Interface(interface, Knob::ArpFilter);
                let mut netlink = client();
                promote.write(0, &mut netlink).unwrap();
                filter.write(1, &mut netlink).unwrap();
                let mut settings = Settings::default();
                let failures = settings.reconcile(&held(&[promote, ignore, filter]), &mut netlink);
                assert!(failures.is_empty(), "{failures:?}");
                let read = || [promote, ignore, filter].map(|setting| setting.read().unwrap());
                assert_eq!(read(), [1, 1, 1]);
                // Another one of its users is left.
                assert!(settings.reconcile(&held(&[promote]), &mut netlink).is_empty());
                assert_eq!(read(), [1, 0, 1]);
                ip("link set v1 name other");
                assert!(settings.reconcile(&BTreeMap::new(), &mut netlink).is_empty());
                assert_eq!(read(), [0, 0, 1]);
                // The administrator has the last word.
                assert!(settings.reconcile(&held(&[ignore]), &mut netlink).is_empty());
                ignore.write(2, &mut netlink).unwrap();
                assert!(settings.reconcile(&BTreeMap::new(), &mut netlink).is_empty());
                assert_eq!(ignore.read().unwrap(), 2);
            });
        });
    }

    #[test]
    fn a_missing_interface_is_told_once() {
        with_cable(|cable| {
            cable.on(Side::Left, || {
                let desired = held(&[Setting::Interface(IfIndex(4711), Knob::ArpIgnore)]);
                let mut settings = Settings::default();
                let told = settings.reconcile(&desired, &mut client());
                assert_eq!(told.len(), 1);
                assert_eq!(told[0].source.kind(), io::ErrorKind::NotFound);
                assert!(settings.reconcile(&desired, &mut client()).is_empty());
                assert!(settings.reconcile(&BTreeMap::new(), &mut client()).is_empty());
            });
        });
    }

    /// The way of the containers in which `/proc/sys` cannot be written.
    #[test]
    fn netlink_sets_the_same() {
        with_cable(|cable| {
            cable.on(Side::Left, || {
                let interface = link("v1").index;
                let knobs = [
                    Knob::PromoteSecondaries,
                    Knob::ArpIgnore,
                    Knob::ArpFilter,
                    Knob::AcceptLocal,
                    Knob::RpFilter,
                ];
                for knob in knobs {
                    let setting = Setting::Interface(interface, knob);
                    let other = i32::from(setting.read().unwrap() == 0);
                    let request = setting.request(other).unwrap();
                    assert_eq!(client().execute(&[request]), [Ok(())]);
                    assert_eq!(setting.read().unwrap(), other, "{setting}");
                }
            });
        });
    }
}
