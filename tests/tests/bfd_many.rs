//! Hundreds of BFD sessions at once.

use std::collections::HashMap;
use std::net::IpAddr;

use lab::{Binary, Capture, Control, Mark, PATIENCE, Wire};

const SESSIONS: usize = 400;
const UP: u8 = 3;
/// So many packets of each while it is up: two detection times.
const ENOUGH: u32 = 10;

/// Not by the log: so many lines at once are too much for it on a busy machine.
#[test]
fn hundreds_of_sessions_come_up_once_and_stay_up() {
    let wire = Wire::new(SESSIONS);
    let captures = wire.nodes().each_ref().map(|node| Capture::start(node, None));
    let _daemons = [0, 1].map(|side| wire.start(side, &Binary::under_test(), 100, ""));
    for capture in &captures {
        let mut up: HashMap<IpAddr, u32> = HashMap::new();
        let (mut settled, mut fell) = (0, vec![]);
        capture.frames().wait(Mark::default(), 3 * PATIENCE, |captured| {
            let said = Control::read(&captured.frame.bytes)?;
            if said.state == UP {
                let count = up.entry(said.source).or_default();
                *count += 1;
                settled += usize::from(*count == ENOUGH);
            } else if up.contains_key(&said.source) {
                fell.push(said.source);
            }
            (settled == SESSIONS).then_some(())
        });
        assert_eq!((up.len(), settled, fell), (SESSIONS, SESSIONS, vec![]));
    }
}
