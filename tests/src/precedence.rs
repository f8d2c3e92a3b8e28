//! Who goes first when there is more to do than there are processors: routers, and who takes the time of what they do.
//!
//! Most of what a test judges is what a router does within some hundred milliseconds. On a busy machine a process of the
//! usual niceness waits for longer than that, and the test would be of the machine.

use std::process::Child;

use rustix::process::{Pid, setpriority_process};

/// Before all that is usual, and what is a little nicer to itself.
const NICENESS: i32 = -15;

/// Lets a process that has just been started go first, and with it all that it will start.
pub(crate) fn of(child: &Child) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    set(pid);
}

/// Lets this thread go first: it sees what a router does before that is over.
pub fn go_first() {
    set(None);
}

fn set(pid: Option<Pid>) {
    // The virtual machine has one processor, on which a router that always goes first keeps its servers from answering.
    if !crate::machine::is_inside() {
        // Where that is not allowed, it goes without.
        let _ = setpriority_process(pid, NICENESS);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn only_who_is_meant_goes_first() {
        let own = getpriority_process(None).unwrap();
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep is installed");
        of(&child);
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let given = getpriority_process(pid).unwrap();
        let thread = std::thread::spawn(|| {
            go_first();
            getpriority_process(None).unwrap()
        });
        let threads = thread.join().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((given, threads, getpriority_process(None).unwrap()), (NICENESS, NICENESS, own));
    }
}
