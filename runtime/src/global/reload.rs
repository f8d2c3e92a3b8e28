//! What a reload cannot change, and what it keeps.

use std::fmt;

use super::Global;

/// A setting whose change needs a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fixed {
    /// `net_namespace`.
    NetworkNamespace,
    /// `net_namespace_ipvs`.
    IpvsNamespace,
    /// `instance`.
    Instance,
    /// The table of `nftables`.
    NftablesTable,
    /// The table of `nftables_ipvs`.
    IpvsNftablesTable,
    /// `tmp_config_directory`.
    ConfigDirectory,
    /// `disable_local_igmp`.
    LocalIgmp,
}

/// What the log says when the setting has changed.
impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let setting = match self {
            Self::NetworkNamespace => "network namespace",
            Self::IpvsNamespace => "IPVS network namespace",
            Self::Instance => "instance name",
            Self::NftablesTable => "nftables table name",
            Self::IpvsNftablesTable => "IPVS nftables table name",
            Self::ConfigDirectory => "config_directory",
            Self::LocalIgmp => "disable_local_igmp",
        };
        write!(f, "Cannot change {setting} at a reload - please restart keepalived")
    }
}

impl Global {
    /// Why a reload to `new` is refused as a whole; empty when it is not.
    pub fn changed_fixed(&self, new: &Self) -> Vec<Fixed> {
        let table = |global: &Self| global.firewall.nftables.clone().map(|found| found.table);
        let ipvs = |global: &Self| global.firewall.ipvs_nftables.clone().map(|found| found.table);
        let (old_processes, new_processes) = (&self.processes, &new.processes);
        let changed = [
            (
                Fixed::NetworkNamespace,
                old_processes.network_namespace != new_processes.network_namespace,
            ),
            (Fixed::IpvsNamespace, old_processes.ipvs_namespace != new_processes.ipvs_namespace),
            (Fixed::Instance, old_processes.instance != new_processes.instance),
            (Fixed::NftablesTable, table(self) != table(new)),
            (Fixed::IpvsNftablesTable, ipvs(self) != ipvs(new)),
            (
                Fixed::ConfigDirectory,
                self.files.tmp_config_directory != new.files.tmp_config_directory,
            ),
            (Fixed::LocalIgmp, self.vrrp.disable_local_igmp != new.vrrp.disable_local_igmp),
        ];
        changed.into_iter().filter(|&(_, changed)| changed).map(|(fixed, _)| fixed).collect()
    }

    /// Takes over from the running settings what stays in force when a reload no longer mentions it.
    pub fn keep_from(&mut self, old: &Self) {
        let (new, old) = (self, old.clone());
        new.processes.child_wait = new.processes.child_wait.or(old.processes.child_wait);
        new.processes.umask = new.processes.umask.or(old.processes.umask);
        for (new, old) in [
            (&mut new.processes.vrrp, old.processes.vrrp),
            (&mut new.processes.checker, old.processes.checker),
            (&mut new.processes.bfd, old.processes.bfd),
        ] {
            if new.cpus.is_empty() {
                new.cpus = old.cpus;
            }
        }
        new.scripts.security |= old.scripts.security;
        if new.files.config_save_dir.is_none() {
            new.files.config_save_dir = old.files.config_save_dir;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::global::{IpvsNamespace, Nftables};

    #[test]
    fn each_fixed_setting_is_noticed() {
        let old = Global::default();
        assert_eq!(old.changed_fixed(&old), []);
        let mut new = old.clone();
        new.processes.ipvs_namespace = Some(IpvsNamespace::Default);
        new.processes.instance = Some("one".to_owned());
        new.vrrp.disable_local_igmp = true;
        assert_eq!(
            old.changed_fixed(&new),
            [Fixed::IpvsNamespace, Fixed::Instance, Fixed::LocalIgmp]
        );
        assert_eq!(
            Fixed::Instance.to_string(),
            "Cannot change instance name at a reload - please restart keepalived"
        );
    }

    #[test]
    fn only_the_table_of_nftables_is_fixed() {
        let with = |table: &str, priority| {
            let mut global = Global::default();
            let table = table.to_owned();
            global.firewall.nftables = Some(Nftables { table, priority, ifindex: false });
            global
        };
        assert_eq!(with("a", -1).changed_fixed(&with("a", 5)), []);
        assert_eq!(with("a", -1).changed_fixed(&with("b", -1)), [Fixed::NftablesTable]);
    }

    #[test]
    fn settings_that_stick_survive_their_removal() {
        let mut old = Global::default();
        old.processes.umask = Some(0o22);
        old.processes.child_wait = Some(Duration::from_secs(9));
        old.processes.bfd.cpus = vec![1];
        old.scripts.security = true;
        old.processes.vrrp.no_swap = true;
        let mut new = Global::default();
        new.processes.umask = Some(0o77);
        new.keep_from(&old);
        assert_eq!(new.processes.umask, Some(0o77));
        assert_eq!(new.processes.child_wait, Some(Duration::from_secs(9)));
        assert_eq!(new.processes.bfd.cpus, [1]);
        assert!(new.scripts.security);
        assert!(!new.processes.vrrp.no_swap);
    }
}
