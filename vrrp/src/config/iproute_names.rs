//! Names of routing tables, scopes, protocols and the like, as iproute2 keeps them in files.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use conf_parser::c_number;

/// What a name stands for. Each has a file of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Routing tables.
    Table,
    /// Scopes of addresses and routes.
    Scope,
    /// Who made a route.
    Protocol,
    /// Realms of routes.
    Realm,
    /// Types of service.
    DsField,
    /// Groups of interfaces.
    Group,
    /// Who made an address.
    AddressProtocol,
}

const KINDS: usize = 7;

/// No name file is anywhere near as long; it keeps a device file from being read for ever.
const LONGEST_FILE: u64 = 1 << 20;

impl Kind {
    fn file(self) -> &'static str {
        match self {
            Kind::Table => "rt_tables",
            Kind::Scope => "rt_scopes",
            Kind::Protocol => "rt_protos",
            Kind::Realm => "rt_realms",
            Kind::DsField => "rt_dsfield",
            Kind::Group => "group",
            Kind::AddressProtocol => "rt_addrprotos",
        }
    }

    /// The greatest number.
    fn max(self) -> u32 {
        match self {
            Kind::Table => u32::MAX,
            Kind::Group => 0x7fff_ffff,
            Kind::Scope | Kind::Protocol | Kind::Realm | Kind::DsField | Kind::AddressProtocol => {
                255
            }
        }
    }

    /// Names that are known without any file, unless it gives their number to another name.
    fn built_in(self) -> &'static [(u32, &'static str)] {
        match self {
            Kind::Table => &[(253, "default"), (254, "main"), (255, "local")],
            Kind::Scope => {
                &[(0, "global"), (255, "nowhere"), (254, "host"), (253, "link"), (200, "site")]
            }
            Kind::Protocol => &[
                (0, "none"),
                (1, "redirect"),
                (2, "kernel"),
                (3, "boot"),
                (4, "static"),
                (8, "gated"),
                (9, "ra"),
                (10, "mrt"),
                (11, "zebra"),
                (12, "bird"),
                (42, "babel"),
                (13, "dnrouted"),
                (14, "xorp"),
                (15, "ntk"),
                (16, "dhcp"),
            ],
            Kind::AddressProtocol => {
                &[(0, "unspecified"), (1, "kernel_lo"), (2, "kernel_ra"), (3, "kernel_ll")]
            }
            Kind::Realm | Kind::DsField | Kind::Group => &[],
        }
    }
}

/// The name files of a machine. Each is read when it is first asked for.
pub(super) struct Names {
    etc: PathBuf,
    usr: PathBuf,
    tables: [OnceCell<HashMap<String, u32>>; KINDS],
}

impl Names {
    /// The files in `etc` come before those in `usr`.
    pub(super) fn new(etc: impl Into<PathBuf>, usr: impl Into<PathBuf>) -> Self {
        Self { etc: etc.into(), usr: usr.into(), tables: Default::default() }
    }

    /// The number behind `text`: itself when it is a number, in C's notation, otherwise what the files say.
    pub(super) fn find(&self, kind: Kind, text: &str) -> Option<u32> {
        if let Some(number) = c_number(text) {
            return u32::try_from(number).ok().filter(|&number| number <= kind.max());
        }
        let index = match kind {
            Kind::Table => 0,
            Kind::Scope => 1,
            Kind::Protocol => 2,
            Kind::Realm => 3,
            Kind::DsField => 4,
            Kind::Group => 5,
            Kind::AddressProtocol => 6,
        };
        self.tables.get(index)?.get_or_init(|| self.read(kind)).get(text).copied()
    }

    /// As [`Self::find`], for kinds whose numbers fit an octet.
    pub(super) fn find_u8(&self, kind: Kind, text: &str) -> Option<u8> {
        self.find(kind, text).and_then(|number| u8::try_from(number).ok())
    }

    /// The main file, from `etc` if it is there; then the `.conf` files of the directory beside it, where one in `etc`
    /// hides the one of the same name in `usr`; then what is built in.
    fn read(&self, kind: Kind) -> HashMap<String, u32> {
        let mut found = Vec::new();
        let main = [&self.etc, &self.usr].map(|directory| directory.join(kind.file()));
        if let Some(path) = main.iter().find(|path| path.is_file()) {
            read_file(path, kind.max(), &mut found);
        }
        let extra = format!("{}.d", kind.file());
        let etc = self.etc.join(&extra);
        if self.usr != self.etc {
            for path in configuration_files(&self.usr.join(&extra)) {
                let hidden = path.file_name().is_some_and(|name| etc.join(name).exists());
                if !hidden {
                    read_file(&path, kind.max(), &mut found);
                }
            }
        }
        for path in configuration_files(&etc) {
            read_file(&path, kind.max(), &mut found);
        }
        for &(number, name) in kind.built_in() {
            if !found.iter().any(|&(_, known)| known == number) {
                found.push((name.to_owned(), number));
            }
        }
        // The first entry of a name counts.
        found.into_iter().rev().collect()
    }
}

fn configuration_files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
            name.len() > ".conf".len()
                && name.ends_with(".conf")
                && !name.starts_with('.')
                && path.is_file()
        })
        .collect();
    paths.sort();
    paths
}

/// Lines of a number and a name; `#` starts a comment.
fn read_file(path: &Path, max: u32, found: &mut Vec<(String, u32)>) {
    let mut text = String::new();
    let Ok(file) = fs::File::open(path) else { return };
    if file.take(LONGEST_FILE).read_to_string(&mut text).is_err() {
        return;
    }
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or("");
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        if let (Some(number), Some(name), None) = (words.next(), words.next(), words.next()) {
            let number = c_number(number).and_then(|number| u32::try_from(number).ok());
            if let Some(number) = number.filter(|&number| number <= max) {
                found.push((name.to_owned(), number));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("names-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, text: &str) {
            let path = self.0.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn built_in_names_need_no_files() {
        let names = Names::new("/nonexistent/etc", "/nonexistent/usr");
        assert_eq!(names.find(Kind::Table, "main"), Some(254));
        assert_eq!(names.find_u8(Kind::Scope, "link"), Some(253));
        assert_eq!(names.find_u8(Kind::Protocol, "static"), Some(4));
        assert_eq!(names.find(Kind::Group, "default"), None);
    }

    #[test]
    fn numbers_stand_for_themselves_within_their_range() {
        let names = Names::new("", "");
        assert_eq!(names.find(Kind::Table, "4294967295"), Some(u32::MAX));
        assert_eq!(names.find(Kind::Table, "4294967296"), None);
        assert_eq!(names.find(Kind::Scope, "0x10"), Some(16));
        assert_eq!(names.find(Kind::Scope, "256"), None);
        assert_eq!(names.find(Kind::Group, "2147483648"), None);
    }

    #[test]
    fn the_administrators_files_come_first() {
        let etc = Directory::new("etc");
        let usr = Directory::new("usr");
        usr.write("rt_tables", "10 shipped\n");
        assert_eq!(Names::new(&etc.0, &usr.0).find(Kind::Table, "shipped"), Some(10));

        etc.write("rt_tables", "# comment\n 0x20\tlab # why\n254 hauptteil\n1 two words\nx bad\n");
        etc.write("rt_tables.d/more.conf", "77 more");
        etc.write("rt_tables.d/not.txt", "78 not");
        usr.write("rt_tables.d/more.conf", "79 hidden");
        usr.write("rt_tables.d/other.conf", "80 other");
        let names = Names::new(&etc.0, &usr.0);
        let find = |name| names.find(Kind::Table, name);
        assert_eq!(find("lab"), Some(32));
        assert_eq!(find("more"), Some(77));
        assert_eq!(find("other"), Some(80));
        assert_eq!(find("hauptteil"), Some(254));
        assert_eq!(find("local"), Some(255));
        assert_eq!(names.find_u8(Kind::AddressProtocol, "keepalived"), None);
        etc.write("rt_addrprotos.d/keepalived.conf", "77\tkeepalived\t# added by keepalived\n");
        let names = Names::new(&etc.0, &usr.0);
        assert_eq!(names.find_u8(Kind::AddressProtocol, "keepalived"), Some(77));
        for absent in ["shipped", "two", "not", "hidden", "bad", "main"] {
            assert_eq!(find(absent), None, "{absent}");
        }
    }
}
