//! Where the objects are: `/org/keepalived/Vrrp1[/NAMESPACE][/INSTANCE]/Vrrp` for the process, and
//! `…/Instance/INTERFACE/VRID/FAMILY` for each of its instances.

use std::fmt::Write;

use runtime::bus::path_element;
use runtime::global::Global;

use crate::config::Instance;
use crate::packet::Family;

/// The paths of a daemon.
pub(super) struct Paths<'a> {
    root: String,
    /// What stands for an interface where there is none.
    no_interface: &'a str,
}

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Object<'p> {
    /// The process.
    Vrrp,
    /// An instance, if there is such a one.
    Instance { interface: &'p str, vrid: u8, family: Family },
}

impl<'a> Paths<'a> {
    pub(super) fn of(global: &'a Global) -> Self {
        let mut root = "/org/keepalived/Vrrp1".to_owned();
        let processes = &global.processes;
        for name in [&processes.network_namespace, &processes.instance].into_iter().flatten() {
            // Writing to a string cannot fail.
            let _ = write!(root, "/{}", path_element(name));
        }
        Self { root, no_interface: &global.dbus.no_interface_name }
    }

    pub(super) fn vrrp(&self) -> String {
        format!("{}/Vrrp", self.root)
    }

    pub(super) fn instance(&self, config: &Instance) -> String {
        let interface = self.interface(config);
        let family = word(config.family);
        format!("{}/Instance/{interface}/{}/{family}", self.root, config.vrid.0)
    }

    /// What `path` leads to. `None`: to nothing.
    pub(super) fn find<'p>(&self, path: &'p str) -> Option<Object<'p>> {
        let rest = path.strip_prefix(&self.root)?;
        if rest == "/Vrrp" {
            return Some(Object::Vrrp);
        }
        let mut parts = rest.strip_prefix("/Instance/")?.split('/');
        let (interface, vrid, family) = (parts.next()?, parts.next()?, parts.next()?);
        let number = vrid.parse().ok()?;
        let family = [Family::V4, Family::V6].into_iter().find(|&one| word(one) == family)?;
        let is_exact = parts.next().is_none() && !vrid.starts_with(['0', '+']);
        is_exact.then_some(Object::Instance { interface, vrid: number, family })
    }

    /// Whether `object` is the one of the instance.
    pub(super) fn leads_to(&self, object: &Object<'_>, config: &Instance) -> bool {
        let Object::Instance { interface, vrid, family } = *object else { return false };
        config.vrid.0 == vrid && config.family == family && self.interface(config) == interface
    }

    fn interface(&self, config: &Instance) -> String {
        path_element(config.interface.as_deref().unwrap_or(self.no_interface))
    }
}

fn word(family: Family) -> &'static str {
    match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn global() -> Global {
        Global::default()
    }

    #[test]
    fn a_path_leads_to_one_thing_or_to_nothing() {
        let global = global();
        let paths = Paths::of(&global);
        assert_eq!(paths.vrrp(), "/org/keepalived/Vrrp1/Vrrp");
        assert_eq!(paths.find("/org/keepalived/Vrrp1/Vrrp"), Some(Object::Vrrp));
        let found = paths.find("/org/keepalived/Vrrp1/Instance/eth0_1/12/IPv6");
        let wanted = Object::Instance { interface: "eth0_1", vrid: 12, family: Family::V6 };
        assert_eq!(found, Some(wanted));
        for path in [
            "/",
            "/org/keepalived/Vrrp1",
            "/org/keepalived/Vrrp1/Vrrp/x",
            "/org/keepalived/Vrrp1/Instance",
            "/org/keepalived/Vrrp1/Instance/eth0/012/IPv4",
            "/org/keepalived/Vrrp1/Instance/eth0/256/IPv4",
            "/org/keepalived/Vrrp1/Instance/eth0/1/IPv5",
            "/org/keepalived/Vrrp1/Instance/eth0/1/IPv4/x",
            "/org/keepalived/Vrrp1Vrrp",
        ] {
            assert_eq!(paths.find(path), None, "{path}");
        }
    }

    #[test]
    fn namespace_and_instance_are_parts_of_all_paths() {
        let mut global = global();
        global.processes.network_namespace = Some("blue-1".to_owned());
        global.processes.instance = Some("b".to_owned());
        let paths = Paths::of(&global);
        assert_eq!(paths.vrrp(), "/org/keepalived/Vrrp1/blue_1/b/Vrrp");
        assert_eq!(paths.find("/org/keepalived/Vrrp1/blue_1/b/Vrrp"), Some(Object::Vrrp));
        assert_eq!(paths.find("/org/keepalived/Vrrp1/Vrrp"), None);
    }
}
