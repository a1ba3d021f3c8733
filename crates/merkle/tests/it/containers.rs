//! Lazy containers: what stands in the tree after each operation, and that reading back changes nothing.

use soru_merkle::containers::{ChunkedBytes, HashWriter, LazyMap, NameKey, Optional, TreeValue, Vector};
use soru_merkle::{Digester, Tree, tree_record};

fn written(value: &impl TreeValue) -> Tree {
    let mut tree = Tree::empty();
    value.write(&mut tree, &[]).unwrap();
    // whatever is written has the hash that is written alone
    let mut digester = Digester::default();
    let mut hash = HashWriter::new(&mut digester);
    value.write(&mut hash, &[]).unwrap();
    assert_eq!(hash.finish().unwrap().hash().unwrap(), tree.hash().unwrap());
    tree
}

fn paths(tree: &Tree) -> Vec<String> {
    let text = |step: &soru_merkle::Step| String::from_utf8_lossy(step.as_ref()).into_owned();
    tree.leaves().map(|leaf| leaf.unwrap().0.iter().map(text).collect::<Vec<_>>().join("/")).collect()
}

#[test]
fn vectors_keep_bindings_outside_their_range() {
    let mut vector = Vector::<i32>::create(0);
    for value in [10, 20, 30] {
        vector.cons(value);
    }
    assert_eq!((vector.head(), vector.length()), (-3, 3));
    let (top, rest) = vector.split(1).unwrap();
    assert_eq!((top.to_list().unwrap(), rest.to_list().unwrap()), (vec![30], vec![20, 10]));
    let contents = ["contents/-1", "contents/-2", "contents/-3", "head", "length"];
    assert_eq!(paths(&written(&top)), contents);
    assert_eq!(paths(&written(&rest)), contents);
    // what is popped is gone
    let mut rest = rest;
    assert_eq!(rest.pop().unwrap(), 20);
    assert_eq!(paths(&written(&rest)), ["contents/-1", "contents/-3", "head", "length"]);
}

#[test]
fn what_is_read_back_and_changed_is_as_if_it_had_stayed_in_memory() {
    let mut memory = Vector::<i32>::from_list(0..40);
    let mut read = Vector::<i32>::read(&written(&memory), &[]).unwrap();
    for vector in [&mut memory, &mut read] {
        assert_eq!(vector.pop().unwrap(), 0);
        vector.set(7, -1).unwrap();
        vector.append(99);
        vector.cons(5);
        assert!(vector.get(41).is_err());
    }
    assert_eq!(written(&memory).hash().unwrap(), written(&read).hash().unwrap());
    assert_eq!(memory.to_list().unwrap(), read.to_list().unwrap());
}

#[test]
fn only_written_chunks_exist() {
    let mut bytes = ChunkedBytes::allocate(2000);
    bytes.write_bytes(510, b"across").unwrap();
    let tree = written(&bytes);
    assert_eq!(paths(&tree), ["contents/0", "contents/1", "length"]);
    let read = ChunkedBytes::read(&tree, &[]).unwrap();
    assert_eq!(read.read_bytes(508, 10).unwrap(), b"\0\0across\0\0");
    assert!(read.read_bytes(1999, 2).is_err());
    assert_eq!(read.byte(1999).unwrap(), 0);
}

tree_record! {
    /// Fields in directories that they share, beside one that may hold nothing.
    struct Nested {
        first: i32 = ["2", "1", "first"],
        last: i32 = ["1"],
        second: Vector<i32> = ["2", "2", "second"],
        nothing: Optional<i32> = ["2", "3"],
        beside: Vector<Optional<i32>> = ["3"],
        map: LazyMap<NameKey, Vector<i32>> = ["4"],
    }
}

#[test]
fn records_are_hashed_as_they_are_written() {
    let mut map = LazyMap::new();
    map.set("a".into(), Vector::from_list(0..3));
    map.set("empty".into(), Vector::create(0));
    let beside = Vector::from_list([Optional(None), Optional(Some(7))]);
    let mut value = Nested { first: 1, last: 2, second: Vector::from_list(0..9), nothing: Optional(None), beside, map };
    let tree = written(&value);
    assert_eq!(tree.length(&["2"]).unwrap(), 2);
    let mut read = Nested::read(&tree, &[]).unwrap();
    assert_eq!(written(&read).hash().unwrap(), tree.hash().unwrap());
    // what was read changes in parts: in a vector, and in a value of a map
    for value in [&mut value, &mut read] {
        value.second.set(3, -1).unwrap();
        let mut inner = value.map.get(&"a".into()).unwrap();
        inner.append(5);
        value.map.set("a".into(), inner);
        value.map.remove(&"empty".into());
        value.nothing = Optional(Some(4));
    }
    assert_eq!(written(&read).hash().unwrap(), written(&value).hash().unwrap());
}
