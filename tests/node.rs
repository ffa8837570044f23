//! A node to join: a folder with the few files a system has, a bundle made for it, and calls of the node's tool over both.
//!
//! The folder is no running system, so what only one can do is left to it; all that lies in files is real.

mod resources;
mod tree;

pub use resources::{artifact, memory_cgroup, resources, tool};
pub use tree::{Tree, difference, whole_tree};

use crate::programs;
use anyhow::Context as _;
use desired::identity::Identity;
use desired::manifest::{BundlePath, Deferred, DeferredSource};
use desired::resource::Resource;
use desired::{Arch, ArtifactName, ByteSize, Digest, Mode, NodeName};
use host::archive::Options;
use host::bundle::{Contents, Included};
use host::cache::Cache;
use host::cargo_build::Program;
use host::process::{Invocation, Output};
use host::signature::Signer;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

/// The node's name.
pub const NODE: &str = "rpi-01";
/// The value of the secret that its resources refer to.
pub const SECRET: &str = "correct-horse-battery";
/// The variable it is read from.
pub const VARIABLE: &str = "TRIAL_TOKEN";

/// A node's files and a bundle for it.
#[derive(Debug)]
pub struct Node {
    folder: tempfile::TempDir,
    root: PathBuf,
    artifact: Artifact,
}

/// How its one artifact comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Artifact {
    /// In the bundle.
    Packed,
    /// By the node's own curl.
    Deferred,
}

/// Where the deferred artifact is had from.
pub const ADDRESS: &str = "https://vendor.example/tool";

/// Where its journal lies.
pub const JOURNAL: &str = "/var/lib/rootstock/journal.jsonl";

impl Node {
    /// A node that has what a fresh system has, and a bundle with `resources` for it.
    ///
    /// # Errors
    /// If files can't be made.
    pub fn new(resources: &[Resource]) -> anyhow::Result<Self> {
        Self::with(resources, Artifact::Packed)
    }
    /// The same with an artifact that comes so.
    ///
    /// # Errors
    /// If files can't be made.
    pub fn with(resources: &[Resource], artifact: Artifact) -> anyhow::Result<Self> {
        let folder = programs::scratch()?;
        let root = folder.path().join("root");
        fresh(&root)?;
        let node = Self { folder, root, artifact };
        node.bundle(resources)?;
        Ok(node)
    }
    /// Its file system.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// Makes its files anew, as a fresh system has them.
    ///
    /// # Errors
    /// If files can't be made or removed.
    pub fn renew(&self) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(&self.root)? {
            std::fs::remove_dir_all(entry?.path())?;
        }
        fresh(&self.root)
    }
    /// The folder around it, for what lies outside.
    #[must_use]
    pub fn outside(&self) -> &Path {
        self.folder.path()
    }
    /// A path of the node on this machine.
    #[must_use]
    pub fn at(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }
    /// Its bundle.
    #[must_use]
    pub fn archive(&self) -> PathBuf {
        self.folder.path().join("bundle.tar.gz")
    }
    /// Makes the bundle anew, with these resources and one artifact.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn bundle(&self, resources: &[Resource]) -> anyhow::Result<()> {
        let nodes = BTreeMap::from([(NODE.parse()?, resources.to_vec())]);
        self.written(&program(), nodes, BTreeMap::new(), None, &[])
    }
    /// The same with our program in it, for who has nothing else to start.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn bundle_with_program(&self, resources: &[Resource]) -> anyhow::Result<()> {
        let program = std::fs::read(programs::folder()?.join("bootstrap")).context("read our program")?;
        let nodes = BTreeMap::from([(NODE.parse()?, resources.to_vec())]);
        self.written(&program, nodes, BTreeMap::new(), None, &[])
    }
    /// The same with further files, each as an artifact of that name.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn bundle_with(
        &self,
        resources: &[Resource],
        files: &[(ArtifactName, Vec<u8>)],
    ) -> anyhow::Result<()> {
        let nodes = BTreeMap::from([(NODE.parse()?, resources.to_vec())]);
        self.written(&program(), nodes, BTreeMap::new(), None, files)
    }
    /// The same for several nodes, with marks by which their machines are recognised.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn bundle_for(
        &self,
        nodes: BTreeMap<NodeName, Vec<Resource>>,
        identities: BTreeMap<NodeName, Identity>,
    ) -> anyhow::Result<()> {
        self.written(&program(), nodes, identities, None, &[])
    }
    /// The bundle with `resources`, signed with the secret key in the file `key`.
    ///
    /// # Errors
    /// If it can't be written or signed.
    pub fn signed_bundle(&self, resources: &[Resource], key: &Path) -> anyhow::Result<()> {
        let nodes = BTreeMap::from([(NODE.parse()?, resources.to_vec())]);
        self.written(&program(), nodes, BTreeMap::new(), Some(Signer::read(key, None)?), &[])
    }
    fn written(
        &self,
        program: &[u8],
        nodes: BTreeMap<NodeName, Vec<Resource>>,
        identities: BTreeMap<NodeName, Identity>,
        signer: Option<Signer>,
        files: &[(ArtifactName, Vec<u8>)],
    ) -> anyhow::Result<()> {
        let put = |name: &str, bytes: &[u8]| -> anyhow::Result<(PathBuf, ByteSize, Digest)> {
            let path = self.folder.path().join(name);
            std::fs::write(&path, bytes)?;
            Ok((path, ByteSize(bytes.len() as u64), Digest::sha256_of(bytes)))
        };
        let (path, size, digest) = put("program", program)?;
        let program = Program { arch: Arch::Amd64, path, size, digest };
        let bytes = tool();
        let (size, digest) = (ByteSize(bytes.len() as u64), Digest::sha256_of(&bytes));
        let mut contents = Contents {
            cluster: "vnext".parse()?,
            tool_version: "0.1.0".to_owned(),
            program,
            nodes,
            identities,
            artifacts: Vec::new(),
            deferred: Vec::new(),
            signer,
        };
        let cache = Cache::at(self.folder.path().join("cache"))?;
        let packed = |artifact: ArtifactName, mode: Mode, bytes: &[u8]| -> anyhow::Result<Included> {
            let digest = Digest::sha256_of(bytes);
            std::fs::write(cache.root().join("sha256").join(digest.hex()), bytes)?;
            let content = cache.get(&digest)?.context("it was just put there")?;
            Ok(Included { file: artifact.to_string(), artifact, mode, content })
        };
        for (artifact, bytes) in files {
            contents.artifacts.push(packed(artifact.clone(), Mode::PUBLIC, bytes)?);
        }
        let (artifact, file, mode) = ("tool".parse()?, "tool".to_owned(), Mode::EXECUTABLE);
        match self.artifact {
            Artifact::Packed => contents.artifacts.push(packed(artifact, mode, &bytes)?),
            Artifact::Deferred => contents.deferred.push(Deferred {
                path: BundlePath::artifact(&artifact, &file)?,
                artifact,
                version: "1.2.3".to_owned(),
                file,
                mode,
                digest: Some(digest),
                size: Some(size),
                sources: vec![DeferredSource { url: ADDRESS.to_owned(), digest: None, member: None }],
            }),
        }
        host::bundle::write(&contents, &self.archive(), &Options::new(0), &|_| {})?;
        Ok(())
    }
    /// A call of `verb` on this node.
    ///
    /// # Errors
    /// If the program can't be built.
    pub fn call(&self, verb: &str) -> anyhow::Result<Invocation> {
        Ok(programs::bootstrap()?.args(self.words(verb)).env(VARIABLE, SECRET))
    }
    /// The same without a word on which node it is.
    ///
    /// # Errors
    /// If the program can't be built.
    pub fn unnamed(&self, verb: &str) -> anyhow::Result<Invocation> {
        let call = programs::bootstrap()?.args([verb, "--root"]).arg(&self.root);
        Ok(call.arg("--bundle").arg(self.archive()).env(VARIABLE, SECRET))
    }
    fn words(&self, verb: &str) -> Vec<OsString> {
        let mut words: Vec<OsString> = vec![verb.into(), "--root".into(), self.root.clone().into()];
        if verb != "leave" {
            words.extend(["--node".into(), NODE.into(), "--bundle".into(), self.archive().into()]);
        }
        words
    }
    /// Runs `verb --yes` and kills it with SIGKILL as soon as `is_time` says so, or lets it end before; tells whether it
    /// was killed. The programs it started live on: what they still do is the next run's to wait for.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn killed(&self, verb: &str, mut is_time: impl FnMut(&Self) -> bool) -> anyhow::Result<bool> {
        let mark = self.folder.path().join("pid");
        drop(std::fs::remove_file(&mark));
        // The shell becomes the program, so the number it writes is the program's.
        let words = ["sh", "-c", "echo $$ > \"$0\"; exec \"$@\""];
        let call = programs::answering(Invocation::new(words[0]).args(&words[1..]));
        let call =
            call.arg(&mark).arg(programs::folder()?.join("bootstrap")).args(self.words(verb)).arg("--yes");
        let call = call.env(VARIABLE, SECRET);
        let running = std::thread::spawn(move || call.run().is_ok());
        let pid = loop {
            if let Ok(pid) = std::fs::read_to_string(&mark)
                && let Some(pid) = pid.trim().parse().ok().and_then(Pid::from_raw)
            {
                break pid;
            }
            std::thread::yield_now();
        };
        while !running.is_finished() && !is_time(self) {
            std::thread::yield_now();
        }
        if !running.is_finished() {
            // It may have ended meanwhile, which its answer shows.
            let _ = kill_process(pid, Signal::KILL);
        }
        // It has an answer only if it ended by itself.
        let ended = running.join().map_err(|_| anyhow::anyhow!("the waiting thread failed"))?;
        Ok(!ended)
    }
    /// How many whole lines its journal has.
    #[must_use]
    pub fn journal_lines(&self) -> usize {
        let text = std::fs::read(self.at(JOURNAL)).unwrap_or_default();
        text.iter().filter(|byte| **byte == b'\n').count()
    }
    /// `join --yes` with the secret at hand.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn join(&self) -> anyhow::Result<Output> {
        Ok(self.call("join")?.arg("--yes").run()?)
    }
    /// `leave --yes`.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn leave(&self) -> anyhow::Result<Output> {
        Ok(self.call("leave")?.arg("--yes").run()?)
    }
    /// Everything below the root but the tool's own state.
    ///
    /// # Errors
    /// If it can't be read.
    pub fn tree(&self) -> anyhow::Result<Tree> {
        let mut tree = whole_tree(&self.root)?;
        tree.retain(|path, _| !format!("{path}/").starts_with("var/lib/rootstock/"));
        Ok(tree)
    }
}

/// The few files of a fresh system that resources meet.
fn fresh(root: &Path) -> anyhow::Result<()> {
    let put = |path: &str, text: &str, bits: u32| -> anyhow::Result<()> {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().context("every path has a folder")?)?;
        std::fs::write(&path, text)?;
        Ok(std::fs::set_permissions(&path, std::fs::Permissions::from_mode(bits))?)
    };
    put("etc/passwd", "root:x:0:0::/root:/bin/sh\npi:x:1000:1000::/home/pi:/bin/sh\n", 0o644)?;
    put("etc/group", "root:x:0:\npi:x:1000:\n", 0o644)?;
    put("etc/hostname", "raspberrypi\n", 0o644)?;
    put("etc/hosts", "127.0.0.1 localhost\n127.0.1.1 raspberrypi\n", 0o644)?;
    // No newline at the end, and a mode of its own.
    put("etc/fstab", "UUID=1 / ext4 defaults 0 1", 0o640)?;
    put("etc/motd", "welcome\n", 0o664)?;
    put("etc/edited.conf", "somebody's\n", 0o600)?;
    put("boot/firmware/config.txt", "[all]\narm_64bit=1\n", 0o755)?;
    put("boot/firmware/cmdline.txt", "console=tty1 root=PARTUUID=1-02 rootwait quiet\n", 0o755)?;
    put("var/lib/dpkg/status", "Package: nfs-common\nStatus: install ok installed\n", 0o644)?;
    put("usr/bin/true", "#!/bin/sh\n", 0o755)?;
    symlink("/run/motd", root.join("etc/linked"))?;
    Ok(std::fs::create_dir_all(root.join("home/pi"))?)
}

/// A program for amd64 that nothing here runs: an ELF header with one segment.
fn program() -> Vec<u8> {
    let mut bytes = vec![0; 64 + 56];
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    (bytes[18], bytes[32], bytes[54], bytes[56], bytes[64]) = (62, 64, 56, 1, 1);
    bytes
}
