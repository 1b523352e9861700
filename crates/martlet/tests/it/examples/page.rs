//! Reading a page: its fenced blocks, its links and its headings.

use std::ops::Range;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// A page of Markdown.
pub struct Page {
    /// Its path from the root of the repository.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its fenced blocks, in order.
    pub blocks: Vec<Block>,
    /// Where its links lead, each with its place.
    pub links: Vec<(String, String)>,
    /// Its headings, as text.
    pub headings: Vec<String>,
}

/// A fenced block.
pub struct Block {
    /// File and line, for messages.
    pub place: String,
    /// The first word after the fence.
    pub language: String,
    /// The second word, unless it names a terminal.
    pub word: Option<String>,
    /// The terminal.
    pub terminal: Option<String>,
    /// What is in it.
    pub text: String,
    /// Why it cannot be run.
    pub not_run: Option<String>,
}

impl Block {
    /// Whether something is done with blocks of this language, or it says that nothing can be.
    pub fn known(&self) -> bool {
        let languages = ["", "sh", "text", "toml", "json", "ts", "rust", "ini"];
        languages.contains(&self.language.as_str()) || self.not_run.is_some()
    }

    /// Whether it is part of the page's story.
    pub fn runs(&self) -> bool {
        ["sh", "toml", "ts"].contains(&self.language.as_str()) && self.not_run.is_none()
    }
}

/// What is being read.
#[derive(Default)]
struct Reading {
    block: Option<Block>,
    heading: Option<String>,
    not_run: Option<String>,
}

impl Page {
    /// Reads the page at `path`.
    pub fn read(root: &Path, path: &Path) -> Self {
        let source = std::fs::read_to_string(path).unwrap();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let (blocks, links, headings) = (Vec::new(), Vec::new(), Vec::new());
        let mut page = Self { name, path: path.to_owned(), blocks, links, headings };
        let mut reading = Reading::default();
        let events = Parser::new_ext(&source, Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES);
        for (event, range) in events.into_offset_iter() {
            page.take(&source, event, range, &mut reading);
        }
        page
    }

    fn take(&mut self, source: &str, event: Event<'_>, range: Range<usize>, now: &mut Reading) {
        let line = source[..range.start].matches('\n').count() + 1;
        let place = format!("{}:{line}", self.name);
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                now.block = Some(Block::begin(place, &info, now.not_run.take()));
            }
            Event::End(TagEnd::CodeBlock) => self.blocks.extend(now.block.take()),
            Event::Start(Tag::Heading { level, .. }) if level <= HeadingLevel::H4 => {
                now.heading = Some(String::new());
            }
            Event::End(TagEnd::Heading(_)) => self.headings.extend(now.heading.take()),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                self.links.push((place, dest_url.to_string()));
            }
            Event::Html(html) => {
                let marker = html.trim().strip_prefix("<!-- not run:");
                now.not_run = marker.map(|why| why.trim_end_matches("-->").trim().to_owned());
            }
            Event::Text(text) | Event::Code(text) => {
                let heading = now.heading.as_mut();
                let into = now.block.as_mut().map(|block| &mut block.text).or(heading);
                into.into_iter().for_each(|into| into.push_str(&text));
            }
            _ => {}
        }
    }
}

impl Block {
    fn begin(place: String, info: &str, not_run: Option<String>) -> Self {
        let mut words = info.split_whitespace();
        let language = words.next().unwrap_or_default().to_owned();
        let word = words.next();
        let terminal = word.and_then(|word| word.strip_prefix('@')).map(str::to_owned);
        let word = word.filter(|_| terminal.is_none()).map(str::to_owned);
        Self { place, language, word, terminal, text: String::new(), not_run }
    }
}
