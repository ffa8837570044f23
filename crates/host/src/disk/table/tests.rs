use super::*;

const SECTOR: usize = 512;
const SECTORS: usize = 256;

fn put(disk: &mut [u8], at: usize, bytes: &[u8]) {
    disk[at..at + bytes.len()].copy_from_slice(bytes);
}

fn entry(disk: &mut [u8], number: usize, kind: u8, start: u32, count: u32) {
    let at = 446 + number * 16;
    disk[at + 4] = kind;
    put(disk, at + 8, &start.to_le_bytes());
    put(disk, at + 12, &count.to_le_bytes());
    put(disk, 510, &[0x55, 0xaa]);
}

fn mbr() -> Vec<u8> {
    let mut disk = vec![0; SECTORS * SECTOR];
    put(&mut disk, 440, &0x041b_ba91_u32.to_le_bytes());
    entry(&mut disk, 0, 0x0c, 8, 16);
    entry(&mut disk, 2, 0x83, 32, 200);
    disk
}

/// A GPT with one partition, both copies whole.
fn gpt(sector: usize) -> Vec<u8> {
    let mut disk = vec![0; 64 * sector];
    entry(&mut disk, 0, 0xee, 1, 63);
    let mut entries = vec![0; 4 * 128];
    put(&mut entries, 128, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    put(&mut entries, 128 + 32, &8_u64.to_le_bytes());
    put(&mut entries, 128 + 40, &15_u64.to_le_bytes());
    put(&mut entries, 128 + 56, &[b'b', 0, 0xf6, 0]);
    for (own, other, table) in [(1_u64, 63_u64, 2_u64), (63, 1, 62)] {
        put(&mut disk, usize::try_from(table).unwrap() * sector, &entries);
        let mut header = vec![0; 92];
        put(&mut header, 0, b"EFI PART");
        put(&mut header, 12, &92_u32.to_le_bytes());
        put(&mut header, 24, &own.to_le_bytes());
        put(&mut header, 32, &other.to_le_bytes());
        put(&mut header, 72, &table.to_le_bytes());
        put(&mut header, 80, &4_u32.to_le_bytes());
        put(&mut header, 84, &128_u32.to_le_bytes());
        put(&mut header, 88, &crc32fast::hash(&entries).to_le_bytes());
        let sum = crc32fast::hash(&header);
        put(&mut header, 16, &sum.to_le_bytes());
        put(&mut disk, usize::try_from(own).unwrap() * sector, &header);
    }
    disk
}

fn read(disk: &[u8]) -> Result<Table, String> {
    Table::read(disk).map_err(|error| error.to_string())
}

#[test]
fn an_mbr_is_read_and_gaps_stay_gaps() {
    let table = read(&mbr()).unwrap();
    assert_eq!(table.scheme, Scheme::Mbr { id: 0x041b_ba91 });
    let places: Vec<_> = table.partitions.iter().map(|one| (one.number, one.start, one.end())).collect();
    assert_eq!(places, [(1, 8 * 512, 24 * 512), (3, 32 * 512, 232 * 512)]);
    assert_eq!(table.partitions[0].kind, "0c");
}

#[test]
fn what_is_no_table_says_why() {
    assert!(read(&[0; 512]).unwrap_err().contains("does not end in 55 AA"));
    assert!(read(&[0; 100]).unwrap_err().contains("ends at 100"));
    let mut volume = mbr();
    volume[446] = 0x33;
    assert!(read(&volume).unwrap_err().contains("that of a file system"));
    let mut empty = vec![0; 512];
    put(&mut empty, 510, &[0x55, 0xaa]);
    assert!(read(&empty).unwrap_err().contains("it is empty"));
}

#[test]
fn partitions_lie_on_the_disk_and_beside_one_another() {
    let cut = &mbr()[..100 * SECTOR];
    assert!(read(cut).unwrap_err().contains("partition 3 ends at 118784, the disk at 51200: it is cut off"));
    let mut over = mbr();
    entry(&mut over, 1, 0x83, 20, 4);
    assert!(read(&over).unwrap_err().contains("partitions 1 and 2 overlap"));
}

#[test]
fn both_copies_of_a_gpt_are_read_in_both_sizes_of_sectors() {
    for sector in [512, 4096] {
        let whole = gpt(sector);
        let table = read(&whole).unwrap();
        assert!(matches!(&table.scheme, Scheme::Gpt { is_backup_at_end: true, .. }));
        assert_eq!((table.sector as usize, table.damages.len()), (sector, 0));
        let [one] = table.partitions.as_slice() else { panic!("{table:?}") };
        assert_eq!((one.number, one.start, one.size), (2, 8 * sector as u64, 8 * sector as u64));
        assert_eq!((one.kind.as_str(), one.name.as_str()), ("04030201-0605-0807-090a-0b0c0d0e0f10", "bö"));
        for (first, second, word) in [(true, false, "the first copy"), (false, true, "the second copy")] {
            let mut damaged = whole.clone();
            if first {
                damaged[sector + 40] ^= 1;
            }
            if second {
                damaged[62 * sector + 3] ^= 1;
            }
            let found = read(&damaged).unwrap();
            assert_eq!(found.partitions, table.partitions);
            assert!(found.damages[0].contains(word), "{:?}", found.damages);
        }
        let mut neither = whole.clone();
        neither[sector + 40] ^= 1;
        neither[63 * sector + 40] ^= 1;
        let why = read(&neither).unwrap_err();
        assert!(why.contains("the first copy: ") && why.contains("; the second: "), "{why}");
    }
}

#[test]
fn an_image_that_is_shorter_than_its_disk_has_its_backup_elsewhere() {
    let mut longer = gpt(512);
    longer.extend([0; 4096]);
    let table = read(&longer).unwrap();
    assert!(matches!(table.scheme, Scheme::Gpt { is_backup_at_end: false, .. }), "{table:?}");
    assert!(table.damages.is_empty(), "{:?}", table.damages);
}

#[test]
fn no_byte_and_no_end_makes_it_panic() {
    for disk in [mbr(), gpt(512)] {
        for end in 0..disk.len() {
            let _ = read(&disk[..end]);
        }
        for at in (0..3 * SECTOR).chain(61 * SECTOR..64 * SECTOR) {
            let mut other = disk.clone();
            other[at] ^= 0xff;
            let _ = read(&other);
        }
    }
}
