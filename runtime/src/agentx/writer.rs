//! The pieces of a PDU as they are written (RFC 2741 §5), in network byte order.

use super::oid::Oid;
use super::pdu::{SearchRange, Value, VarBind};

pub(super) fn octets(octets: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(octets.len()).unwrap_or(u32::MAX);
    out.extend(length.to_be_bytes());
    out.extend(octets);
    let padded = out.len() + (octets.len().next_multiple_of(4) - octets.len());
    out.resize(padded, 0);
}

pub(super) fn oid(oid: &Oid, inclusive: bool, out: &mut Vec<u8>) {
    let (prefix, numbers) = match oid.0.as_slice() {
        [1, 3, 6, 1, next, rest @ ..] => match u8::try_from(*next) {
            Ok(prefix @ 1..) => (prefix, rest),
            Ok(0) | Err(_) => (0, oid.0.as_slice()),
        },
        all => (0, all),
    };
    let numbers = numbers.get(..Oid::MAX).unwrap_or(numbers);
    let count = u8::try_from(numbers.len()).unwrap_or(u8::MAX);
    out.extend([count, prefix, u8::from(inclusive), 0]);
    numbers.iter().for_each(|number| out.extend(number.to_be_bytes()));
}

pub(super) fn range(range: &SearchRange, out: &mut Vec<u8>) {
    oid(&range.start, range.inclusive, out);
    oid(&range.end, false, out);
}

pub(super) fn var_bind(bind: &VarBind, out: &mut Vec<u8>) {
    out.extend(kind(&bind.value).to_be_bytes());
    out.extend([0; 2]);
    oid(&bind.name, false, out);
    match &bind.value {
        Value::Integer(value) => out.extend(value.to_be_bytes()),
        Value::Octets(value) | Value::Opaque(value) => octets(value, out),
        Value::Oid(value) => oid(value, false, out),
        Value::IpAddress(value) => octets(value, out),
        Value::Counter32(value) | Value::Gauge(value) | Value::TimeTicks(value) => {
            out.extend(value.to_be_bytes());
        }
        Value::Counter64(value) => out.extend(value.to_be_bytes()),
        Value::Null | Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView => {}
    }
}

fn kind(value: &Value) -> u16 {
    match value {
        Value::Integer(_) => 2,
        Value::Octets(_) => 4,
        Value::Null => 5,
        Value::Oid(_) => 6,
        Value::IpAddress(_) => 64,
        Value::Counter32(_) => 65,
        Value::Gauge(_) => 66,
        Value::TimeTicks(_) => 67,
        Value::Opaque(_) => 68,
        Value::Counter64(_) => 70,
        Value::NoSuchObject => 128,
        Value::NoSuchInstance => 129,
        Value::EndOfMibView => 130,
    }
}
