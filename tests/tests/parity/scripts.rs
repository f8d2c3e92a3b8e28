//! The notification scripts of a node: what they were called with, in the order in which they were started.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use lab::{Listener, Scratch};

/// The keywords that a script can be given to, in instances and in groups.
const KEYWORDS: [&str; 5] =
    ["notify_master", "notify_backup", "notify_fault", "notify_stop", "notify"];

/// It tells its process number and its arguments.
const SCRIPT: &str = "#!/bin/sh
line=$$
for argument; do line=\"$line '$argument'\"; done
echo \"$line\" >@DIR@/ran
";

/// Makes the script that [`with_scripts`] names, and listens to it.
pub(crate) fn listener(directory: &Scratch) -> Listener {
    let text = SCRIPT.replace("@DIR@", &directory.path().display().to_string());
    let path = directory.write("script", &text);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
    Listener::named(directory.path(), "ran")
}

/// A configuration whose instances and groups have scripts for everything. Each is given the keyword and the name of whose it is.
pub(crate) fn with_scripts(config: &str, directory: &Path) -> String {
    let mut text = String::new();
    for line in config.lines() {
        text.push_str(line);
        text.push('\n');
        let (head, end) = line.strip_suffix('\\').map_or((line, ""), |head| (head, " \\"));
        let words: Vec<&str> = head.split_whitespace().collect();
        let (kind, name) = match words[..] {
            ["vrrp_instance", name, "{"] => ("INSTANCE", name),
            ["vrrp_sync_group", name, "{"] => ("GROUP", name),
            _ => continue,
        };
        for keyword in KEYWORDS {
            let script = directory.join("script");
            let call = format!("{} {keyword} {kind} {name}", script.display());
            text.push_str(&format!("        {keyword} \"{call}\"{end}\n"));
        }
    }
    text
}

/// What was told, without the process numbers, in the order in which these were given: that of the ends is chance. Each
/// instance and group is for itself.
pub(crate) fn in_order(told: Vec<String>) -> Vec<String> {
    let numbered = told.into_iter().map(|line| {
        let (number, arguments) = line.split_once(' ').expect("the script tells its number");
        (number.parse().expect("it is a number"), arguments.to_owned())
    });
    let mut numbered: Vec<(u32, String)> = numbered.collect();
    let numbers = || numbered.iter().map(|(number, _)| *number);
    let last = fs::read_to_string("/proc/sys/kernel/pid_max").expect("the kernel says it");
    let last: u32 = last.trim().parse().expect("it is a number");
    // They have begun anew in between.
    if numbers().max().unwrap_or(0) - numbers().min().unwrap_or(0) > last / 2 {
        for (number, _) in numbered.iter_mut().filter(|(number, _)| *number < last / 2) {
            *number += last;
        }
    }
    let whose = |arguments: &str| {
        let words = arguments.split(' ').skip(1).take(2);
        words.map(str::to_owned).collect::<Vec<String>>()
    };
    numbered.sort();
    numbered.sort_by_key(|(_, arguments)| whose(arguments));
    numbered.into_iter().map(|(_, arguments)| arguments).collect()
}

/// Numbers begin anew after the last one; what was started before that comes first.
#[test]
fn scripts_are_in_the_order_of_their_numbers() {
    let told = ["7 'notify' 'INSTANCE' 'b'", "4 'a' 'INSTANCE' 'a'", "3 'z' 'INSTANCE' 'a'"];
    let far = ["32767 'y' 'INSTANCE' 'a'"];
    let lines = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<_>>();
    let rest = ["'z' 'INSTANCE' 'a'", "'a' 'INSTANCE' 'a'", "'notify' 'INSTANCE' 'b'"];
    assert_eq!(in_order(lines(&told)), rest);
    let last = fs::read_to_string("/proc/sys/kernel/pid_max").expect("the kernel says it");
    let far = far.map(|line| line.replace("32767", last.trim()));
    let all = [lines(&told), far.to_vec()].concat();
    assert_eq!(in_order(all)[0], "'y' 'INSTANCE' 'a'");
}
