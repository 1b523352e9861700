//! The lane's bookkeeping of places: slots of readers, entries in the lists of logs, and who is
//! marked to be visited.

use super::*;

impl Lane {
    pub(super) fn stream_key(&mut self, channel: &ChannelName, head: Position) -> u32 {
        if let Some(key) = self.names.get(channel) {
            return *key;
        }
        let key = self.streams.insert(Stream::new(channel.clone(), head)) as u32;
        self.names.insert(channel.clone(), key);
        key
    }

    pub(super) fn free_slot(&mut self, key: ReaderKey) -> u16 {
        let places = &mut self.readers[key.0 as usize].places;
        if let Some(slot) = places.iter().position(|place| place.state == State::Free) {
            return slot as u16;
        }
        places.push(Place {
            stream: 0,
            index: 0,
            seq: 0,
            offset: 0,
            state: State::Free,
            ahead: false,
        });
        (places.len() - 1) as u16
    }

    pub(super) fn slot_of(&self, key: ReaderKey, channel: &ChannelName) -> Option<usize> {
        let stream = *self.names.get(channel)?;
        let places = &self.readers.get(key.0 as usize)?.places;
        places.iter().position(|place| place.state != State::Free && place.stream == stream)
    }

    pub(super) fn remove_place(&mut self, key: ReaderKey, slot: usize) {
        let reader = &mut self.readers[key.0 as usize];
        let place = std::mem::replace(&mut reader.places[slot].state, State::Free);
        let Place { stream, index, .. } = reader.places[slot];
        if place == State::Free {
            return;
        }
        reader.pending.retain(|pending| *pending as usize != slot);
        let wire = reader.wire;
        let stream_entry = &mut self.streams[stream as usize];
        if let Some(log) = stream_entry.log_of(wire) {
            let moved = log.remove(index, place == State::Live);
            moved.iter().for_each(|(place, index)| set_index(&mut self.readers, *place, *index));
            if log.is_empty() {
                log.forget();
            }
            if log.is_empty() || log.has_let_go() {
                log.weigh(&mut self.weight.logs);
            }
        }
        stream_entry.logs.retain(|log| !log.is_empty());
        if stream_entry.logs.is_empty() {
            let stream = self.streams.remove(stream as usize);
            self.names.remove(&stream.name);
        }
    }

    /// A reader's place has something to write.
    pub(super) fn pend(&mut self, reader: u32, slot: u16) {
        let pending = &mut self.readers[reader as usize].pending;
        if !pending.contains(&slot) {
            pending.push(slot);
        }
        self.mark(reader);
    }

    pub(super) fn mark(&mut self, key: u32) {
        let reader = &mut self.readers[key as usize];
        if !reader.marked && !reader.blocked {
            reader.marked = true;
            self.marked.push(key);
        }
    }
}

pub(super) fn set_index(readers: &mut Slab<Reader>, place: PlaceRef, index: u32) {
    readers[place.reader as usize].places[place.slot as usize].index = index;
}
