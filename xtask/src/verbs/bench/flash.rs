//! Writing cards: ours, verified and read back, against what writes without looking, and eight cards against one.
//!
//! Media are files whose blocks are there already, in one temporary folder: the disk below them is the same for
//! all ways. The image is that of SPEED 1, made here by mkfs.vfat and mke2fs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use desired::ByteSize;
use host::disk::base::Base;
use host::disk::medium::Medium;
use host::disk::overlay::{Overlay, Patch};
use host::disk::write::{Options, Target, Written, write};
use host::process::{Invocation, find_program};
use host::report::{Report, Style};

use super::{Row, Way, in_turns, input};

const MIB: u64 = 1 << 20;
/// Where the partitions lie and how long they are, in MiB.
const BOOT: (u64, u64) = (1, 512);
const ROOT: (u64, u64) = (513, 2047);
/// How long any of the peers' programs may take: xz needs minutes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(1800);
/// A little longer than the image, so that eight fit on a machine.
const CARD: u64 = 2600 * MIB;
/// DESIGN 8: against bmaptool with the same input, and eight cards against one.
const AIM_ZSTD: f64 = 0.65;
const AIM_XZ: f64 = 0.55;
const AIM_EIGHT: f64 = 1.1;
const NEEDED: [&str; 5] = ["sfdisk", "mkfs.vfat", "mcopy", "mke2fs", "zstd"];
/// What a shell is told, with the packed file and the medium as its words: a pipe cannot be had otherwise.
const DD: &str = "dd of=\"$2\" bs=4M conv=fsync,notrunc status=none";

/// Times all ways that this machine has.
pub(super) fn compare(rounds: u32) -> anyhow::Result<Vec<Row>> {
    if let Some(missing) = NEEDED.into_iter().find(|program| find_program(program).is_none()) {
        let note = format!("missing: {missing} (apt-get install fdisk dosfstools mtools e2fsprogs zstd)");
        return Ok(vec![row("card", "rootstock", None, None, None, note)]);
    }
    let folder = tempfile::Builder::new()
        .prefix("rootstock-bench-")
        .tempdir_in(host::disk::base::Spool::usual_folder());
    let folder = folder.context("create a temporary folder")?;
    let inputs = Inputs::make(folder.path())?;
    let mut rows = inputs.packing(rounds, "zst", AIM_ZSTD)?;
    rows.extend(inputs.packing(rounds, "xz", AIM_XZ)?);
    rows.extend(inputs.eight(rounds)?);
    Ok(rows)
}

fn row(
    input: &str,
    way: &str,
    seconds: Option<f64>,
    ratio: Option<f64>,
    aim: Option<f64>,
    note: String,
) -> Row {
    Row { input: input.to_owned(), way: way.to_owned(), seconds, ratio, aim, note }
}

/// The image, packed, and its map for those who need one.
struct Inputs {
    folder: PathBuf,
    has_map: bool,
}

impl Inputs {
    fn make(folder: &Path) -> anyhow::Result<Self> {
        let raw = folder.join("base.img");
        make_image(folder, &raw)?;
        let has_map = find_program("bmaptool").is_some();
        if has_map {
            Invocation::new("bmaptool")
                .args(["create", "-o"])
                .arg(folder.join("base.bmap"))
                .arg(&raw)
                .timeout(PATIENCE)
                .run()?;
        }
        Invocation::new("zstd").args(["-q", "-3", "-T2", "-k"]).arg(&raw).timeout(PATIENCE).run()?;
        if find_program("xz").is_some() {
            Invocation::new("xz")
                .args(["-1", "-T2", "-k", "--block-size=24MiB"])
                .arg(&raw)
                .timeout(PATIENCE)
                .run()?;
        }
        fs::remove_file(&raw).context("remove the image")?;
        Ok(Self { folder: folder.to_owned(), has_map })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A medium whose blocks are all there.
    fn medium(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.path(name);
        if !path.exists() {
            let file = File::create(&path).context("make a medium")?;
            take_room(&file, CARD)?;
        }
        Ok(path)
    }

    /// One card of an image packed so.
    fn packing(&self, rounds: u32, packing: &'static str, aim: f64) -> anyhow::Result<Vec<Row>> {
        let packed = self.path(&format!("base.img.{packing}"));
        let name =
            if packing == "xz" { "card of 2.5 GiB, xz of many blocks" } else { "card of 2.5 GiB, zstd" };
        if !packed.exists() {
            return Ok(vec![row(
                name,
                "rootstock",
                None,
                None,
                None,
                "missing: apt-get install xz-utils".to_owned(),
            )]);
        }
        let (card, piped) = (self.medium("ours")?, self.medium("theirs")?);
        let mut done: Option<(Written, ByteSize)> = None;
        let pipe = format!("{} -dc \"$1\" | {DD}", if packing == "xz" { "xz -T2" } else { "zstd" });
        let piped =
            Invocation::new("sh").args(["-c", &pipe, "sh"]).arg(&packed).arg(&piped).timeout(PATIENCE);
        let mapped = Invocation::new("bmaptool").arg("copy").arg("--bmap").arg(self.path("base.bmap"));
        let mapped = mapped.arg(&packed).arg(self.medium("theirs")?).timeout(PATIENCE);
        let mut ways = vec![
            Way {
                name: "rootstock",
                work: Box::new(|| {
                    done = Some(ours(&packed, std::slice::from_ref(&card))?);
                    Ok(())
                }),
            },
            Way { name: "decode | dd", work: Box::new(move || Ok(piped.run().map(drop)?)) },
        ];
        if self.has_map {
            ways.push(Way { name: "bmaptool", work: Box::new(move || Ok(mapped.run().map(drop)?)) });
        }
        let seconds = in_turns(rounds, &mut ways)?;
        drop(ways);
        let (written, memory) = done.context("it was not timed")?;
        let note = format!(
            "verified and read back; {} written, {} in use, {memory} of memory; write {:.2} s, read back {:.2} s",
            written.written, written.allocated, written.write_seconds, written.read_back_seconds
        );
        let (own, dd, mapped) = (seconds[0], seconds[1], seconds.get(2).copied());
        let missing = "missing: apt-get install bmap-tools".to_owned();
        Ok(vec![
            row(name, "rootstock : bmaptool", Some(own), mapped.map(|theirs| own / theirs), Some(aim), note),
            row(name, "rootstock : decode | dd", Some(own), Some(own / dd), Some(1.0), String::new()),
            row(name, "decode | dd", Some(dd), Some(1.0), None, "nothing verified".to_owned()),
            row(
                name,
                "bmaptool",
                mapped,
                mapped.map(|_| 1.0),
                None,
                if self.has_map { String::new() } else { missing },
            ),
        ])
    }

    /// Eight cards, each another one, against one.
    fn eight(&self, rounds: u32) -> anyhow::Result<Vec<Row>> {
        let packed = self.path("base.img.zst");
        let media = ["ours", "theirs", "3", "4", "5", "6", "7", "8"].map(|name| self.medium(name));
        let media = media.into_iter().collect::<anyhow::Result<Vec<_>>>();
        let media = match media {
            Ok(media) => media,
            Err(error) => {
                let note = format!("not timed, eight media take {}: {error:#}", ByteSize(8 * CARD));
                return Ok(vec![row(
                    "distinct cards, zstd",
                    "eight cards",
                    None,
                    None,
                    Some(AIM_EIGHT),
                    note,
                )]);
            }
        };
        let mut memory = ByteSize(0);
        let mut ways = vec![
            Way { name: "one card", work: Box::new(|| ours(&packed, &media[..1]).map(drop)) },
            Way {
                name: "eight cards",
                work: Box::new(|| {
                    memory = ours(&packed, &media)?.1;
                    Ok(())
                }),
            },
        ];
        let seconds = in_turns(rounds, &mut ways)?;
        drop(ways);
        let name = "distinct cards, zstd";
        let note = format!("{memory} of memory; all eight media are files of one disk, which bounds it");
        let ratio = seconds[1] / seconds[0];
        Ok(vec![
            row(name, "one card", Some(seconds[0]), Some(1.0), None, String::new()),
            row(name, "eight cards", Some(seconds[1]), Some(ratio), Some(AIM_EIGHT), note),
        ])
    }
}

fn take_room(file: &File, size: u64) -> anyhow::Result<()> {
    rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, size)
        .context("take room for a medium")
}

/// Writes a card on each medium; gives what was done for the first, and the most memory that was taken at once.
fn ours(packed: &Path, media: &[PathBuf]) -> anyhow::Result<(Written, ByteSize)> {
    // The highest so far is forgotten where the system lets us.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let base = Base::open(packed, None)?;
    let targets = media.iter().enumerate().map(|(at, path)| {
        let patch = patch(&base, at)?;
        Ok(Target { name: format!("node-{at}"), medium: Medium::file(path)?, patch })
    });
    let targets = targets.collect::<anyhow::Result<Vec<_>>>()?;
    let mut first = None;
    for (name, result) in write(base, targets, &Options::default(), &Report::new(Style::Quiet)) {
        let written = result.with_context(|| format!("write {name}"))?;
        first.get_or_insert(written);
    }
    Ok((first.context("there is a medium")?, highest_memory()?))
}

/// Some blocks that no other card has, at the end of the boot partition.
fn patch(base: &Base, number: usize) -> anyhow::Result<Patch> {
    use std::io::{Seek as _, SeekFrom, Write as _};
    let mut overlay = Overlay::new(base.head(), BOOT.0 * MIB, BOOT.1 * MIB);
    overlay.seek(SeekFrom::End(-(8 * MIB).cast_signed()))?;
    overlay.write_all(&input::noise(4 << 20, number as u64 + 1))?;
    Ok(overlay.into_patch()?)
}

fn highest_memory() -> anyhow::Result<ByteSize> {
    let status = fs::read_to_string("/proc/self/status").context("read /proc/self/status")?;
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    Ok(ByteSize(kib.unwrap_or(0_u64) * 1024))
}

/// Table, boot partition and root as in SPEED 1, with fixed names and dates.
fn make_image(folder: &Path, raw: &Path) -> anyhow::Result<()> {
    let (boot, root) = (folder.join("boot"), folder.join("root"));
    for number in 0..55 {
        input::write(&boot.join(format!("noise-{number}")), &input::noise(1_000_000, number))?;
    }
    input::write(&boot.join("config.txt"), &input::text(1_000_000, 5))?;
    for number in 0..6000_u64 {
        let file = root.join(format!("usr/{:03}/file-{number:04}", number % 200));
        // 250 MB of noise and 830 MB of text.
        let noise = number % 24 == 0;
        let bytes = if noise { input::noise(1_000_000, number) } else { input::text(144_000, number) };
        input::write(&file, &bytes)?;
    }
    File::create(raw)?.set_len((ROOT.0 + ROOT.1) * MIB)?;
    let script = format!(
        "label: dos\nlabel-id: 0x12345678\nstart={}MiB, size={}MiB, type=c\nstart={}MiB, size={}MiB, type=83\n",
        BOOT.0, BOOT.1, ROOT.0, ROOT.1
    );
    Invocation::new("sfdisk").arg("--quiet").arg(raw).stdin(script.into_bytes()).run()?;
    let (offset, blocks) = ((BOOT.0 * MIB / 512).to_string(), (BOOT.1 * 1024).to_string());
    let fat = ["-F", "32", "-S", "512", "-i", "12345678", "-n", "bootfs", "--offset", &offset];
    Invocation::new("mkfs.vfat").args(fat).arg(raw).arg(blocks).run()?;
    let at = format!("{}@@{}", raw.display(), BOOT.0 * MIB);
    let files = fs::read_dir(&boot)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(files.len() == 56, "{} files in the boot partition", files.len());
    Invocation::new("mcopy").args(["-i", &at]).args(files).arg("::/").run()?;
    let extended = format!("offset={},root_owner=0:0", ROOT.0 * MIB);
    let ext4 = ["-q", "-F", "-t", "ext4", "-L", "rootfs", "-E", &extended, "-d"];
    Invocation::new("mke2fs").args(ext4).arg(&root).arg(raw).arg(format!("{}M", ROOT.1)).run()?;
    fs::remove_dir_all(&root).context("remove the files of the root")?;
    fs::remove_dir_all(&boot).context("remove the files of the boot partition")
}
