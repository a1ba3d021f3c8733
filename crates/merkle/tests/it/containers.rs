//! Lazy containers: what stands in the tree after each operation, and that reading back changes nothing.

use soru_merkle::Tree;
use soru_merkle::containers::{ChunkedBytes, TreeValue, Vector};

fn written(value: &impl TreeValue) -> Tree {
    let mut tree = Tree::empty();
    value.write(&mut tree, &[]).unwrap();
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
