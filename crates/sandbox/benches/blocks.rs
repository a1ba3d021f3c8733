//! Making a block of 100 transfers by 100 accounts: applying, hashing the state, signing; and writing it to disk.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use soru_sandbox::block::{self, Baker, ChainStart};
use soru_sandbox::ledger::Ledger;
use soru_sandbox::make::{Recipe, next_block};
use soru_sandbox::mempool::Pending;
use soru_sandbox::store::Store;
use soru_sandbox::{FundedAccount, SandboxConfig};
use soru_tezos::codec::Encode;
use soru_tezos::key::Scheme;
use soru_tezos::operation::{ManagerOperation, Operation, Transaction};
use soru_tezos::scalar::{Mutez, Nat, Timestamp};
use soru_tezos::sign::SecretKey;
use std::sync::Arc;

const OPERATIONS: u8 = 100;

fn bench(criterion: &mut Criterion) {
    let keys: Vec<SecretKey> =
        (1..=OPERATIONS).map(|byte| SecretKey::from_bytes(Scheme::Ed25519, &[byte; 32]).unwrap()).collect();
    let funded = keys.iter().map(|key| FundedAccount { public_key: key.public_key(), balance: Mutez::of_tez(100) });
    let config = SandboxConfig { accounts: funded.collect(), ..SandboxConfig::new("") };
    let start = ChainStart::new(&config, Timestamp(1_767_225_600)).unwrap();
    let baker = Baker::well_known().unwrap();
    let head = start.activation().unwrap();
    let ledger = Ledger::new(&start, baker.public_key());
    let waiting: Vec<Arc<Pending>> = keys
        .iter()
        .zip(keys.iter().cycle().skip(1))
        .map(|(from, to)| {
            let body = Transaction {
                amount: Mutez(1),
                destination: to.public_key_hash().into(),
                parameters: Default::default(),
            };
            let content = ManagerOperation {
                source: from.public_key_hash(),
                fee: Mutez(1_000),
                counter: Nat(1),
                gas_limit: Nat(3_000),
                storage_limit: Nat(0),
                body: body.into(),
            };
            let mut operation = Operation::unsigned(head.hash, vec![content]);
            from.sign_operation(&mut operation).unwrap();
            let bytes = operation.to_bytes();
            Arc::new(Pending { hash: operation.hash(), size: bytes.len(), operation })
        })
        .collect();
    let now = Timestamp(1_767_225_601);
    let recipe = Recipe { predecessor: &head, ledger: &ledger, waiting: &waiting, changes: &[], now, fork: 0 };
    let make = || next_block(&recipe, &baker).unwrap();
    assert_eq!(make().block.operations[3].len(), usize::from(OPERATIONS));

    let mut group = criterion.benchmark_group("block of 100 transfers");
    group.bench_function("make", |bencher| bencher.iter(make));
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let mut level = 0;
    group.bench_function("make and store", |bencher| {
        bencher.iter_batched(
            || (),
            |()| {
                let made = make();
                level += 1;
                store.append(level, &made.block.hash, block::encode_record(&made.block).unwrap()).unwrap();
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
