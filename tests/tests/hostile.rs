//! Configurations that only a mistake or an attacker makes: each gets an answer, in bounded time and memory.
//!
//! The C daemon hangs on some of them; this is for ours.

mod better_than_the_original {
    use std::fs::File;
    use std::io::{BufWriter, Write};
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use lab::{Binary, Process, Scratch};

    /// Time for a file of the greatest size, in a build without optimisation on a loaded machine.
    const LONGEST: Duration = Duration::from_secs(60);
    /// Address space that the test of a configuration may use.
    const LARGEST: &str = "--as=1500000000";

    /// Lets `-t` judge what `write` writes, and returns its exit status and its complaints.
    fn judge(write: impl Fn(&mut dyn Write) -> std::io::Result<()>) -> (i32, String) {
        let scratch = Scratch::new();
        let path = scratch.path().join("keepalived.conf");
        let mut file = BufWriter::new(File::create(&path).expect("it is our directory"));
        write(&mut file).and_then(|()| file.flush()).expect("there is room");
        let output = scratch.path().join("complaints");
        let mut child = Command::new("prlimit")
            .arg(LARGEST)
            .arg(Binary::under_test().path())
            .args(["-t", "-i", "main", "-f"])
            .arg(&path)
            .current_dir(scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&output).expect("it is our directory"))
            .spawn()
            .expect("prlimit is part of the base system");
        let pid = i32::try_from(child.id()).expect("the kernel numbers processes as int");
        let process = Process::new(pid).expect("a child that is not reaped has a number");
        if !process.wait(LONGEST) {
            let _ = child.kill().and_then(|()| child.wait());
            panic!("no answer in {LONGEST:?}");
        }
        let status = child.wait().expect("it is our child");
        let complaints = std::fs::read(&output).expect("it was written");
        assert!(complaints.len() < 10 << 20, "{} bytes of complaints", complaints.len());
        let text = String::from_utf8_lossy(&complaints).into_owned();
        (status.code().unwrap_or_else(|| panic!("{status}: {text}")), text)
    }

    /// What `-t` says of `text` is an error that contains `complaint`.
    #[track_caller]
    fn refused(text: &str, complaint: &str) {
        let (status, complaints) = judge(|file| file.write_all(text.as_bytes()));
        assert_ne!(status, 0);
        assert!(complaints.contains(complaint), "{complaint:?} is not in: {complaints}");
    }

    fn repeated(line: &str, bytes: usize) -> (i32, String) {
        judge(|file| {
            (0..bytes.div_ceil(line.len())).try_for_each(|_| file.write_all(line.as_bytes()))
        })
    }

    #[test]
    fn a_definition_of_itself() {
        refused("$A=$A\nglobal_defs {\n    router_id $A\n}\n", "Line 3");
        refused("$A=x${B}\n$B=y${A}\nglobal_defs {\n    router_id ${A}\n}\n", "Line 4");
    }

    #[test]
    fn a_definition_that_doubles_again_and_again() {
        let mut text = String::from("$D0=abcdefghij\n");
        for level in 1..30 {
            let below = level - 1;
            text.push_str(&format!("$D{level}=${{D{below}}}${{D{below}}}\n"));
        }
        refused(&format!("{text}global_defs {{\n    router_id ${{D29}}\n}}\n"), "Line 32");
    }

    #[test]
    fn sequences_of_sequences() {
        let nested = "~SEQ(A, 1, 100000) ~SEQ(B, 1, 100000) ~SEQ(C, 1, 100000) nonsense\n";
        refused(nested, "Line 1");
    }

    #[test]
    fn a_file_that_includes_itself() {
        refused("include keepalived.conf\n", "keepalived.conf");
    }

    #[test]
    fn a_line_that_is_too_long() {
        refused(&format!("global_defs {{\n{}\n}}\n", "x".repeat(1 << 20)), "line too long");
    }

    #[test]
    fn blocks_that_never_end() {
        refused(&"vrrp_instance a {\n".repeat(100_000), "Line 2");
    }

    #[test]
    fn braces_that_never_began() {
        refused(&"}\n".repeat(100_000), "Line 1");
    }

    #[test]
    fn nothing_but_zeros() {
        let (status, complaints) = repeated("\0\0\0\0\0\0\0\n", 1 << 20);
        assert_ne!(status, 0, "{complaints}");
    }

    #[test]
    fn fifty_megabytes_of_comments() {
        let (status, complaints) =
            repeated("# what nobody wants to read, but must be read all the same\n", 50 << 20);
        assert_ne!(status, 0, "{complaints}");
        assert!(!complaints.is_empty());
    }

    #[test]
    fn fifty_megabytes_of_nonsense() {
        let (status, complaints) =
            repeated("nonsense and more nonsense, as much as there is room for\n", 50 << 20);
        assert_ne!(status, 0);
        assert!(complaints.len() < 1 << 20, "{} bytes of complaints", complaints.len());
        assert!(!complaints.is_empty());
    }

    #[test]
    fn fifty_megabytes_without_a_newline() {
        let (status, complaints) = repeated("global_defs { router_id x } ", 50 << 20);
        assert_ne!(status, 0);
        assert!(!complaints.is_empty());
    }
}
