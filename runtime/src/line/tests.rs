use std::convert::Infallible;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use super::*;

#[test]
fn both_sides_talk_until_one_hangs_up() {
    let directory = std::env::temp_dir().join(format!("line-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let now = Instant::now();
    let mut line = Line::new(Echo::default(), Target::Path(path), now);
    serve(&mut line, now).unwrap();
    let (mut other, _): (UnixStream, _) = listener.accept().unwrap();
    let mut heard = [0; 5];
    other.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"hello");
    other.write_all(b"again").unwrap();
    serve(&mut line, now).unwrap();
    other.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"again");
    drop(other);
    assert!(serve(&mut line, now).is_err());
    assert!(!line.is_up() && line.talk.is_over);
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn who_asks_all_the_time_is_heard_for_a_part_of_it() {
    let directory = std::env::temp_dir().join(format!("line-rest-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let now = Instant::now();
    let talk = Echo { slow: TURN, ..Echo::default() };
    let mut line = Line::new(talk, Target::Path(path), now);
    serve(&mut line, now).unwrap();
    let (mut other, _) = listener.accept().unwrap();
    other.set_nonblocking(true).unwrap();
    let mut heard = [0; 5];
    let mut hears = || other.write_all(b"again").and_then(|()| other.read_exact(&mut heard));
    hears().unwrap();
    // It takes a whole turn to answer what was sent.
    serve(&mut line, now).unwrap();
    let until = line.rest().expect("it was a whole turn");
    hears().unwrap();
    serve(&mut line, until - REST).unwrap();
    assert!(hears().is_err(), "nothing was read");
    serve(&mut line, until).unwrap();
    hears().unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
}

fn serve(line: &mut Line<Echo>, now: Instant) -> io::Result<()> {
    line.serve(&mut (), now, &mut Vec::new())
}

/// Says hello, and then whatever it is told.
#[derive(Default)]
struct Echo {
    /// How long it takes to answer.
    slow: Duration,
    unsent: Vec<u8>,
    is_over: bool,
}

impl Talk for Echo {
    type Loss = Infallible;
    type News = ();

    fn begin(&mut self, _: Instant) {
        self.unsent.extend_from_slice(b"hello");
    }

    fn end(&mut self) {
        self.is_over = true;
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn due(&mut self, _: Instant) -> Result<(), Infallible> {
        Ok(())
    }

    fn unsent(&mut self) -> &mut Vec<u8> {
        &mut self.unsent
    }

    fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    fn is_full(&self) -> bool {
        false
    }
}

impl TalkOf<()> for Echo {
    fn receive(
        &mut self,
        data: &[u8],
        (): &mut (),
        _: Instant,
        _: &mut Vec<()>,
    ) -> Result<usize, Infallible> {
        if !data.is_empty() {
            let end = Instant::now() + self.slow;
            while Instant::now() < end {}
        }
        self.unsent.extend_from_slice(data);
        Ok(data.len())
    }
}
