//! The machine around a card: QEMU, its console, and the lines into it.

use super::firmware::Start;
use crate::lab::daemon::Daemon;
use crate::lab::node::wait_for;
use crate::programs;
use crate::vm::line::{self, Line};
use crate::vm::qemu::Board;
use anyhow::{Context as _, bail, ensure};
use desired::Arch;
use host::process::{Invocation, Output};
use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a first boot may take: a minute when idle, several times that beside a compiler.
const FIRST_BOOT: Duration = Duration::from_secs(1500);
/// Gives systemd a key for root that the card does not hold.
const ROOT_KEY: &str = "opt/io.systemd.credentials/ssh.authorized_keys.root";

/// What a machine is.
#[derive(Debug, Clone)]
pub struct Options {
    /// What its processors understand.
    pub arch: Arch,
    /// Its memory in MiB.
    pub memory: u32,
    /// How long the medium is, in bytes; a card's image is as long as its base.
    pub medium: u64,
    /// The address that its card gives it, in a network of 24 bits whose second one is the gateway and this machine.
    pub address: Ipv4Addr,
    /// Who else is in its network, and where that is from here.
    pub others: Vec<Other>,
}

/// A port of another machine, as a card's machine sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Other {
    /// Its address in the machine's network.
    pub seen_as: SocketAddrV4,
    /// Where it listens in truth, or one day will.
    pub is: SocketAddrV4,
}

/// A machine with a card in it.
#[derive(Debug)]
pub struct Machine {
    // Dropped in this order: the machine, then its files.
    running: Option<Running>,
    folder: TempDir,
    options: Options,
    boots: u32,
}

/// A machine that is on.
#[derive(Debug)]
struct Running {
    // The line first: it ends with the machine anyway.
    root: Option<Line>,
    machine: Daemon,
    port: u16,
}

/// Units that are queued or being started; one that waits for its next try is in no queue.
const STARTING: &str = "systemctl list-jobs --no-legend --plain | awk 'NF == 4 { print $2 }'
    systemctl list-units --all --state=activating --no-legend --plain | awk '{ print $1 }'";

impl Machine {
    /// A machine with a medium of its own, which holds what the card's image holds; it is not on yet.
    ///
    /// # Errors
    /// If there is no space for the medium.
    pub fn new(card: &Path, options: Options) -> anyhow::Result<Self> {
        let folder = programs::scratch()?;
        let medium = folder.path().join("medium.img");
        Invocation::new("cp").args(["--sparse=always", "--reflink=auto"]).arg(card).arg(&medium).run()?;
        let file = File::options().write(true).open(&medium)?;
        ensure!(file.metadata()?.len() <= options.medium, "the card's image is longer than the medium");
        file.set_len(options.medium)?;
        line::make_key(&folder.path().join("key"))?;
        Ok(Self { running: None, folder, options, boots: 0 })
    }

    /// What is in its slot: to be read while it is off.
    #[must_use]
    pub fn medium(&self) -> PathBuf {
        self.folder.path().join("medium.img")
    }

    /// Switches it on, with what the firmware finds on the medium.
    ///
    /// # Errors
    /// If the medium does not boot, or QEMU does not start.
    pub fn switch_on(&mut self) -> anyhow::Result<()> {
        ensure!(self.running.is_none(), "the machine is on already");
        self.boots += 1;
        let start = Start::of(&self.medium())?;
        let kernel = self.folder.path().join("kernel");
        std::fs::write(&kernel, &start.kernel)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let words = self.words(&kernel, &start.line, port)?;
        let log = self.folder.path().join("qemu.log");
        let started = Daemon::start(Board::of(self.options.arch).program, &words, &log);
        let machine = started.map_err(|missing| anyhow::anyhow!("{missing}"))?;
        self.running = Some(Running { root: None, machine, port });
        Ok(())
    }

    /// Waits until somebody can log in as root.
    ///
    /// # Errors
    /// If nobody can in time, or QEMU ends.
    pub fn wait_for_login(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + FIRST_BOOT;
        let name = format!("root-{}", self.boots);
        let mut why = "nothing answers".to_owned();
        loop {
            let console = self.end();
            let key = self.folder.path().join("key");
            let running = self.running.as_mut().context("the machine is not on")?;
            ensure!(!running.machine.has_ended(), "qemu ended: {} {console}", running.machine.last_words());
            ensure!(!console.contains("Kernel panic"), "the kernel gave up: {console}");
            ensure!(Instant::now() < deadline, "nobody can log in: {why}; its console ends: {console}");
            if line::answers(running.port) {
                match Line::open(self.folder.path(), &name, "root", &key, running.port) {
                    Ok(line) => {
                        running.root = Some(line);
                        return Ok(());
                    }
                    Err(said) => why = said,
                }
            }
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Waits until everything that starts with the machine has been started, but for `orphans`, which may try for ever, and
    /// tells which units have failed.
    ///
    /// # Errors
    /// If it does not get there, or does not answer.
    pub fn wait_booted(&self, orphans: &[String]) -> anyhow::Result<Vec<String>> {
        let units = |script: &str| -> anyhow::Result<Vec<String>> {
            let names = self.sh(script)?.lines().map(str::to_owned).collect::<Vec<_>>();
            Ok(names.into_iter().filter(|name| !orphans.contains(name)).collect())
        };
        let mut left = Vec::new();
        let waited = wait_for("all has started", FIRST_BOOT, || {
            left = units(STARTING)?;
            Ok(left.is_empty().then_some(()))
        });
        waited.with_context(|| format!("still at work: {}; {}", left.join(", "), self.end()))?;
        units("systemctl --failed --no-legend --plain | cut -d' ' -f1")
    }

    /// Logs in as somebody else, with a key that the card allows.
    ///
    /// # Errors
    /// If that key is not let in.
    pub fn log_in(&self, user: &str, key: &Path) -> anyhow::Result<Line> {
        let running = self.running.as_ref().context("the machine is not on")?;
        let name = format!("{user}-{}", self.boots);
        let line = Line::open(self.folder.path(), &name, user, key, running.port);
        line.map_err(|why| anyhow::anyhow!("{user} can't log in: {why}"))
    }

    /// A call of a program on it, as root.
    ///
    /// # Errors
    /// If nobody has logged in yet.
    pub fn call(&self, words: &[&str]) -> anyhow::Result<Invocation> {
        let line = self.running.as_ref().and_then(|running| running.root.as_ref());
        Ok(line.context("nobody has logged in")?.call(words))
    }

    /// Standard output of a script that must succeed, as root.
    ///
    /// # Errors
    /// If it does not.
    pub fn sh(&self, script: &str) -> anyhow::Result<String> {
        let output = self.call(&["sh", "-c", script])?.run();
        Ok(output.with_context(|| format!("on the machine; its console ends: {}", self.end()))?.text())
    }

    /// A call of the product's program, as root; every exit code is an answer.
    ///
    /// # Errors
    /// If the machine does not answer.
    pub fn bootstrap(&self, words: &[&str]) -> anyhow::Result<Output> {
        let call = self.call(&[&["/usr/local/bin/bootstrap"], words].concat())?;
        // 255 is ssh's own, for a connection that broke.
        call.accept((0..255).collect::<Vec<_>>()).run().context("bootstrap on the machine")
    }

    /// Takes its power away.
    ///
    /// # Errors
    /// If it is not on.
    pub fn power_cut(&mut self) -> anyhow::Result<()> {
        let running = self.running.take().context("the machine is not on")?;
        running.machine.kill().context("kill qemu")
    }

    /// Shuts it down in order.
    ///
    /// # Errors
    /// If it does not end.
    pub fn shut_down(&mut self) -> anyhow::Result<()> {
        // It may hang up before it answers.
        drop(self.call(&["systemctl", "poweroff"])?.run());
        let mut running = self.running.take().context("the machine is not on")?;
        wait_for("it switches itself off", Duration::from_secs(300), || {
            Ok(running.machine.has_ended().then_some(()))
        })
        .with_context(|| self.end())
    }

    /// What its console has shown since it was switched on.
    #[must_use]
    pub fn console(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.console_file()).unwrap_or_default()).into_owned()
    }

    /// The last lines of its console, for messages.
    #[must_use]
    pub fn end(&self) -> String {
        let console = self.console();
        let lines: Vec<&str> = console.lines().map(str::trim_end).collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    fn console_file(&self) -> PathBuf {
        self.folder.path().join(format!("console-{}.log", self.boots))
    }

    fn words(&self, kernel: &Path, line: &str, port: u16) -> anyhow::Result<Vec<OsString>> {
        let board = Board::of(self.options.arch);
        let address = self.options.address;
        let [a, b, c, own] = address.octets();
        // Whoever asks for an address gets another one than the card's: a login shows that the card's is used.
        let other = Ipv4Addr::new(a, b, c, own ^ 128);
        let mut network = format!(
            "user,id=net,net={a}.{b}.{c}.0/24,host={a}.{b}.{c}.2,dns={a}.{b}.{c}.3,dhcpstart={other},\
             hostfwd=tcp:127.0.0.1:{port}-{address}:22"
        );
        for Other { seen_as, is } in &self.options.others {
            write!(network, ",guestfwd=tcp:{seen_as}-cmd:nc -N {} {}", is.ip(), is.port())?;
        }
        let medium = format!("if=none,id=card,format=raw,cache=writeback,file={}", self.medium().display());
        let key = std::fs::read_to_string(self.folder.path().join("key.pub"))?;
        let credential = format!("name={ROOT_KEY},string={}", key.trim());
        if key.contains(',') {
            bail!("the key can't be handed to QEMU: {key}");
        }
        let (memory, console) =
            (self.options.memory.to_string(), format!("file:{}", self.console_file().display()));
        let kernel = kernel.display().to_string();
        let pairs = [
            ["-accel", "tcg,thread=multi"],
            ["-M", board.machine],
            ["-cpu", board.processor],
            ["-smp", "2"],
            ["-m", &memory],
            ["-display", "none"],
            ["-serial", &console],
            ["-device", "virtio-rng-pci"],
            ["-drive", &medium],
            ["-device", "nvme,drive=card,serial=card"],
            ["-netdev", &network],
            ["-device", "virtio-net-pci,netdev=net,romfile="],
            ["-fw_cfg", &credential],
            ["-kernel", &kernel],
            ["-append", line],
        ];
        let words = pairs.concat().into_iter().chain(["-nodefaults", "-no-reboot"]);
        Ok(words.map(OsString::from).collect())
    }
}
