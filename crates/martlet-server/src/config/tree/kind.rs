//! How the keys of a section are read and explained, by what they hold.

/// A key with a plain value.
pub mod value {
    use crate::config::given::Given;
    use crate::config::tree::{Entry, Reader, Sort};
    use crate::config::value::Value;

    /// Reads the value, or notes why it cannot be one.
    pub fn read<V: Value>(place: &mut V, given: &Given, reader: &mut Reader) {
        match V::read(given) {
            Ok(value) => *place = value,
            Err(fault) => reader.wrong(given, fault),
        }
    }

    /// Adds the key to the reference.
    pub fn describe<V: Value>(value: &V, path: &str, doc: &str, entries: &mut Vec<Entry>) {
        let sort = Sort::Key { form: V::form(), default: value.write() };
        entries.push(Entry { path: path.to_owned(), doc: doc.to_owned(), sort });
    }
}

/// A section inside a section, always there.
pub mod table {
    use crate::config::given::Given;
    use crate::config::tree::{Entry, Reader, Section, Sort};

    /// Reads the keys that are given.
    pub fn read<S: Section>(place: &mut S, given: &Given, reader: &mut Reader) {
        place.read(given, reader);
    }

    /// Adds the section and its keys to the reference.
    pub fn describe<S: Section>(section: &S, path: &str, doc: &str, entries: &mut Vec<Entry>) {
        entries.push(Entry { path: path.to_owned(), doc: doc.to_owned(), sort: Sort::Table });
        section.describe(path, entries);
    }
}

/// A section that may be absent.
pub mod optional {
    use crate::config::given::Given;
    use crate::config::tree::{Entry, Reader, Section, Sort};

    /// Reads the section; being given makes it present.
    pub fn read<S: Section>(place: &mut Option<S>, given: &Given, reader: &mut Reader) {
        place.get_or_insert_default().read(given, reader);
    }

    /// Adds the section and its keys to the reference.
    pub fn describe<S: Section>(_: &Option<S>, path: &str, doc: &str, entries: &mut Vec<Entry>) {
        let sort = Sort::Given { header: format!("[{path}]") };
        entries.push(Entry { path: path.to_owned(), doc: doc.to_owned(), sort });
        S::default().describe(path, entries);
    }
}

/// A list of sections.
pub mod tables {
    use crate::config::error::Fault;
    use crate::config::given::{Given, Raw};
    use crate::config::tree::{Entry, Reader, Section, Sort};

    /// Reads the list, replacing the one before.
    pub fn read<S: Section>(place: &mut Vec<S>, given: &Given, reader: &mut Reader) {
        let Raw::List(list) = &given.raw else {
            let kind = given.raw.kind();
            return reader
                .wrong(given, Fault::new(format!("this is a list of tables, not {kind}")));
        };
        place.clear();
        for (index, given) in list.iter().enumerate() {
            let mut section = S::default();
            reader.within(&format!("[{index}]"), |reader| section.read(given, reader));
            place.push(section);
        }
    }

    /// Adds one element and its keys to the reference.
    pub fn describe<S: Section>(_: &Vec<S>, path: &str, doc: &str, entries: &mut Vec<Entry>) {
        let sort = Sort::Given { header: format!("[[{path}]]") };
        entries.push(Entry { path: path.to_owned(), doc: doc.to_owned(), sort });
        S::default().describe(path, entries);
    }
}

/// Sections by name.
pub mod named {
    use std::collections::BTreeMap;

    use crate::config::error::Fault;
    use crate::config::given::{Given, Raw};
    use crate::config::tree::{Entry, Reader, Section, Sort};

    /// Reads every name that is given.
    pub fn read<S: Section>(place: &mut BTreeMap<String, S>, given: &Given, reader: &mut Reader) {
        let Raw::Table(table) = &given.raw else {
            let kind = given.raw.kind();
            return reader
                .wrong(given, Fault::new(format!("this is a table of names, not {kind}")));
        };
        for (name, given) in table {
            let section = place.entry(name.clone()).or_default();
            reader.within(name, |reader| section.read(given, reader));
        }
    }

    /// Adds one name and its keys to the reference.
    pub fn describe<S: Section>(
        _: &BTreeMap<String, S>,
        path: &str,
        doc: &str,
        entries: &mut Vec<Entry>,
    ) {
        let path = format!("{path}.NAME");
        let sort = Sort::Given { header: format!("[{path}]") };
        entries.push(Entry { path: path.clone(), doc: doc.to_owned(), sort });
        S::default().describe(&path, entries);
    }
}
