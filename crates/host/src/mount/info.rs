//! `/proc/self/mountinfo`, proc_pid_mountinfo(5): what is mounted at a path, with octal escapes undone.

/// The type mounted on top at `path`, if it is accepted.
///
/// # Errors
/// What is there instead, as a clause.
pub(super) fn accept(mountinfo: &str, path: &str, types: &[String]) -> Result<String, String> {
    // Later lines lie on top of earlier ones.
    let Some(filesystem) = mountinfo.lines().filter_map(parse).rfind(|(point, _)| point == path) else {
        return Err("nothing is mounted there".to_owned());
    };
    let (_, filesystem) = filesystem;
    if filesystem == "autofs" {
        return Err("only the automount is there, not the share".to_owned());
    }
    if !types.is_empty() && !types.contains(&filesystem) {
        return Err(format!("{filesystem} is mounted there, not {}", types.join(" or ")));
    }
    Ok(filesystem)
}

/// The mount points, in the order of the lines.
pub(super) fn points(mountinfo: &str) -> Vec<String> {
    mountinfo.lines().filter_map(parse).map(|(point, _)| point).collect()
}

/// Mount point and type of one line: the fifth field, and the first behind the separator `-`.
fn parse(line: &str) -> Option<(String, String)> {
    let (front, back) = line.split_once(" - ")?;
    Some((unescape(front.split(' ').nth(4)?), back.split(' ').next()?.to_owned()))
}

/// `\040` and friends: blank, tab, newline and backslash are written as three octal digits.
pub(crate) fn unescape(field: &str) -> String {
    let (mut bytes, mut left) = (Vec::with_capacity(field.len()), field.as_bytes());
    while let Some((first, rest)) = left.split_first() {
        let digits = rest.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let value = digits.filter(|_| *first == b'\\').and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match value {
            Some(byte) => {
                bytes.push(byte);
                left = &rest[3..];
            }
            None => {
                bytes.push(*first);
                left = rest;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {

    const INFO: &str = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
        40 22 0:35 / /mnt/media rw,relatime shared:20 - autofs systemd-1 rw,fd=51\n\
        41 22 0:36 / /mnt/my\\040share rw,relatime - autofs systemd-1 rw\n\
        50 41 0:50 / /mnt/my\\040share rw,relatime shared:30 - cifs //10.0.0.2/x rw,vers=3.1.1\n\
        51 22 0:51 / /mnt/b\\134s rw - nfs4 10.0.0.2:/b rw\n";

    #[test]
    fn an_automount_is_no_mount() {
        let accept = |path, types: &[&str]| {
            let types: Vec<String> = types.iter().map(|name| (*name).to_owned()).collect();
            super::accept(INFO, path, &types)
        };
        assert_eq!(accept("/mnt/my share", &[]).unwrap(), "cifs");
        assert_eq!(accept("/mnt/b\\s", &["nfs", "nfs4"]).unwrap(), "nfs4");
        for (path, types, why) in [
            ("/mnt/media", &[][..], "only the automount"),
            ("/mnt/media", &["autofs"], "only the automount"),
            ("/mnt/my", &[], "nothing is mounted"),
            ("/mnt/my share", &["nfs", "nfs4"], "cifs is mounted there, not nfs or nfs4"),
        ] {
            let error = accept(path, types).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        assert!(super::accept("garbage\n\n- - -", "/", &[]).is_err());
    }
}
