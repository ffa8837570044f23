//! Kernel settings: what files give them at boot (sysctl.d(5)), and what they are.

use std::collections::BTreeMap;

use desired::observed::{Answer, Observed};

use crate::root::Root;

/// Every setting that files make. A file in a later folder of this list hides one of its name in an earlier one; then
/// files count by name, and the last one wins.
pub(crate) fn at_boot(root: &Root) -> BTreeMap<String, String> {
    const FOLDERS: [&str; 4] =
        ["/usr/lib/sysctl.d", "/usr/local/lib/sysctl.d", "/run/sysctl.d", "/etc/sysctl.d"];
    let mut files = BTreeMap::new();
    for folder in FOLDERS {
        let names = root.list(folder).into_iter().filter(|name| name.ends_with(".conf"));
        files.extend(names.map(|name| (name.clone(), format!("{folder}/{name}"))));
    }
    let texts = files.values().filter_map(|path| root.read_text(path).ok().flatten());
    texts.flat_map(|text| parse(&text)).collect()
}

/// A setting now and at boot.
pub(super) fn observe(root: &Root, settings: &BTreeMap<String, String>, key: &str) -> Observed {
    let now = if root.is_live() {
        match root.read_text(&format!("/proc/sys/{}", place(key))) {
            Ok(Some(text)) => Answer::Known(spaced(&text)),
            Ok(None) => Answer::unknown("this kernel has no such setting now"),
            Err(error) => Answer::unknown(format!("it can't be read: {error}")),
        }
    } else {
        Answer::later(super::NOT_LIVE)
    };
    Observed::Sysctl { at_boot: settings.get(&place(key)).cloned(), now }
}

/// The settings of one file by their place below /proc/sys.
fn parse(text: &str) -> Vec<(String, String)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';']));
    let settings = lines.filter_map(|line| line.strip_prefix('-').unwrap_or(line).split_once('='));
    settings.map(|(key, value)| (place(key.trim()), spaced(value))).collect()
}

/// `net.ipv4.conf.eth0/1.x` and `net/ipv4/conf/eth0.1/x` are the same: the first separator decides.
pub(crate) fn place(key: &str) -> String {
    match key.find(['.', '/']) {
        Some(at) if key[at..].starts_with('.') => key
            .chars()
            .map(|c| {
                if c == '.' {
                    '/'
                } else if c == '/' {
                    '.'
                } else {
                    c
                }
            })
            .collect(),
        _ => key.to_owned(),
    }
}

/// The kernel separates several numbers by tabs, people by blanks.
pub(crate) fn spaced(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_and_comments() {
        let text =
            "# a\n; b\nnet.ipv4.ip_forward = 1\n-net/ipv4/conf/eth0.1/rp_filter=0\nkernel.x=1\t2\nodd\n";
        let settings = parse(text);
        assert_eq!(settings[0], ("net/ipv4/ip_forward".to_owned(), "1".to_owned()));
        assert_eq!(settings[1], ("net/ipv4/conf/eth0.1/rp_filter".to_owned(), "0".to_owned()));
        assert_eq!(settings[2].1, "1 2");
        assert_eq!(settings.len(), 3);
        assert_eq!(place("net.ipv4.conf.eth0/1.rp_filter"), "net/ipv4/conf/eth0.1/rp_filter");
    }
}
