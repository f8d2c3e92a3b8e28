//! PDUs as octets.

use proptest::prelude::*;

use super::*;
use crate::agentx::pdu::BadPdu;

/// `snmpwalk` of net-snmp asks for the first object of a table: AgentX, version 1, GetNext, network byte order.
const GET_NEXT: &[u8] = &[
    1, 6, 0x10, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 36, // header
    3, 4, 1, 0, 0, 0, 0x25, 0x72, 0, 0, 0, 100, 0, 0, 0, 5, // 1.3.6.1.4.9586.100.5, included
    4, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0x25, 0x72, 0, 0, 0, 100, 0, 0, 0, 6,
];

#[test]
fn a_request_is_read_as_rfc_2741_writes_it() {
    let header = Header { session: 7, transaction: 1, packet: 2 };
    let wanted = Pdu::GetNext(vec![range(
        &[1, 3, 6, 1, 4, 9586, 100, 5],
        true,
        &[1, 3, 6, 1, 4, 1, 9586, 100, 6],
    )]);
    assert_eq!(pdu::decode(GET_NEXT), Ok(Some((header, wanted.clone(), GET_NEXT.len()))));
    let mut written = Vec::new();
    pdu::encode(header, &wanted, &mut written);
    assert_eq!(written, GET_NEXT);
}

#[test]
fn both_byte_orders_are_understood() {
    let mut ping = Vec::new();
    let header = Header { session: 1, transaction: 2, packet: 3 };
    pdu::encode(header, &Pdu::Ping, &mut ping);
    ping[2] = 0;
    for word in ping[4..].chunks_exact_mut(4) {
        word.reverse();
    }
    assert_eq!(pdu::decode(&ping), Ok(Some((header, Pdu::Ping, 20))));
}

#[test]
fn what_is_cut_off_is_waited_for_and_what_is_too_long_is_refused() {
    for length in 0..GET_NEXT.len() {
        assert_eq!(pdu::decode(&GET_NEXT[..length]), Ok(None), "{length} octets");
    }
    let mut long = GET_NEXT.to_vec();
    long[16..20].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(pdu::decode(&long), Err(BadPdu::Length(u32::MAX)));
    let mut name = GET_NEXT.to_vec();
    name[20] = 255;
    assert_eq!(pdu::decode(&name), Err(BadPdu::Short));
    let mut version = GET_NEXT.to_vec();
    version[0] = 2;
    assert_eq!(pdu::decode(&version), Err(BadPdu::Version(2)));
}

fn any_oid() -> impl Strategy<Value = Oid> {
    let start = prop_oneof![Just(vec![]), Just(vec![1, 3, 6, 1]), Just(vec![1, 3, 6, 1, 4, 1])];
    (start, prop::collection::vec(any::<u32>(), 0..60)).prop_map(|(mut all, rest)| {
        all.extend(rest);
        Oid(all)
    })
}

fn any_value() -> impl Strategy<Value = Value> {
    let octets = prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        any::<i32>().prop_map(Value::Integer),
        octets.clone().prop_map(Value::Octets),
        Just(Value::Null),
        any_oid().prop_map(Value::Oid),
        any::<[u8; 4]>().prop_map(Value::IpAddress),
        any::<u32>().prop_map(Value::Counter32),
        any::<u32>().prop_map(Value::Gauge),
        any::<u32>().prop_map(Value::TimeTicks),
        octets.prop_map(Value::Opaque),
        any::<u64>().prop_map(Value::Counter64),
        Just(Value::NoSuchObject),
        Just(Value::NoSuchInstance),
        Just(Value::EndOfMibView),
    ]
}

fn any_ranges() -> impl Strategy<Value = Vec<SearchRange>> {
    let range = (any_oid(), any::<bool>(), any_oid())
        .prop_map(|(start, inclusive, end)| SearchRange { start, inclusive, end });
    prop::collection::vec(range, 0..6)
}

fn any_binds() -> impl Strategy<Value = Vec<VarBind>> {
    let bind = (any_oid(), any_value()).prop_map(|(name, value)| VarBind { name, value });
    prop::collection::vec(bind, 0..6)
}

fn any_pdu() -> impl Strategy<Value = Pdu> {
    let text = prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        (any::<u8>(), any_oid(), text.clone()).prop_map(|(timeout, id, description)| Pdu::Open {
            timeout,
            id,
            description
        }),
        any::<u8>().prop_map(|reason| Pdu::Close { reason }),
        (any::<u8>(), any::<u8>(), any_oid())
            .prop_map(|(timeout, priority, subtree)| Pdu::Register { timeout, priority, subtree }),
        (any::<u8>(), any_oid())
            .prop_map(|(priority, subtree)| Pdu::Unregister { priority, subtree }),
        any_ranges().prop_map(Pdu::Get),
        any_ranges().prop_map(Pdu::GetNext),
        (any::<u16>(), any::<u16>(), any_ranges()).prop_map(
            |(non_repeaters, max_repetitions, ranges)| Pdu::GetBulk {
                non_repeaters,
                max_repetitions,
                ranges
            }
        ),
        any_binds().prop_map(Pdu::TestSet),
        any_binds().prop_map(Pdu::Notify),
        Just(Pdu::CommitSet),
        Just(Pdu::UndoSet),
        Just(Pdu::CleanupSet),
        Just(Pdu::Ping),
        (any_oid(), text).prop_map(|(id, description)| Pdu::AddAgentCaps { id, description }),
        (any::<u32>(), any::<u16>(), any::<u16>(), any_binds()).prop_map(
            |(uptime, error, index, binds)| Pdu::Response { uptime, error, index, binds }
        ),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_it_was(
        pdu in any_pdu(),
        numbers in any::<[u32; 3]>(),
        more in prop::collection::vec(any::<u8>(), 0..30),
    ) {
        let [session, transaction, packet] = numbers;
        let header = Header { session, transaction, packet };
        let mut data = Vec::new();
        pdu::encode(header, &pdu, &mut data);
        let length = data.len();
        data.extend(more);
        prop_assert_eq!(pdu::decode(&data), Ok(Some((header, pdu, length))));
    }

    #[test]
    fn no_octets_are_too_strange(
        mut data in prop::collection::vec(any::<u8>(), 0..200),
        kind in 0u8..20,
    ) {
        if let Some([version, code, ..]) = data.first_chunk_mut::<20>() {
            (*version, *code) = (1, kind);
        }
        let length = u32::try_from(data.len().saturating_sub(20) / 4 * 4).unwrap();
        if let Some(place) = data.get_mut(16..20) {
            place.copy_from_slice(&length.to_be_bytes());
        }
        let _ = pdu::decode(&data);
    }
}
