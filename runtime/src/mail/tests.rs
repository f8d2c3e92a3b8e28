//! A mail is delivered to a server on loopback that plays its part line by line.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::*;

fn envelope(server: SocketAddr) -> Envelope {
    Envelope {
        server,
        from: "lb1@example.com".to_owned(),
        helo: "lb1".to_owned(),
        router: "lb1".to_owned(),
        to: vec!["ops@example.com".to_owned()],
        patience: Duration::from_secs(5),
    }
}

fn alert(about: &str, event: &'static str) -> Alert {
    Alert { about: about.to_owned(), event, body: "body".to_owned() }
}

fn serve_until_over(mailer: &mut Mailer, id: MailId) {
    while let Standing::Until(deadline) = mailer.serve(id, Instant::now()) {
        let descriptor = mailer.descriptor(id).unwrap();
        let mut polled = [PollFd::new(descriptor, PollFlags::POLLIN)];
        let left = deadline.saturating_duration_since(Instant::now());
        poll(&mut polled, PollTimeout::try_from(left).unwrap()).unwrap();
    }
    mailer.forget(id);
}

#[test]
fn a_mail_reaches_the_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        let mut heard = vec![];
        stream.write_all(b"220 here\r\n").unwrap();
        while let Some(Ok(line)) = lines.next() {
            let reply: &[u8] = match line.as_str() {
                "DATA" => b"354 go\r\n",
                "QUIT" => b"221 bye\r\n",
                _ => b"250 ok\r\n",
            };
            let data = line == "DATA";
            heard.push(line);
            stream.write_all(reply).unwrap();
            if data {
                heard.extend(lines.by_ref().map(Result::unwrap).take_while(|line| line != "."));
                stream.write_all(b"250 taken\r\n").unwrap();
            }
        }
        heard
    });
    let mut mailer = Mailer::default();
    mailer.post(&envelope(address), alert("VRRP Instance a", "Stopping"));
    let id = mailer.start(Instant::now()).unwrap();
    serve_until_over(&mut mailer, id);
    assert!(mailer.is_idle());
    let heard = server.join().unwrap();
    assert_eq!(
        heard[..4],
        ["HELO lb1", "MAIL FROM:<lb1@example.com>", "RCPT TO:<ops@example.com>", "DATA"]
    );
    assert!(
        heard.contains(&"Subject: [lb1] VRRP Instance a - Stopping".to_owned())
            && heard.contains(&"body".to_owned())
    );
    assert_eq!(heard.last().unwrap(), "QUIT");
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut mailer = Mailer::default();
    let patience = Duration::from_millis(50);
    let envelope = Envelope { patience, ..envelope(listener.local_addr().unwrap()) };
    let begin = Instant::now();
    mailer.post(&envelope, alert("VRRP Instance a", "Stopping"));
    let id = mailer.start(begin).unwrap();
    serve_until_over(&mut mailer, id);
    // Once for the greeting, once for the answer to the good-bye.
    assert!(begin.elapsed() >= patience * 2);
}

#[test]
fn alerts_about_one_thing_go_one_after_the_other() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let envelope = envelope(listener.local_addr().unwrap());
    let mut mailer = Mailer::default();
    let now = Instant::now();
    for (about, event) in [("a", "1"), ("a", "2"), ("b", "1"), ("a", "3")] {
        mailer.post(&envelope, alert(about, event));
    }
    let about = |mailer: &Mailer, id: MailId| {
        let conversation = &mailer.conversations[&id];
        (conversation.about.clone(), conversation.dialogue.says("BODY"))
    };
    let first = mailer.start(now).unwrap();
    let other = mailer.start(now).unwrap();
    assert_eq!(mailer.start(now), None);
    assert_eq!((about(&mailer, first).0, about(&mailer, other).0), ("a".into(), "b".into()));
    assert!(about(&mailer, first).1.contains(" a - 1\r\n"));
    mailer.forget(first);
    let second = mailer.start(now).unwrap();
    assert!(about(&mailer, second).1.contains(" a - 2\r\n"));
    assert!(!mailer.is_idle());
}

#[test]
fn what_nobody_takes_is_dropped_in_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let envelope = envelope(listener.local_addr().unwrap());
    let mut mailer = Mailer::default();
    for number in 0..=WAITING {
        mailer.post(&envelope, alert(&number.to_string(), "1"));
    }
    assert_eq!((mailer.waiting.len(), mailer.dropped), (WAITING, 1));
    let started = std::iter::from_fn(|| mailer.start(Instant::now())).count();
    assert_eq!((started, mailer.dropped), (CONVERSATIONS, 0));
}

#[test]
fn without_server_or_recipient_there_is_no_mail() {
    assert_eq!(Envelope::new(&Mail::default()), None);
    let server = Some(([127, 0, 0, 1], 25).into());
    assert_eq!(Envelope::new(&Mail { server, ..Mail::default() }), None);
    let to = vec!["ops@example.com".to_owned()];
    let envelope =
        Envelope::new(&Mail { server, to, machine: Some("lb1".into()), ..Mail::default() })
            .unwrap();
    assert!(envelope.from.ends_with("@lb1") && envelope.helo == "lb1" && envelope.router == "lb1");
}
