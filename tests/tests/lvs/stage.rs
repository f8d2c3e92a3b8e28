//! Where a story is played: a director, on which all real servers live as well.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use lab::{
    Backend, Binary, Daemon, Listener, LogLine, MailServer, Mark, Namespace, Nginx, Scratch,
    Timeline, Transcript,
};

use crate::record::Seen;
use crate::story::{Event, Look, Step, Story};

/// How long nothing new is waited for when a record is made.
const QUIET: Duration = Duration::from_secs(4);

/// How long nothing more must come after what was expected.
const PAUSE: Duration = Duration::from_millis(700);

/// The virtual machine is slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// Settings that all stories share. `$DIR` is the directory of the story.
const COMMON: &str = "global_defs {
    router_id lab
    script_user root
    lvs_notify_fifo $DIR/fifo
    max_auto_priority -1
}
";

/// Settings of stories with mails. `$MAIL` is the port of the server.
const MAIL: &str = "global_defs {
    notification_email {
        ops@example.com
    }
    notification_email_from lab@example.com
    smtp_server 127.0.0.1 $MAIL
}
";

/// Interfaces and addresses: whoever is asked at 192.168.50.200 and above does not answer.
const NETWORK: &str = "link add d0 type dummy
link set d0 up
addr add 192.168.50.1/24 dev d0
addr add fd00:50::1/64 dev d0 nodad
";

/// What is added where there are sessions: the way to the other end, which is on the machine `$FAR`.
const CABLE: &str = "link add b0 type veth peer name b1 netns $FAR
link set b0 up
addr add 10.9.0.1/24 dev b0
";

/// The other end of sessions.
const NEIGHBOUR: &str = "bfd_instance far {
    source_ip 10.9.0.2
    neighbor_ip 10.9.0.1
    min_rx 700
    min_tx 700
    multiplier 5
}
";

/// Notes what it is called with.
const NOTIFY: &str = "#!/bin/sh\necho \"$@\" >>$DIR/notified\n";

/// Ends with the status that is in the file of this name, or not in time.
const EXIT: &str = "#!/bin/sh\nread -r status <$DIR/$1\n[ \"$status\" = sleep ] && exec sleep 60\nexit \"$status\"\n";

/// A director.
pub(crate) struct Stage {
    backends: Vec<Backend>,
    binary: Binary,
    daemon: Option<Daemon>,
    /// What is gone of a daemon that has ended.
    log: Timeline<LogLine>,
    listener: Listener,
    /// At the FIFO for all, where that is looked at.
    general: Option<Listener>,
    mails: Option<MailServer>,
    neighbour: Option<Daemon>,
    pages: Vec<(IpAddr, Nginx)>,
    /// Where the neighbour lives, where there is one at times.
    far: Option<Namespace>,
    namespace: Namespace,
    directory: Scratch,
}

/// Where a step begins.
#[derive(Clone, Copy)]
struct Marks {
    log: Mark,
    told: Mark,
    general: Mark,
    notified: usize,
    mails: Mark,
}

impl Stage {
    /// A director that does nothing yet.
    pub(crate) fn new(binary: Binary, story: &Story) -> Self {
        let namespace = Namespace::new();
        let mut lines = NETWORK.to_owned();
        for number in 2..10 {
            lines += &format!("addr add 192.168.50.{number}/24 dev d0\n");
            lines += &format!("addr add fd00:50::{number}/64 dev d0 nodad\n");
        }
        namespace.ip(&lines);
        let meets = |step: &Step| matches!(step.event, Event::Neighbour(_));
        let far = story.steps.iter().any(meets).then(|| {
            let far = Namespace::new();
            namespace.ip(&CABLE.replace("$FAR", far.name()));
            far.ip("link set b1 up\naddr add 10.9.0.2/24 dev b1\n");
            far
        });
        let directory = Scratch::new();
        let path = directory.path().display().to_string();
        for (name, text) in [("notify", NOTIFY), ("exit", EXIT)] {
            let script = directory.write(name, &text.replace("$DIR", &path));
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(script, mode).expect("the directory is ours");
        }
        directory.write("notified", "");
        let listener = Listener::new(directory.path());
        let is_general = story.looks.contains(&Look::General);
        let general = is_general.then(|| Listener::named(directory.path(), "general"));
        let mails = story.looks.contains(&Look::Mails).then(|| MailServer::agreeing(&namespace));
        let log = Timeline::default();
        Self {
            backends: Vec::new(),
            binary,
            daemon: None,
            log,
            listener,
            general,
            mails,
            neighbour: None,
            pages: Vec::new(),
            far,
            namespace,
            directory,
        }
    }

    /// Plays the story. What is seen is as `expected`, where that is known, or else the message says how it is not.
    pub(crate) fn play(
        mut self,
        story: &Story,
        expected: Option<&Transcript>,
    ) -> Result<Transcript, String> {
        let mut transcript = Transcript::default();
        for (number, step) in story.steps.iter().enumerate() {
            let expected = match expected.map(|transcript| transcript.0.get(number)) {
                None => None,
                Some(None) => return Err(format!("{}: {} has no record", story.name, step.text)),
                Some(Some(scene)) => Some(Seen::recorded(scene)),
            };
            let mut marks = self.marks();
            self.happen(step, story, &mut marks);
            let seen = match &expected {
                Some(expected) => self.await_as_expected(step, story, marks, expected),
                None => self.await_quiet(step, story, marks),
            };
            let scene = seen.scene();
            if let Some(expected) = expected.filter(|expected| *expected != seen) {
                return Err(format!(
                    "{}: expected:\n{}\nseen:\n{scene}\nlog:\n{}",
                    story.name,
                    expected.scene(),
                    self.log
                        .all()
                        .iter()
                        .map(|line| format!("  {}\n", line.text))
                        .collect::<String>()
                ));
            }
            transcript.0.push(scene);
        }
        Ok(transcript)
    }

    /// What the daemon has said, also when it is gone.
    fn log(&self) -> &Timeline<LogLine> {
        self.daemon.as_ref().map_or(&self.log, Daemon::log)
    }

    fn marks(&self) -> Marks {
        Marks {
            log: self.log().mark(),
            told: self.listener.told().mark(),
            general: self.general.as_ref().map_or_else(Mark::default, |one| one.told().mark()),
            notified: self.notified().len(),
            mails: self.mails.as_ref().map_or_else(Mark::default, |mails| mails.sessions().mark()),
        }
    }

    fn config(&self, text: &str) -> String {
        let mail = self.mails.as_ref();
        let port = mail.map_or_else(String::new, |mails| mails.port().to_string());
        let common = COMMON.to_owned() + mail.map_or("", |_| MAIL);
        (common + text).replace("$DIR", &self.path()).replace("$MAIL", &port)
    }

    fn path(&self) -> String {
        self.directory.path().display().to_string()
    }

    fn happen(&mut self, step: &Step, story: &Story, marks: &mut Marks) {
        match &step.event {
            Event::Start(options) => {
                let config = self.config(story.config("main"));
                let options: Vec<&str> = options.iter().map(String::as_str).collect();
                let daemon = Daemon::start_with(&self.binary, &self.namespace, &config, &options);
                self.log = daemon.log().clone();
                marks.log = Mark::default();
                self.daemon = Some(daemon);
            }
            Event::Stop => {
                let daemon = self.daemon.as_mut().expect("it runs");
                daemon.process().signal(nix::sys::signal::Signal::SIGTERM);
                let ended = daemon.process().wait(PATIENCE);
                assert!(ended, "{}: it does not end:\n{}", story.name, daemon.log_text());
                self.daemon = None;
            }
            Event::KillChecker => {
                let checker = self.daemon.as_ref().and_then(Daemon::checker);
                checker.expect("it runs").signal(nix::sys::signal::Signal::SIGKILL);
            }
            Event::Kill => self.daemon = None,
            Event::Reload(name) => {
                let config = self.config(story.config(name));
                self.daemon.as_ref().expect("it runs").reload(&config);
            }
            Event::Write(file, content) => {
                self.directory.write(file, &format!("{content}\n"));
            }
            Event::Ipvs(arguments) => {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                self.ask("ipvsadm", &arguments);
            }
            Event::Ip(batch) => self.namespace.ip(batch),
            Event::Serve(address, service) => {
                let mut others = self.backends.iter().filter(|one| one.address() == *address);
                if others.any(|backend| backend.become_another(service)) {
                    return;
                }
                self.backends.retain(|backend| backend.address() != *address);
                let backend = Backend::start(&self.namespace, *address, service.clone());
                self.backends.push(backend);
            }
            Event::Quit(address) => self.backends.retain(|backend| backend.address() != *address),
            Event::Page(address, page) => self.show(*address, page.as_deref()),
            Event::Neighbour(comes) => {
                // Who is killed takes no leave.
                self.neighbour = self
                    .far
                    .as_ref()
                    .filter(|_| *comes)
                    .map(|far| Daemon::start(&self.binary, far, NEIGHBOUR));
            }
            Event::Wait(_) => {}
        }
    }

    /// The server of pages at `address` shows this one, or is gone.
    fn show(&mut self, address: IpAddr, page: Option<&str>) {
        let known = self.pages.iter().position(|(known, _)| *known == address);
        match (known, page) {
            (Some(place), Some(page)) => self.pages[place].1.set_page(page),
            (Some(place), None) => drop(self.pages.remove(place)),
            (None, page) => {
                let nginx = Nginx::start(&self.namespace, address, page.unwrap_or_default());
                self.pages.push((address, nginx));
            }
        }
    }

    /// Waits until nothing new happens any more.
    fn await_quiet(&self, step: &Step, story: &Story, marks: Marks) -> Seen {
        let quiet = match step.event {
            Event::Wait(seconds) => Duration::from_secs(seconds),
            _ => QUIET,
        };
        if matches!(step.event, Event::Start(_) | Event::Reload(_) | Event::KillChecker) {
            let ready = |line: &LogLine| line.text.starts_with(READY).then_some(());
            let _ = self.log().wait(marks.log, PATIENCE, ready);
        }
        let mut seen = self.see(step, story, marks);
        loop {
            thread::sleep(quiet);
            let now = self.see(step, story, marks);
            if now == seen || matches!(step.event, Event::Wait(_)) {
                return now;
            }
            seen = now;
        }
    }

    /// Waits until all is as expected, and a little longer, lest more comes.
    fn await_as_expected(&self, step: &Step, story: &Story, marks: Marks, expected: &Seen) -> Seen {
        let began = Instant::now();
        // The table is looked at last: a program that reads it is dear on the virtual machine.
        while !self.hear(step, marks).is_told(expected) && began.elapsed() < PATIENCE {
            thread::sleep(PAUSE / 7);
        }
        let pause = match step.event {
            Event::Wait(seconds) => Duration::from_secs(seconds).saturating_sub(began.elapsed()),
            Event::Serve(..) | Event::Write(..) if !matters(expected) => PAUSE / 7,
            _ => PAUSE,
        };
        thread::sleep(pause);
        let mut seen = self.see(step, story, marks);
        while seen.table != expected.table && began.elapsed() < PATIENCE {
            // The kernel tells nobody of changes to its table.
            thread::sleep(PAUSE);
            seen = self.see(step, story, marks);
        }
        seen
    }

    fn see(&self, step: &Step, story: &Story, marks: Marks) -> Seen {
        Seen { table: self.table(story), ..self.hear(step, marks) }
    }

    /// What was said since `marks`.
    fn hear(&self, step: &Step, marks: Marks) -> Seen {
        let path = self.path();
        let lines = self.log().since(marks.log);
        let own = self.daemon.as_ref().map(|daemon| daemon.directory().display().to_string());
        let lines = lines.iter().filter_map(|line| {
            let text = own.as_ref().map_or(line.text.clone(), |own| line.text.replace(own, "$ETC"));
            log_line(&text, &path)
        });
        let mut seen = Seen {
            event: step.text.clone(),
            log: lines.collect(),
            told: self.told(marks),
            notified: self.notified().split_off(marks.notified),
            table: Vec::new(),
        };
        if let Some(mails) = &self.mails {
            let sessions = mails.sessions().since(marks.mails);
            seen.notified.extend(sessions.iter().map(|session| {
                let (_, body) = session.heard.split_once("\r\n\r\n").unwrap_or_default();
                let body = body.split("\r\n\r\n").next().unwrap_or_default();
                format!("mail {}: {body}", session.subject())
            }));
        }
        seen.notified.sort();
        // The parent says it while the child goes on.
        seen.log.sort_by_key(|line| line != STARTED);
        if step.unordered {
            seen.log.sort();
            seen.told.sort();
        }
        seen
    }

    /// What listeners were told; a NUL would not be seen.
    fn told(&self, marks: Marks) -> Vec<String> {
        let mut lines = self.listener.told().since(marks.told);
        if let Some(general) = &self.general {
            let more = general.told().since(marks.general);
            lines.extend(more.iter().map(|line| format!("general: {line}")));
        }
        lines.iter().map(|line| line.replace('\0', "NUL ")).collect()
    }

    fn notified(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.path().join("notified")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn table(&self, story: &Story) -> Vec<String> {
        let mut lines = self.ask("ipvsadm", &["-Sn"]);
        for look in &story.looks {
            lines.extend(match look {
                Look::Thresholds => {
                    let mut lines = self.ask("ipvsadm", &["-Ln", "--thresholds"]);
                    lines.retain(|line| line.trim_start().starts_with("->"));
                    lines.split_off(lines.len().min(1))
                }
                Look::Timeouts => self.ask("ipvsadm", &["-L", "--timeout"]),
                Look::Daemons => self.ask("ipvsadm", &["-L", "--daemon"]),
                Look::Maps => self.ask("nft", &["list", "ruleset"]),
                Look::Mails | Look::General => Vec::new(),
            });
        }
        lines
    }

    /// What `program` prints, in lines without blanks at their ends.
    fn ask(&self, program: &str, arguments: &[&str]) -> Vec<String> {
        let output = self.namespace.enter(|| Command::new(program).args(arguments).output());
        let output = output.expect("it is installed");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {}: {complaint}", arguments.join(" "));
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines().map(|line| line.trim_end().to_owned()).collect()
    }
}

/// Whether more than the table is expected.
fn matters(seen: &Seen) -> bool {
    !(seen.log.is_empty() && seen.told.is_empty() && seen.notified.is_empty())
}

/// What the parent says when its children have started.
const STARTED: &str = "Startup complete";

/// What the checker says last when it starts, and after a reload.
const READY: &str = "Activating BFD healthchecker";

impl Drop for Stage {
    fn drop(&mut self) {
        // Before those who listen to it.
        self.daemon = None;
    }
}

/// A line of the log as it is compared; `None` for what depends on the machine, or is about starting and ending processes.
fn log_line(line: &str, directory: &str) -> Option<String> {
    const APART: [&str; 33] = [
        "A thread timer expired",
        "Child (PID ",
        "SMTP alert successfully sent.",
        "Starting Keepalived",
        "Running on Linux",
        "WARNING - keepalived was built",
        "Command line:",
        "              '",
        "Configuration file",
        "Opening file",
        "Starting Healthcheck child",
        "Starting BFD child",
        "(near) ",
        "(nobody) ",
        "       ",
        "Received BFD event",
        "Healthcheck child process",
        "Registering Kernel",
        "SECURITY VIOLATION",
        "Stopped - used",
        "Stopping",
        "Stopped Keepalived",
        "CPU usage",
        "Reloading",
        "Reload complete",
        "Reload finished",
        "pid ",
        "Remote SMTP server",
        "  Please log an issue",
        "  Please report it to",
        "  and include a full copy",
        "  copies of the",
        "read eventfd count",
    ];
    // Which page is fetched first, and so found good, depends on whose turn it was.
    if line.contains(" success to [") && line.contains(" url(") {
        return None;
    }
    if line.is_empty() || APART.iter().any(|beginning| line.starts_with(beginning)) {
        // What checks say of mail servers is not about mails.
        return line
            .starts_with("Remote SMTP server [192.")
            .then(|| line.replace(directory, "$DIR"));
    }
    Some(line.replace(directory, "$DIR"))
}
