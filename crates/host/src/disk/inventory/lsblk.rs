//! `lsblk --json`, lsblk(8). Before util-linux 2.33 numbers and booleans are strings (`"1"`), later ones are JSON's own.

use desired::ByteSize;
use serde_json::{Map, Value};

use super::{Device, InventoryError, Kind, Number};

/// The columns that are asked for: those every util-linux since 2.33 has. Mounts are read from the kernel itself, since
/// older ones name only one a device.
pub const COLUMNS: &str = "NAME,KNAME,PATH,MAJ:MIN,TYPE,SIZE,RO,RM,HOTPLUG,TRAN,VENDOR,MODEL,SERIAL,FSTYPE,LABEL,UUID,PTTYPE,MOUNTPOINT";

/// A stack of partition, RAID, LUKS and LVM has five levels.
const DEEPEST: usize = 24;

/// The topmost devices of an answer.
pub(super) fn parse(text: &str) -> Result<Vec<Device>, InventoryError> {
    let answer: Value = serde_json::from_str(text)?;
    let list = answer.get("blockdevices").and_then(Value::as_array).ok_or(InventoryError::NoList)?;
    devices(list, 0)
}

fn devices(list: &[Value], depth: usize) -> Result<Vec<Device>, InventoryError> {
    if depth > DEEPEST {
        return Err(InventoryError::TooDeep(DEEPEST));
    }
    list.iter().enumerate().map(|(at, value)| device(value, at, depth)).collect()
}

fn device(value: &Value, at: usize, depth: usize) -> Result<Device, InventoryError> {
    let nothing = Map::new();
    let row = Row { at, fields: value.as_object().unwrap_or(&nothing) };
    let name = row.text("kname").or_else(|| row.text("name")).ok_or_else(|| row.lacks("kname"))?;
    let listed = row.fields.get("mountpoints").and_then(Value::as_array);
    let points = listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    let (swaps, mount_points): (Vec<String>, Vec<String>) =
        points.chain(row.text("mountpoint")).partition(|point| point == "[SWAP]");
    let below = row.fields.get("children").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    Ok(Device {
        path: row.text("path").unwrap_or_else(|| format!("/dev/{name}")),
        number: row
            .text("maj:min")
            .and_then(|text| Number::parse(&text))
            .ok_or_else(|| row.lacks("maj:min"))?,
        kind: match row.text("type").ok_or_else(|| row.lacks("type"))?.as_str() {
            "disk" => Kind::Disk,
            "loop" => Kind::Loop,
            "part" => Kind::Partition,
            other => Kind::Other(other.to_owned()),
        },
        size: ByteSize(row.number("size").ok_or_else(|| row.lacks("size"))?),
        read_only: row.flag("ro").ok_or_else(|| row.lacks("ro"))?,
        removable: row.flag("rm").ok_or_else(|| row.lacks("rm"))?,
        hotplug: row.flag("hotplug").unwrap_or(false),
        transport: row.text("tran"),
        vendor: row.text("vendor"),
        model: row.text("model"),
        serial: row.text("serial"),
        file_system: row.text("fstype"),
        probed: None,
        label: row.text("label"),
        uuid: row.text("uuid"),
        table: row.text("pttype"),
        mount_points,
        is_swap: !swaps.is_empty(),
        holders: Vec::new(),
        backing_file: None,
        card: None,
        sequence: None,
        driver: (None, None),
        links: Vec::new(),
        children: devices(below, depth + 1)?,
        name,
    })
}

struct Row<'a> {
    at: usize,
    fields: &'a Map<String, Value>,
}

impl Row<'_> {
    /// Text, trimmed; none if it is empty or null.
    fn text(&self, column: &str) -> Option<String> {
        let text = self.fields.get(column)?.as_str()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn number(&self, column: &str) -> Option<u64> {
        match self.fields.get(column)? {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn flag(&self, column: &str) -> Option<bool> {
        match self.fields.get(column)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) if text.trim() == "1" => Some(true),
            Value::String(text) if text.trim() == "0" => Some(false),
            Value::Number(number) if number.as_u64() == Some(1) => Some(true),
            Value::Number(number) if number.as_u64() == Some(0) => Some(false),
            _ => None,
        }
    }

    fn lacks(&self, column: &'static str) -> InventoryError {
        let name = self.text("kname").or_else(|| self.text("name"));
        InventoryError::Entry {
            entry: name.unwrap_or_else(|| format!("number {}", self.at + 1)),
            column,
            found: self.fields.get(column).map_or_else(|| "missing".to_owned(), Value::to_string),
        }
    }
}
