//! Rows to aligned text: the closing tables of long verbs.
//!
//! In: a head and rows of cells. Out: lines, each column as wide as its widest cell, numbers to the right.

/// Lays the rows out under the head, two spaces between columns.
#[must_use]
pub fn aligned<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String]| {
        let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| pad(cell, width)).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let head = head.map(str::to_owned);
    let rule = widths.map(|width| "─".repeat(width));
    [&head, &rule].into_iter().chain(rows).map(|row| line(row)).collect()
}

/// A cell that starts with a digit and holds no letter, or ends in a unit of bytes, is a number and goes to the right.
fn pad(cell: &str, width: usize) -> String {
    let gap = " ".repeat(width - cell.chars().count());
    let unit = ["B", "KiB", "MiB", "GiB", "TiB"];
    let amount =
        cell.rsplit_once(' ').map_or(cell, |(amount, word)| if unit.contains(&word) { amount } else { cell });
    let number = amount.starts_with(|c: char| c.is_ascii_digit()) && !amount.contains(char::is_alphabetic);
    if number { format!("{gap}{cell}") } else { format!("{cell}{gap}") }
}

#[cfg(test)]
mod tests {
    use super::aligned;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["unit".to_owned(), "120".to_owned()], ["é".to_owned(), "7".to_owned()]];
        assert_eq!(
            aligned(["ring", "passed"], &rows),
            "ring  passed\n────  ──────\nunit     120\né          7\n"
        );
    }
}
