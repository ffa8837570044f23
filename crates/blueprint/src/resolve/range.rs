//! `rpi-{01..08}`: one text that stands for many, counted in step.

use std::net::Ipv4Addr;

/// At most so many members; a larger group is a typing mistake.
const LIMIT: u32 = 10_000;

/// The texts a range stands for, in order; a text without a range stands for itself.
///
/// # Errors
/// Says what is wrong with the range.
pub(crate) fn expand(text: &str) -> Result<Vec<String>, String> {
    let (open, close) = match (text.find('{'), text.find('}')) {
        (None, None) => return Ok(vec![text.to_owned()]),
        (Some(open), Some(close)) if open < close => (open, close),
        _ => return Err("a range begins with `{` and ends with `}`".to_owned()),
    };
    let (before, inside, after) = (&text[..open], &text[open + 1..close], &text[close + 1..]);
    if after.contains(['{', '}']) || inside.contains('{') {
        return Err("only one range is allowed".to_owned());
    }
    let Some((first, last)) = inside.split_once("..") else {
        return Err("between the braces stand two ends with `..` between them".to_owned());
    };
    if before.is_empty() && after.is_empty() && first.contains('.') {
        return addresses(first, last);
    }
    let digits =
        |end: &str| !end.is_empty() && end.len() < 8 && end.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(first) || !digits(last) {
        return Err("both ends are numbers of at most seven digits".to_owned());
    }
    let padded = first.starts_with('0') && first.len() > 1 || last.starts_with('0') && last.len() > 1;
    if padded && first.len() != last.len() {
        return Err(format!("with leading zeros both ends have the same width, here {first} and {last}"));
    }
    let width = if padded { first.len() } else { 0 };
    let (Ok(low), Ok(high)) = (first.parse::<u32>(), last.parse::<u32>()) else {
        return Err("both ends are numbers".to_owned());
    };
    counted(low, high)?;
    Ok((low..=high).map(|number| format!("{before}{number:0width$}{after}")).collect())
}

fn addresses(first: &str, last: &str) -> Result<Vec<String>, String> {
    let parse = |end: &str| {
        end.parse::<Ipv4Addr>().map(u32::from).map_err(|_| format!("`{end}` is not an IPv4 address"))
    };
    let (low, high) = (parse(first)?, parse(last)?);
    counted(low, high)?;
    Ok((low..=high).map(|number| Ipv4Addr::from(number).to_string()).collect())
}

fn counted(low: u32, high: u32) -> Result<(), String> {
    match high.checked_sub(low) {
        None => Err("it runs backwards".to_owned()),
        Some(steps) if steps >= LIMIT => Err(format!("it has more than {LIMIT} members")),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_keep_their_width() {
        assert_eq!(expand("rpi-{08..10}").unwrap(), ["rpi-08", "rpi-09", "rpi-10"]);
        assert_eq!(expand("n{9..11}x").unwrap(), ["n9x", "n10x", "n11x"]);
        assert_eq!(expand("192.168.1.{101..102}").unwrap(), ["192.168.1.101", "192.168.1.102"]);
        assert_eq!(expand("one").unwrap(), ["one"]);
    }

    #[test]
    fn address_ranges_cross_octets() {
        assert_eq!(
            expand("{10.0.0.254..10.0.1.1}").unwrap(),
            ["10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1"]
        );
    }

    #[test]
    fn broken_ranges_say_why() {
        for (text, why) in [
            ("a{8..1}", "backwards"),
            ("a{1..}", "numbers"),
            ("a{1-8}", "`..`"),
            ("a{1..8", "ends with"),
            ("a}1..8{", "ends with"),
            ("a{1..2}{1..2}", "one range"),
            ("a{01..008}", "same width"),
            ("a{0..99999}", "more than"),
            ("{10.0.0.1..10.0.0.x}", "not an IPv4"),
            ("{10.0.0.1..x.y}", "not an IPv4"),
        ] {
            let error = expand(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
