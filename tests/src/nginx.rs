//! nginx, as `tests/fetch-peers.sh` unpacked it: a web server with pages of ours.

use std::fs;
use std::net::{IpAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::{Namespace, Process, Scratch, run, target_directory};

/// A virtual machine takes its time to start it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long it may take for the answers that it still owes.
const GRACE: Duration = Duration::from_secs(5);

/// A web server on ports 80, and 443 with TLS. It is gone with this value, and has answered what it was asked before.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    directory: Scratch,
}

impl Nginx {
    /// Starts one on `address` of `namespace`, whose page `/` says `page`. Returns when it answers.
    pub fn start(namespace: &Namespace, address: IpAddr, page: &str) -> Self {
        let directory = Scratch::new();
        let path = directory.path().display().to_string();
        certify(directory.path());
        fs::create_dir(directory.path().join("pages")).expect("the directory is ours");
        let listen = match address {
            IpAddr::V4(_) => address.to_string(),
            IpAddr::V6(_) => format!("[{address}]"),
        };
        directory.write(
            "nginx.conf",
            &format!(
                "user root;
worker_processes 1;
pid {path}/pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {path}/body;
    proxy_temp_path {path}/proxy;
    fastcgi_temp_path {path}/fastcgi;
    uwsgi_temp_path {path}/uwsgi;
    scgi_temp_path {path}/scgi;
    keepalive_timeout 600s;
    server {{
        listen {listen}:80;
        listen {listen}:443 ssl;
        ssl_certificate {path}/certificate;
        ssl_certificate_key {path}/key;
        root {path}/pages;
    }}
}}
"
            ),
        );
        let root = target_directory().join("peer");
        let mut command = Command::new(root.join("usr/sbin/nginx"));
        let libraries = root.join("usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH));
        command.env("LD_LIBRARY_PATH", libraries);
        command.args(["-e", "stderr", "-g", "daemon off;", "-p", &path, "-c"]);
        command.arg(directory.path().join("nginx.conf"));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = namespace.enter(|| command.spawn());
        let child = child.expect("tests/fetch-peers.sh has unpacked it");
        let nginx = Self { child, directory };
        nginx.set_page(page);
        let deadline = Instant::now() + PATIENCE;
        // It tells nobody when it listens.
        while namespace.enter(|| TcpStream::connect((address, 80))).is_err() {
            assert!(Instant::now() < deadline, "nginx does not listen on {address}");
            thread::sleep(Duration::from_millis(50));
        }
        nginx
    }

    /// What its page `/` says from now on.
    pub fn set_page(&self, page: &str) {
        self.directory.write("pages/index.html.new", page);
        let pages = self.directory.path().join("pages");
        fs::rename(pages.join("index.html.new"), pages.join("index.html")).expect("both are ours");
    }

    /// It accepts connections, and answers none.
    pub fn pause(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// It answers again.
    pub fn go_on(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        self.workers().iter().for_each(|worker| worker.signal(signal));
    }

    fn master(&self) -> Option<Process> {
        Process::new(i32::try_from(self.child.id()).ok()?)
    }

    fn workers(&self) -> Vec<Process> {
        self.master().map(|master| master.children()).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let workers = self.workers();
        // One that is killed breaks off in the middle of an answer, which is not how a server that is gone fails.
        if let Some(master) = self.master() {
            master.signal(Signal::SIGQUIT);
            // One that is paused could not end.
            self.go_on();
            master.wait(GRACE);
        }
        // It would have another worker at once for one that is killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
        workers.iter().for_each(|worker| worker.signal(Signal::SIGKILL));
    }
}

/// Makes a key and a certificate for it.
fn certify(directory: &Path) {
    let [key, certificate] =
        ["key", "certificate"].map(|name| directory.join(name).display().to_string());
    run(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-subj",
            "/CN=lab",
            "-days",
            "2",
            "-keyout",
            &key,
            "-out",
            &certificate,
        ],
    );
}
