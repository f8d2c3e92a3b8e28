//! `genhash`: prints the digest of a web page for the `digest` keyword of HTTP checks.

use std::ffi::OsString;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use check::config::http::HttpVersion;
use check::genhash::{Fetch, FetchError, Fetched, Part};
use check::probe::{Failure, HttpFailure};

use crate::getopt::{Argument, Found, Scanner, Spelling};

/// Exit status for a wrong command line, and for the usage.
const USAGE: i32 = 1;
const DONE: i32 = 0;

/// Bytes in a line of a dump.
const DUMP_WIDTH: usize = 16;

type Apply = fn(&mut Words, String) -> Result<(), String>;

/// What the options fill.
#[derive(Debug, Default)]
struct Words {
    server: Option<IpAddr>,
    port: Option<u16>,
    path: Option<String>,
    virtual_host: Option<String>,
    tls: bool,
    server_name: bool,
    protocol: HttpVersion,
    mark: Option<u32>,
    timeout: Option<Duration>,
    verbose: bool,
    help: bool,
}

const OPTIONS: [(char, &str, Argument, &str, Apply); 11] = [
    ('S', "use-ssl", Argument::None, "speak TLS", |words, _| {
        words.tls = true;
        Ok(())
    }),
    ('I', "use-sni", Argument::None, "name the virtual host in the TLS handshake", |words, _| {
        words.server_name = true;
        Ok(())
    }),
    ('s', "server", Argument::Required("IP"), "address of the server", |words, text| {
        words.server =
            Some(text.parse().map_err(|_| format!("server should be an IP, not {text}"))?);
        Ok(())
    }),
    ('p', "port", Argument::Required("PORT"), "port of the server", |words, text| {
        let port = text.parse().ok().filter(|&port| port != 0);
        words.port = Some(port.ok_or_else(|| format!("invalid port number '{text}'"))?);
        Ok(())
    }),
    ('u', "url", Argument::Required("PATH"), "page on the server", |words, text| {
        words.path = Some(text);
        Ok(())
    }),
    (
        'V',
        "use-virtualhost",
        Argument::Required("NAME"),
        "value of the Host header",
        |words, text| {
            words.virtual_host = Some(text);
            Ok(())
        },
    ),
    ('v', "verbose", Argument::None, "show headers, page and digest", |words, _| {
        words.verbose = true;
        Ok(())
    }),
    ('h', "help", Argument::None, "show this text", |words, _| {
        words.help = true;
        Ok(())
    }),
    ('m', "fwmark", Argument::Required("MARK"), "firewall mark of the packets", |words, text| {
        words.mark = Some(text.parse().map_err(|_| format!("invalid fwmark '{text}'"))?);
        Ok(())
    }),
    ('P', "protocol", Argument::Required("VERSION"), "1.0, 1.0c (closes) or 1.1", |words, text| {
        words.protocol = match text.as_str() {
            "1.0" => HttpVersion::Http10,
            "1.0c" | "1.0C" => HttpVersion::Http10Connection,
            "1.1" => HttpVersion::Http11,
            _ => return Err(format!("invalid HTTP protocol version '{text}'")),
        };
        Ok(())
    }),
    ('t', "timeout", Argument::Required("SECONDS"), "longest wait for each step", |words, text| {
        let seconds: Option<u64> = text.parse().ok().filter(|&seconds| seconds != 0);
        words.timeout =
            Some(Duration::from_secs(seconds.ok_or_else(|| format!("invalid timeout '{text}'"))?));
        Ok(())
    }),
];

/// Runs with the words behind the name of the program; `program` is what the usage calls it. The exit status.
pub(crate) fn run(program: &str, words: impl IntoIterator<Item = OsString>) -> i32 {
    let fetch = match parse(words) {
        Ok((fetch, verbose)) => (fetch, verbose),
        Err(complaint) => {
            eprint!("{complaint}{}", usage(program));
            return USAGE;
        }
    };
    let (fetch, verbose) = fetch;
    let mut shown = Shown::default();
    let mut show = |part: Part<'_>| print!("{}", shown.part(part));
    match fetch.run(verbose.then_some(&mut show)) {
        Ok(page) if verbose => print!("{}", shown.end(&page, &fetch.path)),
        Ok(page) => println!("{}", hex(&page.digest)),
        Err(FetchError::Failed(Failure::Http(HttpFailure::NoHeader))) => {
            eprintln!("no data received from remote webserver");
        }
        Err(FetchError::Failed(failure)) => println!("{}", failure.text(fetch.server)),
        Err(FetchError::NotMade(not_made)) => eprintln!("{}", not_made.line("")),
        Err(FetchError::Tools(error)) => eprintln!("{error}"),
        Err(FetchError::Poll(error)) => eprintln!("{error}"),
    }
    DONE
}

fn parse(words: impl IntoIterator<Item = OsString>) -> Result<(Fetch, bool), String> {
    let spellings = OPTIONS.map(|(short, long, argument, _, _)| Spelling {
        short: Some(short),
        long,
        argument,
    });
    let mut found = Words::default();
    let mut unexpected = String::new();
    for item in Scanner::new(&spellings, words) {
        match item {
            Found::Option(index, value) => {
                let value = value.unwrap_or_default().to_string_lossy().into_owned();
                if let Some((.., apply)) = OPTIONS.get(index) {
                    apply(&mut found, value).map_err(|complaint| complaint + "\n")?;
                }
            }
            Found::Word(word) => {
                let _ = write!(unexpected, "{} ", word.to_string_lossy());
            }
            Found::Wrong(complaint) => return Err(complaint + "\n"),
        }
    }
    if !unexpected.is_empty() {
        return Err(format!("Unexpected argument(s): {unexpected}\n"));
    }
    let (Some(server), Some(port), Some(path), false) =
        (found.server, found.port, found.path, found.help)
    else {
        return Err(String::new());
    };
    let fetch = Fetch {
        server: SocketAddr::new(server, port),
        path,
        virtual_host: found.virtual_host,
        tls: found.tls,
        server_name: found.server_name,
        protocol: found.protocol,
        mark: found.mark,
        timeout: found.timeout,
    };
    Ok((fetch, found.verbose))
}

fn usage(program: &str) -> String {
    format!(
        "Usage: {program} COMMAND [OPTIONS]
Commands:
   -s server-address -p port -u url
   -S -s server-address -p port -u url
   -h

Options:
Either long or short options are allowed.
   --use-ssl         -S       Use SSL connection to remote server.
   --use-sni         -I       Use SNI during SSL handshake (uses virtualhost setting; see -V).
   --server          -s       Use the specified remote server address.
   --port            -p       Use the specified remote server port.
   --url             -u       Use the specified remote server url.
   --use-virtualhost -V       Use the specified virtualhost in GET query.
   --verbose         -v       Use verbose mode output.
   --help            -h       Display this short inlined help screen.
   --fwmark          -m       Use the specified FW mark.
   --protocol        -P       Use the specified HTTP protocol - '1.0', 1.0c', '1.1'.
                                1.0c means 1.0 with 'Connection: close'
   --timeout         -t       Timeout in seconds
"
    )
}

/// What has been shown of a page.
#[derive(Debug, Default)]
struct Shown {
    /// How much of the body.
    body: usize,
    /// What of it makes no whole line yet.
    rest: Vec<u8>,
}

impl Shown {
    fn part(&mut self, part: Part<'_>) -> String {
        match part {
            Part::Header(header) => format!(
                "-----------------------[    HTTP Header Buffer    ]-----------------------\n{}\
                 -----------------------[ HTTP Header Ascii Buffer ]-----------------------\n{}\n",
                dump(header, 0),
                String::from_utf8_lossy(header),
            ),
            Part::Body(bytes) => {
                let title = self.title();
                self.rest.extend_from_slice(bytes);
                let whole = self.rest.len() - self.rest.len() % DUMP_WIDTH;
                let rest = self.rest.split_off(whole);
                let lines = std::mem::replace(&mut self.rest, rest);
                title + &self.lines(&lines)
            }
        }
    }

    fn title(&self) -> String {
        let first = self.body == 0 && self.rest.is_empty();
        let title = "-----------------------[        HTML Buffer        ]-----------------------\n";
        if first { title.to_owned() } else { String::new() }
    }

    fn lines(&mut self, bytes: &[u8]) -> String {
        let text = dump(bytes, self.body);
        self.body += bytes.len();
        text
    }

    fn end(&mut self, page: &Fetched, path: &str) -> String {
        let rest = std::mem::take(&mut self.rest);
        format!(
            "{}\n-----------------------[    HTML hash resulting    ]-----------------------\n{}\
             -----------------------[ HTML hash final resulting ]-----------------------\n{}\n\n\
             Global response time for [{path}] = {} usecs\n",
            self.lines(&rest),
            dump(&page.digest, 0),
            hex(&page.digest),
            page.elapsed.as_micros(),
        )
    }
}

/// Lines of a decimal offset, sixteen bytes in hex, and what of them can be printed.
fn dump(bytes: &[u8], offset: usize) -> String {
    let mut text = String::new();
    for (line, chunk) in bytes.chunks(DUMP_WIDTH).enumerate() {
        let _ = write!(text, "{:04} ", offset + line * DUMP_WIDTH);
        for index in 0..DUMP_WIDTH {
            match chunk.get(index) {
                Some(byte) => {
                    let _ = write!(text, " {byte:02x}");
                }
                None => text.push_str("   "),
            }
            if index == DUMP_WIDTH / 2 - 1 {
                text.push_str(" -");
            }
        }
        let printable =
            |&byte: &u8| if (0x20..0x7f).contains(&byte) { char::from(byte) } else { '.' };
        let ascii: String = chunk.iter().map(printable).collect();
        let _ = writeln!(text, "   {ascii:DUMP_WIDTH$}");
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<(Fetch, bool), String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn a_dump_has_offset_bytes_and_text() {
        assert_eq!(
            dump(b"HTTP/1.1 200 OK\r\nContent", 0),
            "0000  48 54 54 50 2f 31 2e 31 - 20 32 30 30 20 4f 4b 0d   HTTP/1.1 200 OK.\n\
             0016  0a 43 6f 6e 74 65 6e 74 -                           .Content        \n"
        );
    }

    // The body comes in two parts; the original was seen to print this.
    #[test]
    fn a_page_is_shown_as_ever() {
        let mut shown = Shown::default();
        let mut text = shown.part(Part::Header(b"HTTP/1.1 200 OK\r\n\r\n"));
        text += &shown.part(Part::Body(b"hel"));
        text += &shown.part(Part::Body(b"lo"));
        let digest = [
            0x5d, 0x41, 0x40, 0x2a, 0xbc, 0x4b, 0x2a, 0x76, 0xb9, 0x71, 0x9d, 0x91, 0x10, 0x17,
            0xc5, 0x92,
        ];
        let page = Fetched { digest, elapsed: Duration::from_micros(813) };
        text += &shown.end(&page, "/cl");
        assert_eq!(
            text,
            "-----------------------[    HTTP Header Buffer    ]-----------------------\n\
             0000  48 54 54 50 2f 31 2e 31 - 20 32 30 30 20 4f 4b 0d   HTTP/1.1 200 OK.\n\
             0016  0a 0d 0a                -                           ...             \n\
             -----------------------[ HTTP Header Ascii Buffer ]-----------------------\n\
             HTTP/1.1 200 OK\r\n\r\n\n\
             -----------------------[        HTML Buffer        ]-----------------------\n\
             0000  68 65 6c 6c 6f          -                           hello           \n\n\
             -----------------------[    HTML hash resulting    ]-----------------------\n\
             0000  5d 41 40 2a bc 4b 2a 76 - b9 71 9d 91 10 17 c5 92   ]A@*.K*v.q......\n\
             -----------------------[ HTML hash final resulting ]-----------------------\n\
             5d41402abc4b2a76b9719d911017c592\n\nGlobal response time for [/cl] = 813 usecs\n"
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, complaint) in [
            ("", ""),
            ("-h", ""),
            ("-s www.example.com", "server should be an IP, not www.example.com\n"),
            ("-s ::1 -p 0", "invalid port number '0'\n"),
            ("-s ::1 -p 80 -u / -P 2", "invalid HTTP protocol version '2'\n"),
            ("-s ::1 -p 80 -u / -t x", "invalid timeout 'x'\n"),
            ("-s ::1 -p 80 -u / more", "Unexpected argument(s): more \n"),
        ] {
            assert_eq!(parsed(line).unwrap_err(), complaint, "{line}");
        }
    }

    #[test]
    fn long_and_short_options_are_the_same() {
        let short = parsed("-s ::1 -p 80 -u / -V www -S -I -P 1.1 -m 7 -t 3 -v").unwrap();
        let long = parsed(
            "--server ::1 --port 80 --url / --use-virtualhost www --use-ssl --use-sni --protocol 1.1 --fwmark 7 \
             --timeout 3 --verbose",
        );
        assert_eq!(short, long.unwrap());
    }
}
