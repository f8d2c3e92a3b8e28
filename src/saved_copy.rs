//! Copies of the configuration as it was understood, one for each time that it is read (`config_save_dir`).

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use conf_parser::{Body, Statement};
use nix::unistd::Pid;

/// Writes the expanded statements to `keepalived.conf.PID.COUNT` in `directory`.
pub(crate) fn write(
    statements: &[Statement],
    directory: &Path,
    pid: Pid,
    count: u32,
) -> io::Result<()> {
    let mut text = String::new();
    render(statements, 0, &mut text);
    let path = directory.join(format!("keepalived.conf.{pid}.{count}"));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    options.open(path)?.write_all(text.as_bytes())
}

fn render(statements: &[Statement], depth: usize, out: &mut String) {
    for statement in statements {
        line(statement.line.raw(), depth, out);
        match &statement.body {
            Body::None => continue,
            Body::Block(inner) => {
                line("{", depth, out);
                render(inner, depth + 1, out);
            }
            Body::Lines(entries) => {
                line("{", depth, out);
                for entry in entries {
                    line(entry.raw(), depth + 1, out);
                }
            }
        }
        line("}", depth, out);
    }
}

fn line(text: &str, depth: usize, out: &mut String) {
    for _ in 0..depth {
        out.push_str("    ");
    }
    out.push_str(text.trim());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use conf_parser::{Diagnostics, Options, parse_text};

    use super::*;
    use crate::config::ROOT;

    /// A copy reads as what it was made from.
    #[test]
    fn a_copy_says_the_same() {
        let text = b"$P=1.2.3.4\nglobal_defs {\n router_id \"a b\"\n notification_email {\n x@y\n z@y\n }\n}\n\
            bfd_instance b { neighbor_ip $P\n }\n";
        let read = |text: &[u8]| {
            let mut diagnostics = Diagnostics::default();
            let statements = parse_text(text, &Options::default(), &ROOT, &mut diagnostics);
            assert_eq!(diagnostics.items(), []);
            let mut copy = String::new();
            render(&statements, 0, &mut copy);
            copy
        };
        let copy = read(text);
        assert!(copy.contains("neighbor_ip 1.2.3.4"), "{copy}");
        assert_eq!(read(copy.as_bytes()), copy);
    }
}
