//! Unit tests of Michelson in the TZT format: a file gives code, the stack before, and the stack or error after
//! (`spec/protocol.md` §10.4).

mod chain;
mod pattern;

use crate::context::Chain;
use crate::error::ScriptError;
use crate::gas::Gas;
use crate::interpret::{Environment, Machine};
use crate::run::Typed;
use crate::syntax::{Ast, SyntaxError, parse_script_ast};
use crate::typecheck::Typer;
use crate::types::Type;
use crate::value::{Mode, Value};
use chain::TestChain;
use soru_tezos::contract::{Contract, Destination};
use soru_tezos::hash::{ChainId, ContractHash};
use soru_tezos::micheline::Micheline;
use soru_tezos::scalar::Mutez;
use std::collections::BTreeMap;
use std::str::FromStr;

/// Gas a test may use: what an operation may.
const GAS: u64 = 1_040_000_000;
/// The contract that runs when the test names none.
const SELF: &str = "KT1BEqzn5Wx8uJrZNvuS9DVHmLvG9td3fDLi";
/// The account that calls when the test names none.
const SENDER: &str = "tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx";
/// The address with index 0 in the registry of addresses.
const FIRST_INDEXED: &str = "tz1Ke2h7sDdakHJQh8WX4Z372du1KChsksyU";
/// What the contract has when the test does not say.
const BALANCE: u64 = 4_000_000_000_000;

/// Why a test did not pass.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TztError {
    /// The file is no Michelson.
    #[error("{0}")]
    Syntax(#[from] SyntaxError),
    /// The file is no test.
    #[error("not a unit test: {0}")]
    Form(String),
    /// It ran, with another result.
    #[error("Got output: {got}\nExpected: {expected}")]
    Unexpected {
        /// The result.
        got: String,
        /// What the test wants.
        expected: String,
    },
}

/// Runs the test in `text`.
pub fn run(text: &str) -> Result<(), TztError> {
    let test = Test::read(parse_script_ast(text)?.expand()?)?;
    let got = test.outcome()?;
    if pattern::matches(&test.expected()?, &got) {
        return Ok(());
    }
    Err(TztError::Unexpected { got: pattern::show(&got), expected: pattern::show(test.field("output")?) })
}

/// The fields of a test by name.
struct Test {
    fields: BTreeMap<String, Ast>,
}

fn form(what: impl Into<String>) -> TztError {
    TztError::Form(what.into())
}

/// An expression with its primitives looked up.
fn micheline(ast: &Ast) -> Result<Micheline, TztError> {
    Ok(ast.to_micheline()?.expr)
}

fn text_of(ast: &Ast) -> Result<String, TztError> {
    match micheline(ast)? {
        Micheline::String(text) => Ok(text),
        Micheline::Int(value) => Ok(value.to_string()),
        other => Err(form(format!("a string is wanted, not {}", crate::syntax::print_line(&other)))),
    }
}

fn parsed<T: FromStr>(ast: &Ast) -> Result<T, TztError> {
    let text = text_of(ast)?;
    text.parse().map_err(|_| form(format!("'{text}' is not what is wanted here")))
}

/// The items of a field, each an application of `word`.
fn items<'a>(ast: &'a Ast, word: &str) -> Result<Vec<&'a [Ast]>, TztError> {
    let Some(list) = ast.as_seq() else { return Err(form(format!("a sequence of {word} is wanted"))) };
    let item = |item: &'a Ast| match item.as_prim() {
        Some((name, args)) if name == word => Ok(args),
        _ => Err(form(format!("{word} is wanted"))),
    };
    list.iter().map(item).collect()
}

impl Test {
    fn read(ast: Ast) -> Result<Test, TztError> {
        let Some(list) = ast.as_seq() else { return Err(form("a sequence of fields is wanted")) };
        let mut fields = BTreeMap::new();
        for field in list {
            let Some((name, [content])) = field.as_prim() else {
                return Err(form(format!("each field is a word and one argument ({})", field.span.start)));
            };
            if fields.insert(name.to_owned(), content.clone()).is_some() {
                return Err(form(format!("two fields '{name}'")));
            }
        }
        Ok(Test { fields })
    }

    fn field(&self, name: &str) -> Result<&Ast, TztError> {
        self.fields.get(name).ok_or_else(|| form(format!("field '{name}' is missing")))
    }

    fn optional<T: FromStr>(&self, name: &str) -> Result<Option<T>, TztError> {
        self.fields.get(name).map(parsed).transpose()
    }

    fn chain(&self) -> Result<TestChain, TztError> {
        let mut chain = TestChain::default();
        chain.index_address(&FIRST_INDEXED.parse().map_err(|_| form("address"))?);
        chain.balance = self.optional("balance")?.unwrap_or(Mutez(BALANCE));
        if let Some(now) = self.fields.get("now") {
            chain.now = parsed(now)?;
        }
        if let Some(level) = self.optional("level")? {
            chain.level = level;
        }
        if let Some(chain_id) = self.fields.get("chain_id") {
            chain.chain_id = Some(match micheline(chain_id)? {
                Micheline::Bytes(bytes) => ChainId(bytes.try_into().map_err(|_| form("a chain id is four bytes"))?),
                _ => parsed(chain_id)?,
            });
        }
        if let Some(seconds) = self.optional("min_block_time")? {
            chain.min_block_time = seconds;
        }
        if let Some(power) = self.optional("total_voting_power")? {
            chain.total_voting_power = power;
        }
        if let Some(list) = self.fields.get("voting_power") {
            for args in items(list, "Elt")? {
                let [delegate, power] = args else { return Err(form("Elt takes an account and a number")) };
                chain.voting_power.insert(parsed(delegate)?, parsed(power)?);
            }
        }
        if let Some(list) = self.fields.get("other_contracts") {
            for args in items(list, "Contract")? {
                let [address, ty] = args else { return Err(form("Contract takes an address and a type")) };
                chain.add_contract(parsed(address)?, micheline(ty)?)?;
            }
        }
        if let Some(list) = self.fields.get("storages") {
            for args in items(list, "Storage")? {
                let [address, ty, value] = args else {
                    return Err(form("Storage takes an address, a type and a value"));
                };
                chain.set_storage(parsed(address)?, micheline(ty)?, micheline(value)?);
            }
        }
        if let Some(list) = self.fields.get("views") {
            for args in items(list, "Views")? {
                let [address, views] = args else { return Err(form("Views takes an address and views")) };
                for view in items(views, "View")? {
                    let parts = view.iter().map(micheline).collect::<Result<_, _>>()?;
                    chain.add_view(parsed(address)?, parts);
                }
            }
        }
        if let Some(list) = self.fields.get("big_maps") {
            for args in items(list, "Big_map")? {
                let [id, key, value, entries] = args else {
                    return Err(form("Big_map takes an id, two types and entries"));
                };
                chain
                    .add_big_map(parsed(id)?, micheline(key)?, micheline(value)?, &micheline(entries)?)
                    .map_err(|error| form(error.to_string()))?;
            }
        }
        let own = self.self_address()?;
        if let Some(ty) = self.fields.get("parameter") {
            chain.add_contract(Destination::Contract(Contract::Originated(own)), micheline(ty)?)?;
        }
        Ok(chain)
    }

    fn self_address(&self) -> Result<ContractHash, TztError> {
        match self.optional("self")? {
            Some(address) => Ok(address),
            None => SELF.parse().map_err(|_| form("self")),
        }
    }

    fn environment(&self, chain: &TestChain) -> Result<Environment, TztError> {
        let account = |name: &str| match self.fields.get(name) {
            Some(address) => parsed(address),
            None => SENDER.parse().map_err(|_| form(name)),
        };
        let Destination::Contract(Contract::Implicit(source)) = account("source")? else {
            return Err(form("the source is an implicit account"));
        };
        Ok(Environment {
            contract: self.self_address()?,
            sender: account("sender")?,
            source,
            amount: self.optional("amount")?.unwrap_or(Mutez(0)),
            balance: chain.balance,
        })
    }

    /// What running the test gives: a stack or an error, in the words of the format.
    fn outcome(&self) -> Result<Ast, TztError> {
        let mut chain = self.chain()?;
        let environment = self.environment(&chain)?;
        let code = micheline(self.field("code")?)?;
        let parameter = match self.fields.get("parameter") {
            Some(ty) => Some(micheline(ty)?),
            None => None,
        };
        let mut gas = Gas::new(GAS);
        let input = self.stack_texts("input")?;
        let result = execute(&mut chain, &mut gas, environment, &code, parameter.as_ref(), &input);
        Ok(match result {
            Ok(stack) => pattern::stack(stack),
            Err(error) => pattern::error(&error),
        })
    }

    /// Type and value of each element of a stack, the top first.
    fn stack_texts(&self, name: &str) -> Result<Vec<Typed>, TztError> {
        let element = |args: &[Ast]| match args {
            [ty, value] => Ok(Typed { ty: micheline(ty)?, value: micheline(value)? }),
            _ => Err(form("Stack_elt takes a type and a value")),
        };
        items(self.field(name)?, "Stack_elt")?.into_iter().map(element).collect()
    }

    /// The expected result, values that can be read written in the readable form.
    fn expected(&self) -> Result<Ast, TztError> {
        let output = self.field("output")?;
        let Some(elements) = output.as_seq() else { return Ok(output.clone()) };
        let mut chain = self.chain()?;
        let normal = |element: &Ast| {
            let normalized = match element.as_prim() {
                Some(("Stack_elt", [ty, value])) => normalize(&mut chain, ty, value),
                _ => None,
            };
            normalized.map_or_else(|| element.clone(), |(ty, value)| pattern::element(&ty, value))
        };
        Ok(pattern::sequence(elements.iter().map(normal).collect()))
    }
}

fn normalize(chain: &mut dyn Chain, ty: &Ast, value: &Ast) -> Option<(Type, Ast)> {
    let mut gas = Gas::new(GAS);
    let mut typer = Typer::new(chain, &mut gas);
    let ty = typer.parse_type(&micheline(ty).ok()?).ok()?;
    let value = typer.parse_data(&micheline(value).ok()?, &ty, true).ok()?;
    let shown = typer.unparse(&value, &ty, Mode::Readable).ok()?;
    Some((ty, pattern::of_micheline(&shown)))
}

/// Checks and runs the code of a test; the stack it leaves, the top first, values ready to be shown.
fn execute(
    chain: &mut TestChain,
    gas: &mut Gas,
    environment: Environment,
    code: &Micheline,
    parameter: Option<&Micheline>,
    input: &[Typed],
) -> Result<Vec<(Type, Ast)>, ScriptError> {
    let mut machine = Machine::new(chain, gas, environment);
    machine.typer().allow_legacy();
    let show = |(ty, value): (Type, Value), typer: &mut Typer<'_>| {
        let shown = match &value {
            Value::Operation(emitted) => pattern::operation(&emitted.operation.kind, typer)?,
            _ => pattern::of_micheline(&typer.unparse(&value, &ty, Mode::Readable)?),
        };
        Ok((ty, shown))
    };
    let left = machine.single(input, code, parameter)?;
    left.into_iter().map(|element| show(element, machine.typer())).collect()
}
