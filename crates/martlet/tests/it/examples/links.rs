//! Links inside the repository: the file is there, and so is the heading.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::page::Page;

/// The links that lead nowhere.
pub fn broken(root: &Path, pages: &[Page]) -> Vec<String> {
    let anchors: BTreeMap<PathBuf, Vec<String>> =
        pages.iter().map(|page| (page.path.clone(), anchors(page))).collect();
    let links = pages.iter().flat_map(|page| page.links.iter().map(move |link| (page, link)));
    let internal = links.filter(|(_, (_, to))| !to.contains("://") && !to.starts_with("mailto:"));
    internal
        .filter(|(page, (_, to))| !leads(root, page, to, &anchors))
        .map(|(_, (place, to))| format!("{place}: {to}"))
        .collect()
}

fn leads(root: &Path, page: &Page, to: &str, anchors: &BTreeMap<PathBuf, Vec<String>>) -> bool {
    let (file, anchor) = to.split_once('#').map_or((to, None), |(file, a)| (file, Some(a)));
    let path = match file {
        "" => Ok(page.path.clone()),
        _ => page.path.parent().unwrap_or(root).join(file).canonicalize(),
    };
    let Ok(path) = path else { return false };
    let inside = path.starts_with(root);
    inside
        && anchor.is_none_or(|a| anchors.get(&path).is_some_and(|all| all.iter().any(|b| a == b)))
}

/// The anchors that GitHub gives to a page's headings.
fn anchors(page: &Page) -> Vec<String> {
    let mut seen = BTreeMap::<String, usize>::new();
    let number = |heading: &String| {
        let anchor = anchor(heading);
        let count = seen.entry(anchor.clone()).or_default();
        *count += 1;
        if *count == 1 { anchor } else { format!("{anchor}-{}", *count - 1) }
    };
    page.headings.iter().map(number).collect()
}

fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading.to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}
