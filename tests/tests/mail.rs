//! Mails: who is told of what, in which words, and that a mail server can hold up nothing.

use std::time::Duration;

use lab::{Binary, Daemon, MailServer, Mark, Namespace, PATIENCE, Session};

/// A mail as the original sent it, but for its date.
const MASTER_MAIL: &str = "HELO lb1.example.com\r
MAIL FROM:<ka@example.com>\r
RCPT TO:<root@example.com>\r
RCPT TO:<ops@example.com>\r
DATA\r
Date: \r
From: Keep Alived <ka@example.com>\r
Subject: [NODE_A] VRRP Instance VI_1 - Entering MASTER state\r
X-Mailer: Keepalived\r
To: root@example.com,\r
 \"Ops, Team\" <ops@example.com>\r
\r
=> VRRP Instance is now owning VRRP VIPs <=\r
\r
.\r
QUIT\r
";

/// A namespace with an interface for the router, and a mail server.
struct Node {
    namespace: Namespace,
    server: MailServer,
}

impl Node {
    fn new(server: impl FnOnce(&Namespace) -> MailServer) -> Self {
        let namespace = Namespace::new();
        namespace.ip(
            "link add eth0 type veth peer name eth1\nlink set eth1 up\nlink set eth0 up\naddr add 10.9.0.1/24 dev eth0\n",
        );
        let server = server(&namespace);
        Self { namespace, server }
    }

    fn start(&self, config: &str) -> Daemon {
        Daemon::start(&Binary::under_test(), &self.namespace, config)
    }

    fn globals(&self, more: &str) -> String {
        format!(
            "global_defs {{
    router_id NODE_A
    notification_email {{
        root@example.com
        \"Ops, Team <ops@example.com>\"
    }}
    notification_email_from \"Keep Alived <ka@example.com>\"
    smtp_server 127.0.0.1 {}
    smtp_helo_name lb1.example.com
    {more}
}}\n",
            self.server.port()
        )
    }

    /// Waits for the mail with this subject behind the name of the router, since `mark`.
    #[track_caller]
    fn await_mail(&self, daemon: &Daemon, mark: Mark, subject: &str) -> Session {
        let wanted = format!("[NODE_A] {subject}");
        let sessions = self.server.sessions();
        let found = sessions
            .wait(mark, PATIENCE, |session| (session.subject() == wanted).then(|| session.clone()));
        found.unwrap_or_else(|| {
            panic!("no {wanted:?} in {:#?}\n{}", sessions.all(), daemon.log_text())
        })
    }

    /// The subjects so far, without the name of the router.
    fn subjects(&self) -> Vec<String> {
        let sessions = self.server.sessions().all();
        let subject = |session: &Session| {
            session.subject().strip_prefix("[NODE_A] ").unwrap_or_default().to_owned()
        };
        sessions.iter().map(subject).collect()
    }

    fn link(&self, state: &str) {
        self.namespace.ip(&format!("link set eth0 {state}\n"));
    }
}

fn instance(name: &str, vrid: u8, lines: &str) -> String {
    format!(
        "vrrp_instance {name} {{
    interface eth0
    virtual_router_id {vrid}
    priority 200
    version 3
    advert_int 0.1
    {lines}
    virtual_ipaddress {{
        10.9.0.{vrid}/24
    }}
}}\n"
    )
}

fn without_date(session: &Session) -> String {
    let lines = session.heard.split_inclusive('\n');
    lines.map(|line| if line.starts_with("Date: ") { "Date: \r\n" } else { line }).collect()
}

#[test]
fn a_mail_is_the_one_that_the_original_sends() {
    let node = Node::new(MailServer::agreeing);
    let daemon = node.start(&(node.globals("") + &instance("VI_1", 51, "smtp_alert")));
    let mail =
        node.await_mail(&daemon, Mark::default(), "VRRP Instance VI_1 - Entering MASTER state");
    assert_eq!(without_date(&mail), MASTER_MAIL);
    let date = mail.heard.lines().find(|line| line.starts_with("Date: ")).unwrap_or_default();
    assert_eq!(date.len(), "Date: Tue, 24 Nov 2026 16:30:30 +0000".len(), "{date}");
    daemon.await_log(Mark::default(), "Remote SMTP server [127.0.0.1]:");
    daemon.await_log(Mark::default(), "SMTP alert successfully sent.");
}

#[test]
fn every_state_is_mailed_once_in_order_and_the_end_too() {
    let node = Node::new(MailServer::agreeing);
    let mut daemon = node.start(&(node.globals("smtp_alert") + &instance("VI_1", 51, "")));
    let from_start = Mark::default();
    node.await_mail(&daemon, from_start, "VRRP Instance VI_1 - Entering MASTER state");
    node.link("down");
    node.await_mail(&daemon, from_start, "VRRP Instance VI_1 - Entering FAULT state");
    let mark = node.server.sessions().mark();
    node.link("up");
    let mail = node.await_mail(&daemon, mark, "VRRP Instance VI_1 - Entering BACKUP state");
    assert!(mail.heard.contains("\r\n=> VRRP Instance is no longer owning VRRP VIPs <=\r\n"));
    node.await_mail(&daemon, mark, "VRRP Instance VI_1 - Entering MASTER state");
    daemon.stop();
    let mail = node.await_mail(&daemon, mark, "VRRP Instance VI_1 - Stopping");
    assert!(mail.heard.contains("\r\n=> VRRP Instance stopping <=\r\n"));
    let states = ["Entering BACKUP state", "Entering MASTER state", "Entering FAULT state"];
    let expected: Vec<String> = states
        .iter()
        .chain(&states[..2])
        .chain(&["Stopping"])
        .map(|event| format!("VRRP Instance VI_1 - {event}"))
        .collect();
    assert_eq!(node.subjects(), expected);
}

#[test]
fn groups_are_mailed_for_their_members() {
    let node = Node::new(MailServer::agreeing);
    let group = "vrrp_sync_group VG {\n group {\n a\n b\n }\n smtp_alert\n}\n";
    let config =
        node.globals("") + &instance("a", 51, "") + &instance("b", 52, "smtp_alert no") + group;
    let mut daemon = node.start(&config);
    let mark = Mark::default();
    let mail = node.await_mail(&daemon, mark, "VRRP Group VG - Entering MASTER state");
    assert!(mail.heard.contains("\r\n=> All VRRP group instances are now in MASTER state <=\r\n"));
    node.link("down");
    node.await_mail(&daemon, mark, "VRRP Group VG - Entering FAULT state");
    daemon.stop();
    let mail = node.await_mail(&daemon, mark, "VRRP Group VG - Stopping");
    assert!(mail.heard.contains("\r\n=> All VRRP group instances are now stopping <=\r\n"));
    assert!(node.subjects().iter().all(|subject| subject.starts_with("VRRP Group VG")));
}

#[test]
fn the_defaults_say_who_is_mailed_about() {
    let node = Node::new(MailServer::agreeing);
    let config = node.globals("smtp_alert no\n smtp_alert_vrrp yes\n no_email_faults")
        + &instance("told", 51, "notify_deleted")
        + &instance("silent", 52, "smtp_alert no");
    let daemon = node.start(&config);
    let mark = Mark::default();
    node.await_mail(&daemon, mark, "VRRP Instance told - Entering MASTER state");
    node.link("down");
    daemon.await_log(mark, "(told) Entering FAULT STATE");
    let mark = node.server.sessions().mark();
    node.link("up");
    // It was mailed that it is master, and a fault is not worth a mail, but being backup is.
    node.await_mail(&daemon, mark, "VRRP Instance told - Entering MASTER state");
    daemon.reload(&(node.globals("smtp_alert_vrrp") + &instance("silent", 52, "smtp_alert no")));
    let mail = node.await_mail(&daemon, mark, "VRRP Instance told - Deleted");
    assert!(mail.heard.contains("\r\n=> VRRP Deleted at reload <=\r\n"));
    let subjects = node.subjects();
    assert!(subjects.iter().all(|subject| subject.starts_with("VRRP Instance told - ")));
    assert!(!subjects.iter().any(|subject| subject.contains("FAULT")), "{subjects:?}");
}

#[test]
fn a_recipient_that_is_refused_costs_the_mail_and_nothing_else() {
    let node = Node::new(|namespace| {
        MailServer::start(namespace, |line| {
            line.contains("<ops@example.com>").then_some("550 unknown")
        })
    });
    let daemon = node.start(&(node.globals("") + &instance("VI_1", 51, "smtp_alert")));
    let refusal = format!(
        "Error processing RCPT cmd on SMTP server [127.0.0.1]:{}. SMTP status code = 550",
        node.server.port()
    );
    daemon.await_log(Mark::default(), &refusal);
    daemon.await_log(Mark::default(), "(VI_1) Entering MASTER STATE");
    let over = node.server.sessions().wait(Mark::default(), PATIENCE, |session| {
        Some(session.heard.ends_with("RCPT TO:<ops@example.com>\r\nQUIT\r\n"))
    });
    assert_eq!(over, Some(true));
}

#[test]
fn a_silent_server_is_given_up_and_holds_up_nobody() {
    let node = Node::new(|namespace| MailServer::start(namespace, |_| Some("999-")));
    let more = "smtp_connect_timeout 1";
    let mut daemon = node.start(&(node.globals(more) + &instance("VI_1", 51, "smtp_alert")));
    let mark = Mark::default();
    let master = daemon.await_log(mark, "(VI_1) Entering MASTER STATE");
    let timeout = daemon.await_log(mark, "Timeout reading data to remote SMTP server [127.0.0.1]:");
    let waited = timeout.at.duration_since(master.at).unwrap_or_default();
    assert!(waited > Duration::from_millis(300), "{waited:?}");
    // Not the 30 seconds that a patient mailer would take.
    daemon.stop();
}

#[test]
fn where_nobody_listens_the_log_says_so() {
    let node = Node::new(MailServer::agreeing);
    let config = node.globals("").replace(&node.server.port().to_string(), "1");
    let daemon = node.start(&(config + &instance("VI_1", 51, "smtp_alert")));
    daemon.await_log(Mark::default(), "SMTP connection ERROR to [127.0.0.1]:1.");
    daemon.await_log(Mark::default(), "(VI_1) Entering MASTER STATE");
}

/// What is not configured is made up from the name of the machine.
#[test]
fn the_machine_lends_its_name() {
    let node = Node::new(MailServer::agreeing);
    let config = format!(
        "global_defs {{\n notification_email {{\n a@example.com\n }}\n smtp_server 127.0.0.1 {}\n smtp_alert\n}}\n{}",
        node.server.port(),
        instance("VI_1", 51, "")
    );
    let daemon = node.start(&config);
    let found = node.server.sessions().wait(Mark::default(), PATIENCE, |one| Some(one.clone()));
    let mail = found.unwrap_or_else(|| panic!("no mail\n{}", daemon.log_text()));
    let machine = mail.heard.lines().next().and_then(|line| line.strip_prefix("HELO "));
    let machine = machine.unwrap_or_default();
    assert!(!machine.is_empty(), "{}", mail.heard);
    assert!(mail.heard.contains(&format!("\r\nMAIL FROM:<root@{machine}>\r\n")), "{}", mail.heard);
    assert!(mail.subject().starts_with(&format!("[{machine}] VRRP Instance VI_1")));
}
