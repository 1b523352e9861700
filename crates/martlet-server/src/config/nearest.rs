//! "Did you mean …": the name most like one that does not exist.

/// Longer names are nobody's mistake, and slow to compare.
const LENGTH_MAX: usize = 64;

/// The name among `names` that `wrong` was probably meant to be, if one is near enough.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase().replace('-', "_");
    let length = wrong.chars().count();
    if length > LENGTH_MAX {
        return None;
    }
    let allowed = (length / 3).max(1);
    let begins = |name: &str| length >= 3 && name.starts_with(&*wrong);
    names
        .into_iter()
        .map(|name| (distance(&wrong, name), name))
        .filter(|(distance, name)| *distance <= allowed || begins(name))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many characters must be inserted, removed, replaced or swapped with their neighbour to
/// make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}
