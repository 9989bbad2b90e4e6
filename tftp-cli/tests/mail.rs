//! Mail from our client to our server, as people send it.
#![cfg(target_os = "linux")]

use std::{fs, process::Command, sync::Arc, thread};

use tempfile::tempdir;
use tftp_core::Limits;
use tftp_mio::{
    server::{Config, Server},
    storage::{Folder, Mail, Uploads, WritePolicy},
};

#[test]
fn a_letter_put_in_mail_mode_is_in_the_maildir_of_its_user() {
    let folder = tempdir().unwrap();
    for part in ["mail/tom/tmp", "mail/tom/new", "mail/tom/cur", "root"] {
        fs::create_dir_all(folder.path().join(part)).unwrap();
    }
    fs::write(folder.path().join("letter"), "Dear Tom,\nit works.\n").unwrap();
    let uploads = Uploads { min_free: 0, ..Uploads::default() };
    let files = Folder::open(&folder.path().join("root"), WritePolicy::Never).unwrap();
    let mail = Mail::open(&folder.path().join("mail"), uploads, Box::new(files)).unwrap();
    let config = Config {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        limits: Limits { mail: true, ..Limits::default() },
        ..Config::default()
    };
    let server = Server::bind(&config, Arc::new(mail)).unwrap();
    let (port, stopper) = (server.local_addrs()[0].port().to_string(), server.stopper());
    let running = thread::spawn(move || server.run());

    let put = |to: &str| {
        Command::new(env!("CARGO_BIN_EXE_tftp"))
            .args(["-m", "mail", "127.0.0.1", &port, "-c", "put", "letter", to])
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    let sent = put("tom");
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    let unknown = put("bob");
    assert_eq!(unknown.status.code(), Some(1));
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(said.contains("no such user"), "{said}");

    let mut messages = fs::read_dir(folder.path().join("mail/tom/new")).unwrap();
    let message = fs::read_to_string(messages.next().unwrap().unwrap().path()).unwrap();
    assert!(messages.next().is_none());
    assert!(message.contains("\nReceived: from [127.0.0.1] by "), "{message}");
    assert!(message.ends_with("\n\nDear Tom,\nit works.\n"), "{message}");
    stopper.stop();
    stopper.stop();
    running.join().unwrap().unwrap();
}
