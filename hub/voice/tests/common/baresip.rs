//! baresip as an owner's telephone: answers at once and records what it hears. Written for version 1.0.0 (Debian 12).

use super::sipp::free_port;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A baresip process; its folder holds its configuration, its words and its recordings.
pub struct Baresip {
    child: Child,
    pub address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Baresip {
    /// Answers calls to `user`. Without a jitter buffer: on loopback nothing overtakes, and what is recorded is what came.
    pub fn start(user: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let path = folder.path().display();
        let modules = std::fs::read_dir("/usr/lib")
            .unwrap()
            .flatten()
            .map(|entry| entry.path());
        // Debian puts them into /usr/lib/baresip or into the folder of the architecture.
        let mut places = modules
            .chain([PathBuf::from("/usr/lib")])
            .map(|at| at.join("baresip/modules"));
        let modules = places
            .find(|at| at.join("g711.so").is_file())
            .expect("baresip's modules; install baresip-core (Debian) if it is missing");
        let config = format!(
            "poll_method epoll\nsip_listen {address}\nnet_interface 127.0.0.1\ncall_max_calls 1\naudio_player aubridge,owner\n\
             audio_source aubridge,owner\naudio_alert aubridge,alert\njitter_buffer_delay 0-0\nsnd_path {path}\nmodule_path {}\n\
             module g711.so\nmodule aubridge.so\nmodule sndfile.so\nmodule_tmp account.so\nmodule_app menu.so\n",
            modules.display()
        );
        std::fs::write(folder.path().join("config"), config).unwrap();
        let account = format!("<sip:{user}@{address}>;regint=0;answermode=auto;audio_codecs=PCMA/8000/1\n");
        std::fs::write(folder.path().join("accounts"), account).unwrap();
        let words = std::fs::File::create(folder.path().join("words")).unwrap();
        let child = Command::new("baresip")
            .arg("-f")
            .arg(folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stderr(words.try_clone().unwrap())
            .stdout(words)
            .spawn()
            .expect("baresip starts; install baresip-core (Debian) if it is missing");
        Self { child, address, folder }
    }

    /// The file of what it hears, from the answer on.
    pub fn recording(&self) -> Option<PathBuf> {
        let files = std::fs::read_dir(self.folder.path()).unwrap().flatten();
        let mut paths = files.map(|file| file.path());
        paths.find(|path| path.to_string_lossy().ends_with("-dec.wav"))
    }

    /// What it said, for the message of a failed test.
    fn words(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("words")).unwrap_or_default()
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("baresip said:\n{}", self.words());
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
