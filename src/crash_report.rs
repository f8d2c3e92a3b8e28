//! What the log says when a child has crashed, for whoever is to find out why.

use log::info;
use nix::sys::signal::Signal;
use runtime::process::Ending;

use crate::version;

/// After any death of a child.
pub(crate) const REQUEST: [&str; 3] = [
    "Please report it to the maintainers of this build,",
    "and include a full copy of your keepalived configuration files, and",
    "copies of the keepalived system log entries around the time this happened",
];

/// Whether `ending` shows a bug of the program.
pub(crate) fn deserves_one(ending: Ending) -> bool {
    matches!(
        ending,
        Ending::Signalled(Signal::SIGSEGV | Signal::SIGBUS | Signal::SIGILL | Signal::SIGABRT)
    )
}

/// Logs what a report needs to say.
pub(crate) fn write() {
    let lines = [
        format!("Source version {}", version::VERSION),
        format!("Built for Linux {}", version::kernel()),
        format!("Running on {}", version::running_on()),
    ];
    for line in lines {
        info!("  {line}");
    }
    for line in command_line(std::env::args_os()) {
        info!("  {line}");
    }
    info!("  configure options: {}", version::configure_options());
    info!("  Config options: {}", version::CONFIG_OPTIONS);
    info!("  System options: {}", version::SYSTEM_OPTIONS);
}

/// The command line, in lines of about a hundred characters.
pub(crate) fn command_line(words: impl IntoIterator<Item = std::ffi::OsString>) -> Vec<String> {
    const HEAD: &str = "Command line:";
    const WIDTH: usize = 103;
    let mut lines = vec![HEAD.to_owned()];
    for word in words {
        let word = format!(" '{}'", word.to_string_lossy());
        match lines.last_mut() {
            Some(line) if line.len() == HEAD.len() || line.len() + word.len() <= WIDTH => {
                line.push_str(&word);
            }
            _ => lines.push(format!("{:width$}{word}", "", width = HEAD.len())),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    // As 2.4.3 was seen to break it.
    #[test]
    fn a_long_command_line_takes_several_lines() {
        let long = "averylongconfigidthatgoesonandonandonandonandonandonandonandonandon";
        let words = [
            "/tmp/c/bin/keepalived",
            "-nlGD",
            "-f",
            "/tmp/s1.conf",
            "-p",
            "/tmp/sup/p",
            "-r",
            "/tmp/sup/r",
            "-c",
            "/tmp/sup/c",
            "-b",
            "/tmp/sup/b",
            "--config-id",
            long,
        ];
        let quoted = format!("              '{long}'");
        assert_eq!(
            command_line(words.map(Into::into)),
            [
                "Command line: '/tmp/c/bin/keepalived' '-nlGD' '-f' '/tmp/s1.conf' '-p' '/tmp/sup/p' '-r' '/tmp/sup/r'",
                "              '-c' '/tmp/sup/c' '-b' '/tmp/sup/b' '--config-id'",
                quoted.as_str(),
            ]
        );
    }
}
