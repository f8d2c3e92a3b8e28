//! What the objects are like. Programs that use them know these names, so they are those of the original.

use runtime::bus::{Argument, Interface, Property, Signal};

/// The process.
pub(super) static VRRP: Interface = Interface {
    name: "org.keepalived.Vrrp1.Vrrp",
    methods: &["PrintData", "PrintStats", "PrintStatsClear", "ReloadConfig"],
    signals: &[
        Signal { name: "VrrpStarted", arguments: &[] },
        Signal { name: "VrrpReloaded", arguments: &[] },
        Signal { name: "VrrpStopped", arguments: &[] },
    ],
    properties: &[],
};

/// An instance.
pub(super) static INSTANCE: Interface = Interface {
    name: "org.keepalived.Vrrp1.Instance",
    methods: &["SendGarp"],
    signals: &[Signal {
        name: "VrrpStatusChange",
        arguments: &[Argument { name: "status", signature: "u" }],
    }],
    properties: &[
        Property { name: "Name", signature: "(s)" },
        Property { name: "State", signature: "(us)" },
    ],
};

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Programs that generate code read them where they are installed. `RECORD=1` writes them anew.
    #[test]
    fn the_documents_that_are_installed_describe_the_objects() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/dbus");
        for interface in [&VRRP, &INSTANCE] {
            let path = directory.join(format!("{}.xml", interface.name));
            if std::env::var_os("RECORD").is_some() {
                fs::write(&path, interface.document()).unwrap();
            }
            let installed = fs::read_to_string(&path).unwrap();
            assert_eq!(installed, interface.document(), "{}", path.display());
        }
    }
}
