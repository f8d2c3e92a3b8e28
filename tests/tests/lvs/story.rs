//! What happens in a story.

use std::net::{IpAddr, SocketAddr};

use lab::{Script, Service};

/// A configuration, and what happens to the director that has it.
#[derive(Debug)]
pub(crate) struct Story {
    /// What it is called.
    pub(crate) name: String,
    /// Whether the C daemon cannot play it.
    pub(crate) ours: bool,
    /// What is looked at besides the table of virtual servers.
    pub(crate) looks: Vec<Look>,
    /// What happens, one after the other.
    pub(crate) steps: Vec<Step>,
    script: Script,
}

/// Something to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Thresholds of connections.
    Thresholds,
    /// Timeouts.
    Timeouts,
    /// Synchronisation daemons.
    Daemons,
    /// Maps of nftables.
    Maps,
    /// Mails.
    Mails,
    /// What is written to the FIFO for all, `$DIR/general`.
    General,
}

/// Something happens.
#[derive(Debug)]
pub(crate) struct Step {
    /// As it is written.
    pub(crate) text: String,
    /// What happens.
    pub(crate) event: Event,
    /// Whether the order of what follows is chance: several checks find something out at once.
    pub(crate) unordered: bool,
}

/// Something that can happen.
#[derive(Debug)]
pub(crate) enum Event {
    /// The daemon starts, with these options more.
    Start(Vec<String>),
    /// It is asked to stop.
    Stop,
    /// The checker is killed; its parent starts another one.
    KillChecker,
    /// All of its processes are killed.
    Kill,
    /// It reads another configuration.
    Reload(String),
    /// A file gets another content.
    Write(String, String),
    /// `ipvsadm` is run, by somebody else.
    Ipvs(Vec<String>),
    /// Lines of `ip -batch` are run.
    Ip(String),
    /// A server starts.
    Serve(SocketAddr, Service),
    /// A server goes.
    Quit(SocketAddr),
    /// A server of pages, with TLS as well, says this from now on; or it goes.
    Page(IpAddr, Option<String>),
    /// The other end of BFD sessions comes, or goes without a word.
    Neighbour(bool),
    /// Some seconds pass.
    Wait(u64),
}

impl Story {
    /// Reads a story.
    ///
    /// # Panics
    ///
    /// If it is not written as it should be.
    pub(crate) fn parse(name: &str, text: &str) -> Self {
        let script = Script::parse(text);
        let (mut ours, mut looks) = (false, Vec::new());
        for line in &script.settings {
            match line.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                ["ours"] => ours = true,
                ["look", ref words @ ..] => looks = words.iter().map(|word| look(word)).collect(),
                _ => panic!("{name}: not understood: {line:?}"),
            }
        }
        let steps = script.events.iter().map(|line| Step::parse(line)).collect();
        Self { name: name.to_owned(), ours, looks, steps, script }
    }

    /// The configuration called `name`.
    pub(crate) fn config(&self, name: &str) -> &str {
        self.script.config(name)
    }
}

fn look(word: &str) -> Look {
    match word {
        "thresholds" => Look::Thresholds,
        "timeouts" => Look::Timeouts,
        "daemons" => Look::Daemons,
        "maps" => Look::Maps,
        "mails" => Look::Mails,
        "general" => Look::General,
        _ => panic!("nothing to be looked at: {word}"),
    }
}

impl Step {
    /// `[*] EVENT [ARGUMENT…]`: with the star the order of what follows is chance.
    fn parse(text: &str) -> Self {
        let (unordered, body) = match text.strip_prefix("* ") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (verb, rest) = body.split_once(' ').unwrap_or((body, ""));
        let rest = rest.trim();
        let words = || rest.split_whitespace().map(str::to_owned).collect::<Vec<String>>();
        let event = match (verb, rest) {
            ("start", _) => Event::Start(words()),
            ("stop", "") => Event::Stop,
            ("kill", "checker") => Event::KillChecker,
            ("kill", "all") => Event::Kill,
            ("reload", name) => Event::Reload(name.to_owned()),
            ("write", _) => {
                let (file, content) = rest.split_once(' ').expect("a file and its content");
                Event::Write(file.to_owned(), content.to_owned())
            }
            ("ipvs", _) => Event::Ipvs(words()),
            ("ip", _) => Event::Ip(rest.replace(';', "\n") + "\n"),
            ("serve", _) => serve(rest),
            ("quit", address) => Event::Quit(address.parse().expect("an address")),
            ("page", _) => {
                let (address, page) = match rest.split_once(' ') {
                    Some((address, page)) => (address, Some(page.to_owned())),
                    None => (rest, None),
                };
                Event::Page(address.parse().expect("an address"), page)
            }
            ("neighbour", "comes") => Event::Neighbour(true),
            ("neighbour", "goes") => Event::Neighbour(false),
            ("wait", seconds) => Event::Wait(seconds.parse().expect("a number of seconds")),
            _ => panic!("not understood: {text}"),
        };
        Self { text: text.to_owned(), event, unordered }
    }
}

/// `ADDRESS:PORT KIND [ARGUMENT…]`
fn serve(text: &str) -> Event {
    let words: Vec<&str> = text.splitn(4, ' ').collect();
    let [address, kind, ref rest @ ..] = words[..] else { panic!("not understood: serve {text}") };
    let service = match (kind, rest) {
        ("accept", []) => Service::Accept,
        ("silent", []) => Service::Silent,
        ("http", [status]) => Service::page(&format!("{status} fine"), ""),
        ("http", [status, body]) => Service::page(&format!("{status} fine"), body),
        ("smtp", ["unavailable"]) => Service::Smtp(false),
        ("smtp", []) => Service::Smtp(true),
        ("dns", [code]) => Service::Dns(code.parse().expect("a code")),
        ("udp", []) => Service::Udp(None),
        ("udp", [answer]) => Service::Udp(Some(answer.as_bytes().to_vec())),
        _ => panic!("not understood: serve {text}"),
    };
    Event::Serve(address.parse().expect("an address"), service)
}
