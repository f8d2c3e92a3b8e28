//! Loading the configuration in a process of its own.
//!
//! The parent stays small: the tree of statements lives and dies in the loader, as would a crash over a file that nobody
//! thought of, while the daemon goes on. What comes back is sealed: a report for the parent, and for each child its part.

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use conf_parser::{Class, Diagnostics};
use log::{debug, info};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::unistd::{Pid, chdir, getppid};
use runtime::bfd_event::Present;
use runtime::global::Global;
use runtime::handover;
use runtime::process::{self, Ending, Side};
use runtime::sys::descriptor::{receive_packet, send_packet};
use serde::{Deserialize, Serialize};

use crate::child::Kind;
use crate::command_line::Options;
use crate::config::{self, Configuration, Needs, Purpose};
use crate::config_test::{as_lines, open_log};
use crate::saved_copy;

/// What the parent keeps of a configuration.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    /// The settings of the whole daemon.
    pub(crate) global: Global,
    /// Which children are asked for.
    pub(crate) needs: Needs,
    /// The files that were read.
    files: Vec<String>,
    /// What is to be logged.
    messages: Vec<String>,
    /// Whether it can be used.
    pub(crate) verdict: Verdict,
}

impl Report {
    /// Writes into the log what there is to say.
    pub(crate) fn log(&self) {
        for file in &self.files {
            debug!("Opening file '{file}'.");
        }
        for message in &self.messages {
            info!("{message}");
        }
    }
}

/// Whether a configuration can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    /// It can, for all that may be wrong with it.
    Usable,
    /// It cannot: a daemon that starts ends with this status, one that runs keeps what it has.
    Unusable(i32),
    /// It does not pass the check that `reload_check_config` asks for.
    Refused,
}

/// Exit status for a configuration that lacks something it cannot do without.
const CONFIG: i32 = 2;
/// Exit status for a configuration that cannot be read.
const NO_CONFIG: i32 = 6;

/// A configuration, loaded.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// For the parent.
    pub(crate) report: Report,
    /// For the children.
    pub(crate) parts: Parts,
}

/// The sealed parts of the children.
#[derive(Debug)]
pub(crate) struct Parts {
    /// For the VRRP child.
    pub(crate) vrrp: OwnedFd,
    /// For the checker child.
    pub(crate) checker: OwnedFd,
    /// For the BFD child.
    pub(crate) bfd: OwnedFd,
}

/// Why there is no configuration, and not even a report on it.
#[derive(Debug)]
pub(crate) enum Error {
    /// There could be no loader.
    System(io::Error),
    /// What came from it could not be read.
    Handover(handover::Error),
    /// It ended without a report.
    Died(Ending),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => write!(f, "Unable to load the configuration: {error}"),
            Self::Handover(error) => write!(f, "Unable to load the configuration: {error}"),
            Self::Died(ending) => write!(f, "The loader of the configuration {ending}"),
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

/// What is to be loaded, and what for.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    /// The command line.
    pub(crate) options: &'a Options,
    /// Where the daemon was started.
    pub(crate) directory: &'a Path,
    /// Why.
    pub(crate) purpose: Purpose<'a>,
    /// Where the result of a check goes, and that there is to be one (`reload_check_config`).
    pub(crate) check: Option<PathBuf>,
    /// How often the configuration has been loaded before, which numbers the copies that are kept.
    pub(crate) count: u32,
}

/// A loader at work.
#[derive(Debug)]
pub(crate) struct Loading {
    pid: Pid,
    socket: OwnedFd,
    received: [Option<OwnedFd>; 4],
}

/// The packets of a delivery, in this order; each has one descriptor beside its tag.
const TAGS: [u8; 4] = *b"RVCB";

impl Loading {
    /// Starts a loader.
    pub(crate) fn start(order: &Order<'_>) -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC;
        let (near, far) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
        match process::fork()? {
            Side::Child => {
                drop(near);
                std::process::exit(be_loader(order, &far));
            }
            Side::Parent(pid) => Ok(Self { pid, socket: near, received: Default::default() }),
        }
    }

    /// The loader's number.
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Takes what has come, without waiting. Says whether that is all.
    pub(crate) fn receive(&mut self) -> bool {
        while self.is_readable(PollTimeout::ZERO) && self.take_packet() {}
        self.received.iter().all(Option::is_some)
    }

    /// Waits for the end of the delivery, not of the loader.
    pub(crate) fn wait(&mut self) {
        while self.is_readable(PollTimeout::NONE) && self.take_packet() {}
    }

    /// Ends it before its time.
    pub(crate) fn kill(&self) {
        // It may have ended by itself.
        let _ = kill(self.pid, Signal::SIGKILL);
    }

    /// What the loader has delivered; `None` where something is missing.
    pub(crate) fn finish(mut self) -> Option<Result<Loaded, Error>> {
        self.receive();
        let [Some(report), Some(vrrp), Some(checker), Some(bfd)] = self.received else {
            return None;
        };
        let report = handover::open(&report).map_err(Error::Handover);
        Some(report.map(|report| Loaded { report, parts: Parts { vrrp, checker, bfd } }))
    }

    fn is_readable(&self, timeout: PollTimeout) -> bool {
        let mut polled = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        loop {
            match poll(&mut polled, timeout) {
                Ok(count) => return count > 0,
                Err(nix::errno::Errno::EINTR) => {}
                Err(_) => return false,
            }
        }
    }

    /// `false` at the end.
    fn take_packet(&mut self) -> bool {
        let Ok((bytes, descriptor)) = receive_packet(&self.socket, 1) else { return false };
        let place = TAGS.iter().position(|tag| bytes == [*tag]);
        if let Some(slot) = place.and_then(|place| self.received.get_mut(place)) {
            *slot = descriptor;
        }
        !bytes.is_empty()
    }
}

impl AsFd for Loading {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Loads the configuration and waits for it. No child but the loader may be running.
pub(crate) fn load(order: &Order<'_>) -> Result<Loaded, Error> {
    let mut loading = Loading::start(order)?;
    loading.wait();
    let ending = process::wait_for(loading.pid)?;
    loading.finish().unwrap_or(Err(Error::Died(ending)))
}

/// Exit status of a loader that could not deliver, or that a bug has stopped.
const FAILED: i32 = 70;

fn be_loader(order: &Order<'_>, socket: &OwnedFd) -> i32 {
    let work = || -> Result<(), Error> {
        // It must end when it is told to, even while it reads from something that never answers. What tools send to all
        // processes of this name is not for it.
        let mut blocked = SigSet::all();
        blocked.remove(Signal::SIGTERM);
        blocked.thread_set_mask().map_err(io::Error::from)?;
        // Relative names mean what they meant at the start, also in a daemon that has left that directory.
        chdir(order.directory).map_err(io::Error::from)?;
        let mut diagnostics =
            if order.check.is_some() { Diagnostics::for_test() } else { Diagnostics::default() };
        let statements = config::read(order.options, &mut diagnostics);
        let (options, purpose) = (order.options, order.purpose);
        let global = config::settings(&statements, options, purpose, &mut diagnostics);
        if let Some(directory) = &global.files.config_save_dir {
            let directory = Path::new(directory);
            if let Err(error) = saved_copy::write(&statements, directory, getppid(), order.count) {
                let text = format!("Unable to save a copy of the configuration: {error}");
                diagnostics.report_overall(Class::Notice, text);
            }
        }
        let configuration = config::interpret(statements, global, purpose, &mut diagnostics);
        let delivered = deliver(order, &configuration, &diagnostics, socket);
        // The end of this process gives it back faster.
        std::mem::forget(configuration);
        delivered
    };
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => 0,
        Ok(Err(error)) => {
            log::error!("{error}");
            FAILED
        }
        Err(_) => FAILED,
    }
}

fn deliver(
    order: &Order<'_>,
    configuration: &Configuration,
    diagnostics: &Diagnostics,
    socket: &OwnedFd,
) -> Result<(), Error> {
    let mut messages: Vec<String> = Vec::new();
    let verdict = match &order.check {
        Some(log) => {
            if let Err(error) = write_check(log, diagnostics) {
                messages.push(format!("Unable to write {}: {error}", log.display()));
            }
            if diagnostics.exit_status() == 0 { Verdict::Usable } else { Verdict::Refused }
        }
        None => {
            messages.extend(diagnostics.render_daemon_log());
            verdict(order.purpose, configuration, diagnostics)
        }
    };
    let global = &configuration.global;
    let report = Report {
        global: global.clone(),
        needs: configuration.needs(),
        files: diagnostics.files().map(str::to_owned).collect(),
        messages,
        verdict,
    };
    let seal = |tag: u8, memory: Result<OwnedFd, handover::Error>| {
        Ok::<_, Error>(send_packet(socket, &[tag], Some(&memory.map_err(Error::Handover)?))?)
    };
    let [to_parent, to_vrrp, to_checker, to_bfd] = TAGS;
    seal(to_vrrp, handover::seal(&(for_vrrp(order.options, configuration), &configuration.vrrp)))?;
    seal(to_checker, handover::seal(&(global, &configuration.checker)))?;
    seal(to_bfd, handover::seal(&for_bfd(order.options, configuration)))?;
    seal(to_parent, handover::seal(&report))
}

/// The settings of the whole daemon, as the VRRP child is to see them: the program that reads the FIFO for all
/// notifications is started once, by the checker child where there is one.
fn for_vrrp<'a>(options: &Options, configuration: &'a Configuration) -> Cow<'a, Global> {
    let global = &configuration.global;
    if !runs(Kind::Checker, options, configuration) {
        return Cow::Borrowed(global);
    }
    let mut global = global.clone();
    if let Some(fifo) = &mut global.scripts.notify_fifo {
        fifo.script = None;
    }
    Cow::Owned(global)
}

/// What the BFD child is to see. Its sessions have their names with them.
fn for_bfd<'a>(
    options: &Options,
    configuration: &'a Configuration,
) -> (Global, Present, &'a bfd::config::Config) {
    let global = Global { bfd_names: vec![], ..configuration.global.clone() };
    let runs = |kind| runs(kind, options, configuration);
    let present = Present { vrrp: runs(Kind::Vrrp), checker: runs(Kind::Checker) };
    (global, present, &configuration.bfd)
}

/// Whether there will be such a child.
fn runs(kind: Kind, options: &Options, configuration: &Configuration) -> bool {
    kind.is_allowed(options.children) && kind.is_needed(configuration.needs())
}

/// Replaces what an earlier check has left in the file.
fn write_check(path: &Path, diagnostics: &Diagnostics) -> io::Result<()> {
    let mut file = open_log(path)?;
    if fs::metadata(path)?.is_file() {
        file.set_len(0)?;
    }
    file.write_all(as_lines(diagnostics).as_bytes())
}

/// What makes a configuration unusable. A daemon that starts is as patient as the original, and runs with what could be
/// understood. One that runs has something to lose: it does not take a file of which a part has fallen away.
fn verdict(
    purpose: Purpose<'_>,
    configuration: &Configuration,
    diagnostics: &Diagnostics,
) -> Verdict {
    let has =
        |classes: &[Class]| diagnostics.items().iter().any(|item| classes.contains(&item.class));
    const BROKEN: [Class; 6] = [
        Class::Fatal,
        Class::UnexpectedBlock,
        Class::MissingBlock,
        Class::UnexpectedEnd,
        Class::MissingEnd,
        Class::UnmatchedQuote,
    ];
    let broken = matches!(purpose, Purpose::Reload(_)) && has(&BROKEN);
    let vrrp = &configuration.vrrp;
    let vrrp_fails = vrrp.needs_child() && !vrrp.usable;
    if diagnostics.is_incomplete() {
        Verdict::Unusable(NO_CONFIG)
    } else if diagnostics.is_missing_parameter() || vrrp_fails || broken {
        Verdict::Unusable(CONFIG)
    } else {
        Verdict::Usable
    }
}
