//! `genhash`: prints the digest of a web page for the `digest` keyword of HTTP checks.

use std::ffi::OsString;
use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use check::genhash::{Failure, Fetch, Page, Protocol};

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
    protocol: Protocol,
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
            "1.0" => Protocol::V1_0,
            "1.0c" | "1.0C" => Protocol::V1_0Close,
            "1.1" => Protocol::V1_1,
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
    match fetch.run() {
        Ok(page) if verbose => print!("{}", show(&page, &fetch.path)),
        Ok(page) => println!("{}", hex(&page.digest())),
        Err(Failure::NoHeader) => eprintln!("no data received from remote webserver"),
        Err(failure) => println!("{}", explain(&failure)),
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
        server,
        port,
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
    let mut text = format!("Usage: {program} -s IP -p PORT -u PATH [OPTIONS]\n\nOptions:\n");
    for (short, long, argument, help, _) in OPTIONS {
        let name = match argument {
            Argument::Required(name) | Argument::Optional(name) => name,
            Argument::None => "",
        };
        let _ = writeln!(text, "  -{short}, --{:26}{help}", format!("{long} {name}"));
    }
    text
}

fn explain(failure: &Failure) -> String {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    match failure {
        Failure::Connect(error) if error.kind() == TimedOut => "Timeout connecting".to_owned(),
        Failure::Connect(_) => "Connection failed".to_owned(),
        Failure::Tls(reason) => format!("SSL handshake error: {reason}"),
        Failure::Transfer(error) if matches!(error.kind(), TimedOut | WouldBlock) => {
            "Timeout reading from server".to_owned()
        }
        Failure::Transfer(error) => format!("Read error with server: {error}"),
        Failure::NoHeader => String::new(),
    }
}

fn show(page: &Page, path: &str) -> String {
    let digest = page.digest();
    format!(
        "-----------------------[    HTTP Header Buffer    ]-----------------------\n{}\
         -----------------------[ HTTP Header Ascii Buffer ]-----------------------\n{}\n\
         -----------------------[        HTML Buffer        ]-----------------------\n{}\n\
         -----------------------[    HTML hash resulting    ]-----------------------\n{}\
         -----------------------[ HTML hash final resulting ]-----------------------\n{}\n\n\
         Global response time for [{path}] = {} usecs\n",
        dump(&page.header),
        String::from_utf8_lossy(&page.header),
        dump(&page.body),
        dump(&digest),
        hex(&digest),
        page.elapsed.as_micros(),
    )
}

/// Lines of a decimal offset, sixteen bytes in hex, and what of them can be printed.
fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, chunk) in bytes.chunks(DUMP_WIDTH).enumerate() {
        let _ = write!(text, "{:04} ", line * DUMP_WIDTH);
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
            dump(b"HTTP/1.1 200 OK\r\nContent"),
            "0000  48 54 54 50 2f 31 2e 31 - 20 32 30 30 20 4f 4b 0d   HTTP/1.1 200 OK.\n\
             0016  0a 43 6f 6e 74 65 6e 74 -                           .Content        \n"
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
