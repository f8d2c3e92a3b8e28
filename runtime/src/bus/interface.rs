//! What objects are like, and how they describe themselves (D-Bus specification, "Introspection Data Format").

use std::fmt::Write;

/// An interface of an object. Its methods have no arguments and return nothing; its properties can only be read.
#[derive(Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: &'static str,
    /// The names of its methods.
    pub methods: &'static [&'static str],
    /// What it tells whoever listens.
    pub signals: &'static [Signal],
    /// What can be asked about it.
    pub properties: &'static [Property],
}

/// A signal.
#[derive(Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its name.
    pub name: &'static str,
    /// What it carries.
    pub arguments: &'static [Argument],
}

/// An argument of a signal.
#[derive(Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub signature: &'static str,
}

/// A property.
#[derive(Debug, PartialEq, Eq)]
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub signature: &'static str,
}

const DOCTYPE: &str = concat!(
    "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n",
    " \"http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n"
);

/// The interfaces that every object has.
const STANDARD: &str = r#"  <interface name="org.freedesktop.DBus.Properties">
    <method name="Get">
      <arg name="interface_name" type="s" direction="in"/>
      <arg name="property_name" type="s" direction="in"/>
      <arg name="value" type="v" direction="out"/>
    </method>
    <method name="GetAll">
      <arg name="interface_name" type="s" direction="in"/>
      <arg name="properties" type="a{sv}" direction="out"/>
    </method>
    <method name="Set">
      <arg name="interface_name" type="s" direction="in"/>
      <arg name="property_name" type="s" direction="in"/>
      <arg name="value" type="v" direction="in"/>
    </method>
    <signal name="PropertiesChanged">
      <arg name="interface_name" type="s"/>
      <arg name="changed_properties" type="a{sv}"/>
      <arg name="invalidated_properties" type="as"/>
    </signal>
  </interface>
  <interface name="org.freedesktop.DBus.Introspectable">
    <method name="Introspect">
      <arg name="xml_data" type="s" direction="out"/>
    </method>
  </interface>
  <interface name="org.freedesktop.DBus.Peer">
    <method name="Ping"/>
    <method name="GetMachineId">
      <arg name="machine_uuid" type="s" direction="out"/>
    </method>
  </interface>
"#;

impl Interface {
    /// A document that describes the interface alone, for programs that generate code from it.
    pub fn document(&self) -> String {
        format!("{DOCTYPE}<node>\n{}</node>\n", self.description())
    }

    fn description(&self) -> String {
        let mut xml = format!("  <interface name=\"{}\">\n", self.name);
        for method in self.methods {
            // Writing to a string cannot fail.
            let _ = writeln!(xml, "    <method name=\"{method}\"/>");
        }
        for Signal { name, arguments } in self.signals {
            if arguments.is_empty() {
                let _ = writeln!(xml, "    <signal name=\"{name}\"/>");
                continue;
            }
            let _ = writeln!(xml, "    <signal name=\"{name}\">");
            for Argument { name, signature } in *arguments {
                let _ = writeln!(xml, "      <arg name=\"{name}\" type=\"{signature}\"/>");
            }
            xml.push_str("    </signal>\n");
        }
        for Property { name, signature } in self.properties {
            let _ = writeln!(
                xml,
                "    <property name=\"{name}\" type=\"{signature}\" access=\"read\"/>"
            );
        }
        xml.push_str("  </interface>\n");
        xml
    }
}

/// How the object at a path describes itself, if there is one, and where the way goes on from there.
pub(super) fn describe(path: &str, own: Option<&Interface>, paths: &[String]) -> String {
    let mut xml = format!("{DOCTYPE}<node>\n");
    if let Some(own) = own {
        xml.push_str(STANDARD);
        xml.push_str(&own.description());
    }
    for child in children(path, paths) {
        let _ = writeln!(xml, "  <node name=\"{child}\"/>");
    }
    xml.push_str("</node>\n");
    xml
}

/// The next parts of the `paths` that go on from `path`, each once.
fn children<'a>(path: &str, paths: &'a [String]) -> Vec<&'a str> {
    let prefix = path.trim_end_matches('/');
    let below = |whole: &'a String| {
        let (child, _) = match whole.strip_prefix(prefix)?.strip_prefix('/')? {
            "" => return None,
            rest => rest.split_once('/').unwrap_or((rest, "")),
        };
        Some(child)
    };
    let mut found: Vec<&str> = paths.iter().filter_map(below).collect();
    found.sort_unstable();
    found.dedup();
    found
}
