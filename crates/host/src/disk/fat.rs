//! FAT12, FAT16 and FAT32, read only: its clusters in use, its folders, its files.
//!
//! In: a partition. Out: what lies in it. The layout is that of Microsoft's FAT specification of 2005 (its section and
//! field names are used here); the kind follows from the count of clusters alone, as it demands.

use std::ops::Range;

use super::read::{u16_at, u32_at};
use super::{DiskError, ReadAt, Used};

const WHAT: &str = "FAT";
/// No file of a boot partition that is read whole is longer.
const LONGEST: u32 = 64 << 20;
/// More entries than this in one folder are no folder.
const MOST_ENTRIES: usize = 65_536;
const ENTRY: usize = 32;

/// Which of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 12 bits an entry.
    Fat12,
    /// 16 bits.
    Fat16,
    /// 28 bits of 32.
    Fat32,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Fat12 => "FAT12",
            Self::Fat16 => "FAT16",
            Self::Fat32 => "FAT32",
        })
    }
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its long name, or the short one where it has no other.
    pub name: String,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Its length in bytes; 0 for folders.
    pub size: u32,
    first: u32,
}

/// A file system.
#[derive(Debug)]
pub struct Fat<'a, R: ?Sized> {
    disk: &'a R,
    /// Which of the three.
    pub kind: Kind,
    /// The volume's name, as the root folder has it.
    pub label: String,
    cluster: u64,
    /// The first table.
    table: Vec<u8>,
    clusters: u32,
    root: Root,
    data: u64,
    /// Where the boot sector and its copy are; the copy is FAT32's alone.
    boot_sectors: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
enum Root {
    /// A place of its own, by offset and length.
    Fixed(u64, usize),
    /// A folder as any other, by its first cluster.
    Cluster(u32),
}

impl<'a, R: ReadAt + ?Sized> Fat<'a, R> {
    /// Opens the file system that `disk`, a partition, holds; none if it holds no FAT.
    ///
    /// # Errors
    /// [`DiskError`] if it is one and damaged.
    pub fn open(disk: &'a R) -> Result<Option<Self>, DiskError> {
        let Ok(boot) = disk.bytes(0, 512) else { return Ok(None) };
        let sector = u16_at(&boot, 11);
        let is_jump = (boot[0] == 0xeb && boot[2] == 0x90) || boot[0] == 0xe9;
        if u16_at(&boot, 510) != 0xaa55 || !is_jump || !matches!(sector, 512 | 1024 | 2048 | 4096) {
            return Ok(None);
        }
        let damaged = |why: &str| DiskError::damaged(WHAT, why);
        let (per_cluster, reserved, tables) = (boot[13], u16_at(&boot, 14), boot[16]);
        if !per_cluster.is_power_of_two() || reserved == 0 || !(1..=2).contains(&tables) {
            return Err(damaged("its boot sector contradicts itself"));
        }
        let sector = u64::from(sector);
        let root_entries = usize::from(u16_at(&boot, 17));
        let sectors = match u16_at(&boot, 19) {
            0 => u64::from(u32_at(&boot, 32)),
            few => u64::from(few),
        };
        let table_sectors = match u16_at(&boot, 22) {
            0 => u64::from(u32_at(&boot, 36)),
            few => u64::from(few),
        };
        if sectors * sector > disk.size() {
            return Err(damaged("it is longer than its partition"));
        }
        let table_at = u64::from(reserved) * sector;
        let root_at = table_at + u64::from(tables) * table_sectors * sector;
        let data = root_at + ((root_entries * ENTRY) as u64).div_ceil(sector) * sector;
        let cluster = u64::from(per_cluster) * sector;
        let clusters =
            (sectors * sector).checked_sub(data).ok_or_else(|| damaged("it has no room for data"))? / cluster;
        let kind = match clusters {
            0..4085 => Kind::Fat12,
            4085..65525 => Kind::Fat16,
            _ => Kind::Fat32,
        };
        let clusters =
            u32::try_from(clusters).map_err(|_| damaged("it has more clusters than it can name"))?;
        let table_size = usize::try_from(table_sectors * sector).unwrap_or(usize::MAX);
        let needed = match kind {
            Kind::Fat12 => (clusters as usize + 1) * 3 / 2 + 2,
            Kind::Fat16 => (clusters as usize + 2) * 2,
            Kind::Fat32 => (clusters as usize + 2) * 4,
        };
        if table_size < needed {
            return Err(damaged("its table is shorter than its clusters"));
        }
        let table = disk.bytes(table_at, table_size)?;
        let root = match kind {
            Kind::Fat32 => Root::Cluster(u32_at(&boot, 44)),
            _ => Root::Fixed(root_at, root_entries * ENTRY),
        };
        let copy = Some(u64::from(u16_at(&boot, 50)) * sector).filter(|at| (1..table_at).contains(at));
        let boot_sectors = std::iter::once(0).chain(copy).collect();
        let mut fat =
            Self { disk, kind, label: String::new(), cluster, table, clusters, root, data, boot_sectors };
        fat.label = fat.find_label()?;
        Ok(Some(fat))
    }

    /// What follows `cluster` in its chain: another cluster, 0 for a free one, or anything above for an end.
    fn next(&self, cluster: u32) -> u32 {
        let at = cluster as usize;
        match self.kind {
            Kind::Fat12 => {
                let pair = u16_at(&self.table, at * 3 / 2);
                u32::from(if at.is_multiple_of(2) { pair & 0xfff } else { pair >> 4 })
            }
            Kind::Fat16 => u32::from(u16_at(&self.table, at * 2)),
            Kind::Fat32 => u32_at(&self.table, at * 4) & 0x0fff_ffff,
        }
    }

    fn is_cluster(&self, cluster: u32) -> bool {
        (2..self.clusters.saturating_add(2)).contains(&cluster)
    }

    fn place(&self, cluster: u32) -> Range<u64> {
        let start = self.data + u64::from(cluster - 2) * self.cluster;
        start..start + self.cluster
    }

    /// All bytes that are in use: boot sectors, tables, root folder, and every cluster that is not free.
    #[must_use]
    pub fn used(&self) -> Used {
        let taken = (2..self.clusters + 2).filter(|cluster| self.next(*cluster) != 0);
        Used::of(std::iter::once(0..self.data).chain(taken.map(|cluster| self.place(cluster))).collect())
    }

    /// How many bytes are free.
    pub(super) fn free(&self) -> u64 {
        (2..self.clusters + 2).filter(|cluster| self.next(*cluster) == 0).count() as u64 * self.cluster
    }

    /// Bytes in a cluster.
    pub(super) const fn cluster(&self) -> u64 {
        self.cluster
    }

    /// Where in the boot sector and its copy the volume's name stands, in bytes from the volume's start.
    pub(super) fn label_places(&self) -> Vec<u64> {
        match self.kind {
            Kind::Fat32 => self.boot_sectors.iter().map(|at| at + 71).collect(),
            Kind::Fat12 | Kind::Fat16 => vec![43],
        }
    }

    /// Where the content of the folder at `path` begins, if there is one below the root.
    pub(super) fn folder_place(&self, path: &str) -> Result<Option<u64>, DiskError> {
        let Some(Some(entry)) = self.find(path)? else { return Ok(None) };
        let is_there = entry.is_folder && self.is_cluster(entry.first);
        Ok(is_there.then(|| self.place(entry.first).start))
    }

    /// The place of the root folder's entry for the volume's name, or of a free one.
    pub(super) fn label_slot(&self) -> Result<Option<u64>, DiskError> {
        let mut places = Vec::new();
        match self.root {
            Root::Fixed(at, length) => places.push(at..at + length as u64),
            Root::Cluster(first) => {
                let mut cluster = first;
                while self.is_cluster(cluster) && places.len() * ENTRY < MOST_ENTRIES {
                    places.push(self.place(cluster));
                    cluster = self.next(cluster);
                }
            }
        }
        let slots: Vec<u64> = places.into_iter().flat_map(|place| place.step_by(ENTRY)).collect();
        let root = self.root()?;
        let entries = || root.chunks_exact(ENTRY).zip(slots.iter().copied());
        let used = entries().take_while(|(entry, _)| entry[0] != 0);
        let named = used.filter(|(entry, _)| entry[0] != 0xe5 && entry[11] & 0x3f == 0x08).map(|(_, at)| at);
        let free = entries().filter(|(entry, _)| matches!(entry[0], 0 | 0xe5)).map(|(_, at)| at);
        Ok(named.chain(free).next())
    }

    /// The bytes of a chain, at most `limit` of them.
    fn chain(&self, first: u32, limit: usize) -> Result<Vec<u8>, DiskError> {
        let (mut bytes, mut cluster, mut steps) = (Vec::new(), first, 0);
        while self.is_cluster(cluster) && bytes.len() < limit {
            steps += 1;
            if steps > self.clusters {
                return Err(DiskError::damaged(WHAT, "a chain of clusters runs in a circle"));
            }
            let place = self.place(cluster);
            let count = usize::try_from(self.cluster).unwrap_or(usize::MAX).min(limit - bytes.len());
            bytes.extend(self.disk.bytes(place.start, count)?);
            cluster = self.next(cluster);
        }
        Ok(bytes)
    }

    fn root(&self) -> Result<Vec<u8>, DiskError> {
        match self.root {
            Root::Fixed(at, length) => self.disk.bytes(at, length),
            Root::Cluster(first) => self.chain(first, MOST_ENTRIES * ENTRY),
        }
    }

    fn find_label(&self) -> Result<String, DiskError> {
        let root = self.root()?;
        let entries = root.chunks_exact(ENTRY).take_while(|entry| entry[0] != 0);
        let label = entries.filter(|entry| entry[0] != 0xe5).find(|entry| entry[11] & 0x3f == 0x08);
        Ok(label
            .map_or_else(String::new, |entry| String::from_utf8_lossy(&entry[..11]).trim_end().to_owned()))
    }

    /// What lies in the folder `path`, `""` for the root; none if there is no such folder.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, DiskError> {
        match self.find(path)? {
            None => Ok(Some(entries(&self.root()?))),
            Some(Some(entry)) if entry.is_folder => {
                Ok(Some(entries(&self.chain(entry.first, MOST_ENTRIES * ENTRY)?)))
            }
            Some(_) => Ok(None),
        }
    }

    /// The content of the file at `path`, letters of either case; none if there is no such file.
    ///
    /// # Errors
    /// [`DiskError`], also if it is longer than 64 MiB.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, DiskError> {
        let Some(Some(entry)) = self.find(path)? else { return Ok(None) };
        if entry.is_folder {
            return Ok(None);
        }
        if entry.size > LONGEST {
            return Err(DiskError::damaged(WHAT, format!("{path} claims {} bytes", entry.size)));
        }
        let bytes = self.chain(entry.first, entry.size as usize)?;
        if bytes.len() < entry.size as usize {
            let why = format!("{path} has {} bytes of {}", bytes.len(), entry.size);
            return Err(DiskError::damaged(WHAT, why));
        }
        Ok(Some(bytes))
    }

    /// Hands the content of the file at `path` to `sink`, piece by piece; gives its length, none if there is no such file.
    ///
    /// # Errors
    /// [`DiskError`].
    pub fn stream(&self, path: &str, mut sink: impl FnMut(&[u8])) -> Result<Option<u64>, DiskError> {
        let Some(Some(entry)) = self.find(path)? else { return Ok(None) };
        if entry.is_folder {
            return Ok(None);
        }
        let (mut left, mut cluster) = (u64::from(entry.size), entry.first);
        while left > 0 {
            if !self.is_cluster(cluster) {
                let why = format!("{path} ends {left} bytes before its length");
                return Err(DiskError::damaged(WHAT, why));
            }
            let count = left.min(self.cluster);
            sink(&self.disk.bytes(self.place(cluster).start, usize::try_from(count).unwrap_or(usize::MAX))?);
            left -= count;
            cluster = self.next(cluster);
        }
        Ok(Some(u64::from(entry.size)))
    }

    /// The entry at `path`: none for the root itself, and none inside where there is no such entry.
    fn find(&self, path: &str) -> Result<Option<Option<Entry>>, DiskError> {
        let (mut found, mut folder) = (None, self.root()?);
        for name in path.split('/').filter(|name| !name.is_empty()) {
            if found.as_ref().is_some_and(|entry: &Entry| !entry.is_folder) {
                return Ok(Some(None));
            }
            let Some(entry) =
                entries(&folder).into_iter().find(|entry| entry.name.eq_ignore_ascii_case(name))
            else {
                return Ok(Some(None));
            };
            if entry.is_folder {
                folder = self.chain(entry.first, MOST_ENTRIES * ENTRY)?;
            }
            found = Some(entry);
        }
        Ok(found.map(Some))
    }
}

/// The files and folders of a folder's bytes; the volume's name, deleted ones and `.` and `..` are none.
fn entries(folder: &[u8]) -> Vec<Entry> {
    let (mut found, mut long) = (Vec::new(), Vec::<[u16; 13]>::new());
    for entry in folder.chunks_exact(ENTRY).take_while(|entry| entry[0] != 0) {
        if entry[0] == 0xe5 {
            long.clear();
            continue;
        }
        let attributes = entry[11];
        if attributes & 0x3f == 0x0f {
            // The parts of a long name lie before its entry, the last part first.
            if entry[0] & 0x40 != 0 {
                long.clear();
            }
            let letters = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30].map(|at| u16_at(entry, at));
            long.insert(0, letters);
            continue;
        }
        let own: Vec<u16> =
            long.drain(..).flatten().take_while(|letter| *letter != 0 && *letter != 0xffff).collect();
        if attributes & 0x08 != 0 || entry[0] == b'.' {
            continue;
        }
        let name = if own.is_empty() { short(entry) } else { String::from_utf16_lossy(&own) };
        found.push(Entry {
            name,
            is_folder: attributes & 0x10 != 0,
            size: u32_at(entry, 28),
            first: u32::from(u16_at(entry, 20)) << 16 | u32::from(u16_at(entry, 26)),
        });
    }
    found
}

/// A name of eight and three letters; two bits tell which half was written small.
fn short(entry: &[u8]) -> String {
    let half = |bytes: &[u8], is_small: bool| {
        let text = String::from_utf8_lossy(bytes).trim_end().to_owned();
        if is_small { text.to_ascii_lowercase() } else { text }
    };
    let (name, extension) =
        (half(&entry[..8], entry[12] & 0x08 != 0), half(&entry[8..11], entry[12] & 0x10 != 0));
    if extension.is_empty() { name } else { format!("{name}.{extension}") }
}
