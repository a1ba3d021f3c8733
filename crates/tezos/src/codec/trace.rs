//! What each byte of a binary form is. A reader that was given a [`Trace`] notes in it every piece it reads, under the names
//! that the readers of fields, cases and elements say; another one does not look at them. The names are those of the
//! reference's codec (`spec/node.md` Appendix C, `slice`).

use super::{Decoded, Reader};
use std::cell::RefCell;
use std::fmt::Display;
use std::ops::Range;

/// A piece of a binary form that is read at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice {
    /// What it is: `"level" (int32)`.
    pub name: String,
    /// Where it is in the outermost byte string.
    pub place: Range<usize>,
    /// Its value as text; empty where the bytes say it all.
    pub value: String,
}

/// The pieces read so far, and the name of what is being read.
#[derive(Debug, Default)]
pub struct Trace {
    slices: RefCell<Vec<Slice>>,
    name: RefCell<Option<String>>,
    prefix: String,
}

/// Longest name that is put inside another: a list in a list in a list would otherwise have names of exponential length.
const MAX_NAME: usize = 200;

impl Trace {
    /// A trace in which the names of a protocol's own types begin with `prefix`, like `025-PsUshuai.`.
    pub fn new(prefix: String) -> Trace {
        Trace { prefix, ..Trace::default() }
    }

    /// The pieces, in order.
    pub fn into_slices(self) -> Vec<Slice> {
        self.slices.into_inner()
    }

    /// The name of what is being read, as a `kind` of value.
    fn named(&self, kind: &str) -> String {
        match self.name.borrow().as_ref().filter(|name| name.len() <= MAX_NAME) {
            Some(name) => format!("{name:?} ({kind})"),
            None => kind.to_owned(),
        }
    }

    fn rename(&self, name: String, value: Option<String>) {
        if let Some(last) = self.slices.borrow_mut().last_mut() {
            last.name = name;
            if let Some(value) = value {
                last.value = value;
            }
        }
    }
}

impl<'a> Reader<'a> {
    /// A reader over all of `bytes` that notes what it reads.
    pub fn traced(bytes: &'a [u8], trace: &'a Trace) -> Self {
        Reader { trace: Some(trace), ..Reader::new(bytes) }
    }

    /// Notes bytes that were taken.
    pub(super) fn note_bytes(&self, place: Range<usize>) {
        if let Some(trace) = self.trace {
            let name = trace.named("bytes");
            trace.slices.borrow_mut().push(Slice { name, place, value: String::new() });
        }
    }

    /// Says what kind of value the last piece is, and which value.
    pub fn note(&self, kind: &str, value: impl Display) {
        if let Some(trace) = self.trace {
            trace.rename(trace.named(kind), Some(value.to_string()));
        }
    }

    /// The same of a text, which is shown with its quotes.
    pub fn note_text(&self, text: &[u8]) {
        if self.trace.is_some() {
            self.note("string", format!("{:?}", String::from_utf8_lossy(text)));
        }
    }

    /// Says that the last piece has a name of its own: a length, a tag, a presence byte.
    pub fn note_name(&self, name: impl Display, value: impl Display) {
        if let Some(trace) = self.trace {
            trace.rename(name.to_string(), Some(value.to_string()));
        }
    }

    /// Says that the last piece is the tag of a case.
    pub fn case(&self, title: &str) {
        self.case_with(|| title.to_owned());
    }

    /// The same with a title that has to be made.
    pub fn case_with(&self, title: impl FnOnce() -> String) {
        if let Some(trace) = self.trace {
            trace.rename(title() + " tag", None);
        }
    }

    /// Reads with `read` what is called `name`.
    pub fn field<T>(&mut self, name: &str, read: impl FnOnce(&mut Reader<'a>) -> Decoded<T>) -> Decoded<T> {
        self.renamed(|_| Some(name.to_owned()), read)
    }

    /// Reads with `read` a value of the type `id`.
    pub fn described<T>(&mut self, id: &str, read: impl FnOnce(&mut Reader<'a>) -> Decoded<T>) -> Decoded<T> {
        self.renamed(|trace| Some(trace.named(id)), read)
    }

    /// Reads with `read` a value of a type that each protocol defines for itself: `{}` in `id` stands for its name.
    pub fn described_by_protocol<T>(
        &mut self,
        id: &str,
        read: impl FnOnce(&mut Reader<'a>) -> Decoded<T>,
    ) -> Decoded<T> {
        self.renamed(|trace| Some(trace.named(&id.replace("{}", &trace.prefix))), read)
    }

    /// Reads with `read` an element of the list that is being read.
    pub fn element<T>(&mut self, read: impl FnOnce(&mut Reader<'a>) -> Decoded<T>) -> Decoded<T> {
        self.renamed(|trace| trace.name.borrow().as_ref().map(|name| format!("{name} element")), read)
    }

    /// The name of what is being read, for its presence byte.
    pub(super) fn note_presence(&self, present: bool) {
        if let Some(trace) = self.trace {
            let name = trace.name.borrow().clone().unwrap_or_default();
            self.note_name(format!("{name} presence flag").trim_start(), present);
        }
    }

    fn renamed<T>(
        &mut self,
        name: impl FnOnce(&Trace) -> Option<String>,
        read: impl FnOnce(&mut Reader<'a>) -> Decoded<T>,
    ) -> Decoded<T> {
        let Some(trace) = self.trace else { return read(self) };
        let name = name(trace);
        let outer = trace.name.replace(name);
        let value = read(self);
        trace.name.replace(outer);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Decode;
    use crate::micheline::Micheline;
    use crate::rollup::Commitment;

    fn names(slices: &[Slice]) -> Vec<&str> {
        slices.iter().map(|slice| slice.name.as_str()).collect()
    }

    #[test]
    fn a_commitment_in_pieces() {
        let bytes = [&[7; 32][..], &[0, 0, 0, 9], &[8; 32], &[0, 0, 0, 0, 0, 0, 0, 3]].concat();
        let trace = Trace::default();
        Commitment::decode(&mut Reader::traced(&bytes, &trace)).unwrap();
        let slices = trace.into_slices();
        let wanted = [
            r#""smart_rollup_state_hash" (bytes)"#,
            r#""inbox_level" (int32)"#,
            r#""smart_rollup_commitment_hash" (bytes)"#,
            r#""number_of_ticks" (int64)"#,
        ];
        assert_eq!(names(&slices), wanted);
        assert_eq!((slices[1].place.clone(), slices[1].value.as_str()), (32..36, "9"));
        assert_eq!(slices[0].value, "");
        assert_eq!(slices.last().unwrap().place.end, bytes.len());
    }

    #[test]
    fn names_stay_short_in_deep_lists() {
        let deep = (0..300).fold(Vec::new(), |inner: Vec<u8>, _| {
            [&[2][..], &u32::try_from(inner.len()).unwrap().to_be_bytes(), &inner].concat()
        });
        let trace = Trace::new("025-PsUshuai.".to_owned());
        Micheline::decode(&mut Reader::traced(&deep, &trace)).unwrap();
        let slices = trace.into_slices();
        assert_eq!(slices.len(), 600);
        assert!(slices.iter().all(|slice| slice.name.len() < 1_000));
        let covered: usize = slices.iter().map(|slice| slice.place.len()).sum();
        assert_eq!(covered, deep.len());
    }
}
