//! A virtual machine: it boots, is called as root over ssh, loses its power, and boots again from the same disk.
//!
//! In: the lab with its guest image. Out: [`Guest`]; dropping it ends the machine and forgets its disk. What the guest has
//! forced to its disk is on this machine's; what it has not is lost with its memory when QEMU is killed, and so is what the
//! image format (qcow2) still held back, as a disk's own cache would.

use super::image::{Image, filled_disk};
use super::line::{self, Line};
use super::qemu::Board;
use crate::lab::Lab;
use crate::lab::daemon::Daemon;
use crate::lab::node::wait_for;
use crate::lab::snapshot::{self, Snapshot};
use crate::programs;
use anyhow::{Context as _, ensure};
use desired::Arch;
use host::process::Invocation;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a guest may take to boot: some twenty seconds when idle, several times that beside a compiler.
const BOOT: Duration = Duration::from_secs(600);
/// Where a guest sees what was put in.
pub const STICK: &str = "/media/stick";

/// What a guest is given.
#[derive(Debug, Clone)]
pub struct Options<'a> {
    /// What its processors understand.
    pub arch: Arch,
    /// Its memory in MiB.
    pub memory: u32,
    /// Further words for its kernel.
    pub kernel_words: Vec<String>,
    /// A folder whose content it sees as [`STICK`] and can't write to.
    pub stick: Option<&'a Path>,
    /// Its address, in a network of 24 bits of its own in which it is alone; the first one is this machine.
    pub address: Ipv4Addr,
    /// A port of its own, and one of this machine that leads there.
    pub serves: Option<(u16, u16)>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        let address = Ipv4Addr::new(10, 0, 2, 15);
        Self { arch: Arch::Amd64, memory: 768, kernel_words: Vec::new(), stick: None, address, serves: None }
    }
}

/// A virtual machine.
#[derive(Debug)]
pub struct Guest<'lab> {
    // Dropped in this order: the machine, then its files.
    running: Option<Running>,
    folder: TempDir,
    board: Board,
    image: &'lab Image,
    memory: u32,
    has_stick: bool,
    address: Ipv4Addr,
    serves: Option<(u16, u16)>,
    kernel_words: Vec<String>,
    boots: u32,
}

/// A machine that is on.
#[derive(Debug)]
struct Running {
    // The line first: it ends with the machine anyway.
    line: Line,
    machine: Daemon,
}

impl<'lab> Guest<'lab> {
    /// A machine with a fresh disk; it is not on yet.
    ///
    /// # Errors
    /// If its disk can't be made.
    pub fn new(lab: &'lab Lab, options: &Options<'_>) -> anyhow::Result<Self> {
        let (image, folder) = (lab.guest_image(options.arch), programs::scratch()?);
        let disk = folder.path().join("disk.qcow2");
        let create = Invocation::new("qemu-img").args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]);
        create.arg(image.disk()).arg(disk).run().context("make a disk")?;
        line::make_key(&folder.path().join("key"))?;
        if let Some(stick) = options.stick {
            let size = format!("{}M", 64 + bytes_below(stick)? * 11 / 10 / (1 << 20));
            let disk = folder.path().join("stick.img");
            filled_disk(&disk, stick, "stick", &size).map_err(|missing| anyhow::anyhow!("{missing}"))?;
        }
        Ok(Self {
            running: None,
            folder,
            board: Board::of(options.arch),
            image,
            memory: options.memory,
            has_stick: options.stick.is_some(),
            address: options.address,
            serves: options.serves,
            kernel_words: options.kernel_words.clone(),
            boots: 0,
        })
    }

    /// The same, booted.
    ///
    /// # Errors
    /// As [`Self::new`] and [`Self::boot`].
    pub fn booted(lab: &'lab Lab, options: &Options<'_>) -> anyhow::Result<Self> {
        let mut guest = Self::new(lab, options)?;
        guest.boot()?;
        Ok(guest)
    }

    /// Other further words for its kernel, from the next boot on.
    pub fn set_kernel_words(&mut self, words: Vec<String>) {
        self.kernel_words = words;
    }

    /// Switches it on and waits until it has booted.
    ///
    /// # Errors
    /// If it does not, or a unit of it fails.
    pub fn boot(&mut self) -> anyhow::Result<()> {
        ensure!(self.running.is_none(), "the machine is on already");
        self.boots += 1;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        drop(std::fs::remove_file(self.console_file()));
        let log = self.folder.path().join("qemu.log");
        let started = Daemon::start(self.board.program, &self.words(port)?, &log);
        let mut machine = started.map_err(|missing| anyhow::anyhow!("{missing}"))?;
        let deadline = Instant::now() + BOOT;
        // A connection that is made before anybody listens hangs for long.
        while !self.console().contains("ssh.service") {
            ensure!(!machine.has_ended(), "qemu has ended: {} {}", machine.last_words(), self.end());
            ensure!(Instant::now() < deadline, "it does not boot within {BOOT:?}: {}", self.end());
            std::thread::sleep(Duration::from_millis(200));
        }
        let (name, key) = (format!("line-{}", self.boots), self.folder.path().join("key"));
        let line = loop {
            match Line::open(self.folder.path(), &name, "root", &key, port) {
                Ok(line) => break line,
                Err(why) => {
                    ensure!(!machine.has_ended(), "qemu has ended: {}", self.end());
                    ensure!(Instant::now() < deadline, "nobody can log in: {why}: {}", self.end());
                    std::thread::sleep(Duration::from_millis(500));
                }
            }
        };
        self.running = Some(Running { line, machine });
        self.wait_booted()?;
        if self.has_stick {
            self.sh(&format!("mkdir -p {STICK} && mount -o ro LABEL=stick {STICK}"))?;
        }
        Ok(())
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
        drop(self.call(&["systemctl", "poweroff"]).run());
        let mut running = self.running.take().context("the machine is not on")?;
        wait_for("it switches itself off", Duration::from_secs(600), || {
            Ok(running.machine.has_ended().then_some(()))
        })
        .with_context(|| self.end())
    }

    /// A call of a program on it, as root; what the call is given on standard input gets there.
    ///
    /// # Panics
    /// If it is not on.
    #[must_use]
    pub fn call(&self, words: &[&str]) -> Invocation {
        self.running.as_ref().expect("the machine is on").line.call(words)
    }

    /// Standard output of a script that must succeed.
    ///
    /// # Errors
    /// If it does not.
    pub fn sh(&self, script: &str) -> anyhow::Result<String> {
        let output = self.call(&["sh", "-c", script]).run();
        Ok(output.with_context(|| format!("in the guest; its console ends: {}", self.end()))?.text())
    }

    /// A call of the product on it, from the stick; every exit code is an answer.
    ///
    /// # Errors
    /// If the guest does not answer.
    pub fn bootstrap(&self, words: &[&str]) -> anyhow::Result<host::process::Output> {
        let program = format!("{STICK}/bootstrap");
        let call = self.call(&[&[program.as_str()], words].concat());
        // 255 is ssh's own, for a connection that broke.
        call.accept((0..255).collect::<Vec<_>>()).run().context("bootstrap in the guest")
    }

    /// What it is, as far as it can be listed.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn snapshot(&self) -> anyhow::Result<Snapshot> {
        Ok(snapshot::read(&self.sh(snapshot::LIST)?))
    }

    /// The last lines of its console, for messages.
    #[must_use]
    pub fn end(&self) -> String {
        let console = self.console();
        let lines: Vec<&str> = console.lines().map(str::trim_end).collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    fn console(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.console_file()).unwrap_or_default()).into_owned()
    }

    fn console_file(&self) -> PathBuf {
        self.folder.path().join("console.log")
    }

    fn words(&self, port: u16) -> anyhow::Result<Vec<OsString>> {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let [a, b, c, _] = self.address.octets();
        let mut network = format!(
            "user,id=net,net={a}.{b}.{c}.0/24,host={a}.{b}.{c}.2,dhcpstart={},hostfwd=tcp:127.0.0.1:{port}-:22",
            self.address
        );
        if let Some((own, here)) = self.serves {
            write!(network, ",hostfwd=tcp:127.0.0.1:{here}-:{own}")?;
        }
        let memory = self.memory.to_string();
        // Flushes of the guest reach this machine's disk; the default, said because everything here depends on it.
        let disk = format!("if=none,id=root,format=qcow2,cache=writeback,file={}", at("disk.qcow2"));
        let console = format!("file:{}", at("console.log"));
        let kernel = self.image.kernel().display().to_string();
        let key = std::fs::read_to_string(self.folder.path().join("key.pub"))?;
        let board = self.board;
        let own = self.kernel_words.join(" ");
        let append = format!(
            "root=/dev/nvme0n1 rw console={} panic=-1 net.ifnames=0 systemd.show_status=1 {own} \
             \"systemd.set_credential=ssh.authorized_keys.root:{}\"",
            board.serial,
            key.trim()
        );
        let mut words: Vec<OsString> = [
            ["-accel", "tcg,thread=multi"],
            ["-M", board.machine],
            ["-cpu", board.processor],
            ["-smp", "2"],
            ["-m", &memory],
            ["-display", "none"],
            ["-serial", &console],
            ["-device", "virtio-rng-pci"],
            ["-drive", &disk],
            ["-device", "nvme,drive=root,serial=root"],
            ["-netdev", &network],
            ["-device", "virtio-net-pci,netdev=net,romfile="],
            ["-kernel", &kernel],
            ["-append", &append],
        ]
        .concat()
        .into_iter()
        .map(OsString::from)
        .collect();
        words.extend(["-nodefaults", "-no-reboot"].map(OsString::from));
        if self.has_stick {
            let stick = format!("if=none,id=stick,format=raw,readonly=on,file={}", at("stick.img"));
            // On another bus than the root, whose name would otherwise depend on which of both is found first.
            words.extend(["-drive", &stick, "-device", "virtio-blk-pci,drive=stick"].map(OsString::from));
        }
        Ok(words)
    }

    fn wait_booted(&self) -> anyhow::Result<()> {
        let ask =
            self.call(&["systemctl", "is-system-running", "--wait"]).accept((0..255).collect::<Vec<_>>());
        match ask.timeout(BOOT).run()?.text().as_str() {
            "running" => Ok(()),
            state => {
                let failed = self.sh("systemctl --failed --no-legend --plain")?;
                // There is no time server here, and a joined machine says so for as long as it is not set right by hand.
                let expected = |line: &str| line.starts_with("systemd-time-wait-sync.service ");
                ensure!(
                    state == "degraded" && failed.lines().all(expected),
                    "the guest is {state}: {failed}"
                );
                Ok(())
            }
        }
    }
}

fn bytes_below(folder: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum += if metadata.is_dir() { bytes_below(&entry.path())? } else { metadata.len() };
    }
    Ok(sum)
}
