//! What every object answers: introspection, properties, and whether it is there. The rest is for the object itself.

use super::interface::{Interface, describe};
use super::message::Message;
use super::session::Ticket;
use super::value::Value;
use super::{Answer, Failure, Objects};

const INTROSPECTABLE: &str = "org.freedesktop.DBus.Introspectable";
const PEER: &str = "org.freedesktop.DBus.Peer";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// What comes of a call; `None` where it is answered later.
pub(super) fn answer(
    call: &Message,
    ticket: Ticket,
    machine: Option<&str>,
    objects: &mut impl Objects,
) -> Option<Result<Vec<Value>, Failure>> {
    let path = call.path.as_str();
    let own = objects.interface(path);
    Some(match (called(call, own), call.member.as_str()) {
        (PEER, "Ping") => Ok(Vec::new()),
        (PEER, "GetMachineId") => machine_id(machine),
        (INTROSPECTABLE, "Introspect") => {
            Ok(vec![Value::Text(describe(path, own, &objects.paths()))])
        }
        (PROPERTIES, "Get" | "GetAll" | "Set") => match own {
            Some(own) => property(call, own, objects),
            None => Err(no_object(path)),
        },
        (name, member) => match own {
            None => Err(no_object(path)),
            Some(own) if own.name == name && own.methods.contains(&member) => {
                if !call.signature.is_empty() {
                    let text = format!("'{member}' takes no arguments");
                    return Some(Err(Failure::invalid(text)));
                }
                match objects.call(path, member, ticket) {
                    Answer::Done => Ok(Vec::new()),
                    Answer::Later => return None,
                    Answer::Failed(failure) => Err(failure),
                }
            }
            Some(_) => Err(no_method(name, member)),
        },
    })
}

/// The interface that is meant. A call need not name one.
fn called<'a>(call: &'a Message, own: Option<&'static Interface>) -> &'a str {
    match (call.interface.as_str(), call.member.as_str()) {
        ("", "Introspect") => INTROSPECTABLE,
        ("", "Ping" | "GetMachineId") => PEER,
        ("", "Get" | "GetAll" | "Set") => PROPERTIES,
        ("", _) => own.map_or("", |own| own.name),
        (name, _) => name,
    }
}

fn no_object(path: &str) -> Failure {
    Failure::unknown(format!("there is no object at '{path}'"))
}

fn no_method(interface: &str, member: &str) -> Failure {
    Failure::unknown(format!("interface '{interface}' has no method '{member}'"))
}

fn machine_id(machine: Option<&str>) -> Result<Vec<Value>, Failure> {
    let failure = || Failure {
        name: "org.freedesktop.DBus.Error.Failed",
        text: "the machine has no id".to_owned(),
    };
    machine.map(|id| vec![Value::text(id)]).ok_or_else(failure)
}

fn property(
    call: &Message,
    own: &Interface,
    objects: &impl Objects,
) -> Result<Vec<Value>, Failure> {
    let bad_arguments = || Failure::invalid(format!("bad arguments for '{}'", call.member));
    let no_interface = |name: &str| Failure::invalid(format!("there is no interface '{name}'"));
    if call.member == "GetAll" {
        let [interface] =
            call.texts().filter(|_| call.signature == "s").ok_or_else(bad_arguments)?;
        if interface != own.name {
            return Err(no_interface(interface));
        }
        let read = |name| Some((name, objects.property(&call.path, name)?));
        let values = own.properties.iter().filter_map(|property| read(property.name));
        return Ok(vec![Value::Named(values.collect())]);
    }
    let wanted = if call.member == "Set" { "ssv" } else { "ss" };
    let names = call.texts().filter(|_| call.signature == wanted);
    let [interface, name] = names.ok_or_else(bad_arguments)?;
    if interface != own.name {
        return Err(no_interface(interface));
    }
    let no_property = || Failure::invalid(format!("there is no property '{name}'"));
    let known = own.properties.iter().any(|property| property.name == name);
    let value = objects.property(&call.path, name).filter(|_| known).ok_or_else(no_property)?;
    if call.member == "Set" {
        return Err(Failure::invalid(format!("the property '{name}' cannot be changed")));
    }
    Ok(vec![Value::Variant(Box::new(value))])
}
