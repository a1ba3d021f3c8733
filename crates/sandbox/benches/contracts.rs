//! Calls of contracts: one with a big map of 10,000 entries, and ones that fill maps, sets and lists of growing size, whose time
//! must grow with the size and not with its square.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use soru_michelson::syntax::{parse_expression, parse_script};
use soru_sandbox::block::{Baker, ChainStart};
use soru_sandbox::ledger::{Application, BlockContext, Ledger};
use soru_sandbox::{BOOTSTRAP, SandboxConfig};
use soru_tezos::contract::Contract;
use soru_tezos::hash::{BlockHash, ChainId};
use soru_tezos::micheline::Micheline;
use soru_tezos::operation::{ManagerBody, ManagerOperation, Operation, Origination, Parameters, Script, Transaction};
use soru_tezos::receipt::OperationResult;
use soru_tezos::scalar::{Level, Mutez, Nat, Timestamp};

const ENTRIES: usize = 10_000;

const BIG_MAP: &str = "parameter (list (pair nat string)) ; storage (big_map nat string) ;
    code { UNPAIR ; ITER { UNPAIR ; DIP { SOME } ; UPDATE } ; NIL operation ; PAIR }";

const FILL: &str = "parameter nat ; storage nat ;
    code { CAR ; DIP { EMPTY_MAP nat nat ; EMPTY_SET nat ; NIL nat } ; INT ;
           DUP ; GT ;
           LOOP { DUP ; ABS ; DIG 2 ; DUP 2 ; CONS ; DIG 3 ; PUSH bool True ; DUP 4 ; UPDATE ;
                  DIG 4 ; DUP 4 ; SOME ; DUP 5 ; UPDATE ; DIG 4 ; PUSH int -1 ; ADD ; DIG 4 ; DROP ;
                  SWAP ; DUG 3 ; DIG 2 ; SWAP ; DUP ; GT } ;
           DROP ; SIZE ; DIP { SIZE ; DIP { SIZE } ; ADD } ; ADD ; NIL operation ; PAIR }";

fn expr(text: &str) -> Micheline {
    parse_expression(text).unwrap().expr
}

/// The ledger after one operation of the first account, and what became of it.
fn applied(ledger: &Ledger, body: ManagerBody) -> (Ledger, OperationResult) {
    let baker = Baker::well_known().unwrap().public_key().hash();
    let level = Level(ledger.level.0 + 1);
    let timestamp = Timestamp(1_767_225_600 + i64::from(level.0));
    let predecessor = BlockHash::ZERO;
    let context = BlockContext {
        chain_id: ChainId::ZERO,
        level,
        timestamp,
        predecessor,
        predecessor_timestamp: timestamp.plus(-1),
        baker,
    };
    let source = BOOTSTRAP[0].address.parse().unwrap();
    let counter = Nat(ledger.accounts[&source].counter + 1);
    let (gas_limit, storage_limit) = (Nat(1_000_000), Nat(60_000));
    let content = ManagerOperation { source, fee: Mutez(1_000), counter, gas_limit, storage_limit, body };
    let operation = Operation::unsigned(BlockHash::ZERO, vec![content]);
    let mut block = Application::begin(ledger, context);
    let mut receipts = block.apply(&operation, operation.hash()).unwrap();
    let metadata = receipts.remove(0).metadata.unwrap();
    (block.finish().unwrap().0, metadata.operation_result)
}

fn call(contract: Contract, value: &str) -> ManagerBody {
    let parameters = Parameters { entrypoint: Default::default(), value: expr(value) };
    Transaction { amount: Mutez(0), destination: contract, parameters }.into()
}

fn originated(ledger: &Ledger, code: &str, storage: &str) -> (Ledger, Contract) {
    let script = Script { code: parse_script(code).unwrap().expr, storage: expr(storage) };
    let (ledger, result) = applied(ledger, Origination { balance: Mutez(0), delegate: None, script }.into());
    assert!(matches!(result, OperationResult::Applied(_)), "{result:?}");
    let (contract, _) = ledger.contracts.get_max().unwrap();
    let contract = Contract::Originated(*contract);
    (ledger, contract)
}

fn bench(criterion: &mut Criterion) {
    let start = ChainStart::new(&SandboxConfig::new(""), Timestamp(1_767_225_600)).unwrap();
    let fresh = Ledger::new(&start, Baker::well_known().unwrap().public_key());
    let (mut ledger, contract) = originated(&fresh, BIG_MAP, "{}");
    for chunk in 0..ENTRIES / 400 {
        let items: Vec<String> = (0..400).map(|item| format!("Pair {} \"{item}\"", chunk * 400 + item)).collect();
        let (next, result) = applied(&ledger, call(contract, &format!("{{ {} }}", items.join(" ; "))));
        assert!(matches!(result, OperationResult::Applied(_)), "{result:?}");
        ledger = next;
    }
    assert_eq!(ledger.big_map_entries.len(), ENTRIES);
    let change = call(contract, "{ Pair 5000 \"changed\" ; Pair 20000 \"new\" }");
    criterion.bench_function("call with a big map of 10,000 entries", |bencher| {
        bencher.iter(|| applied(&ledger, change.clone()));
    });

    let (ledger, contract) = originated(&fresh, FILL, "0");
    let mut group = criterion.benchmark_group("fill a map, a set and a list");
    for size in [1_000u64, 4_000, 16_000] {
        let fill = call(contract, &size.to_string());
        let (_, result) = applied(&ledger, fill.clone());
        assert!(matches!(result, OperationResult::Applied(_)), "{result:?}");
        group.throughput(Throughput::Elements(size));
        group.bench_with_input(BenchmarkId::from_parameter(size), &fill, |bencher, fill| {
            bencher.iter(|| applied(&ledger, fill.clone()));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
