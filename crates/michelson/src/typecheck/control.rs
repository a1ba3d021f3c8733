//! Sequences, branches, loops, functions: instructions with code in them; and the dispatch over all instructions.

use super::{Around, Code, Instr, Judgement, Op, Stack, Typer, annotations, shown};
use crate::error::{Location, Problem, Result, ScriptError, TypeMapEntry};
use crate::gas::cost;
use crate::node::Node;
use crate::types::{Allow, Kind, Type};
use crate::value::{Body, Lambda, Value};
use soru_tezos::micheline::Prim;
use std::sync::Arc;

/// Most types in a map of stacks: what no contract that fits into an operation comes near.
const MAX_NOTED: usize = 1_000_000;

impl Typer<'_> {
    /// Checks a sequence of instructions.
    pub(crate) fn sequence(&mut self, node: &Node<'_>, stack: Stack) -> Result<(Code, Option<Stack>)> {
        let Some(items) = node.as_seq() else { return Err(node.wrong_kind(&["sequence"]).into()) };
        self.depth_step()?;
        let mut code = Vec::with_capacity(items.len());
        let mut stack = Some(stack);
        for item in items {
            let Some(before) = stack else {
                return Err(Problem::FailNotInTailPosition { location: item.location }.into());
            };
            let types = (self.keep_types && item.as_seq().is_none()).then(|| before.clone());
            let (op, after) = self.instruction(item, before)?;
            let types = types.map(|before| Box::new(Around { before, after: after.clone() }));
            code.push(Instr { location: item.location, op, types });
            stack = after;
        }
        self.depth -= 1;
        Ok((code.into(), stack))
    }

    /// Checks one instruction.
    pub(crate) fn instruction(&mut self, node: &Node<'_>, stack: Stack) -> Judgement {
        let before = self.log.is_some().then(|| shown(&stack));
        let judgement = self.judge(node, stack)?;
        if let (Some(log), Some(stack_before)) = (&mut self.log, before) {
            let failing = matches!(judgement.0, Op::Failwith(_) | Op::Plain(Prim::NEVER));
            let stack_after = judgement.1.as_deref().map(shown).or_else(|| failing.then(Vec::new));
            // sequences say nothing that their items do not
            let counts = node.as_seq().is_none_or(<[_]>::is_empty);
            if let (Some(stack_after), true) = (stack_after, counts) {
                self.noted = self.noted.saturating_add(stack_before.len() + stack_after.len());
                if self.noted > MAX_NOTED {
                    return Err(Problem::CannotSerializeLog.into());
                }
                log.push(TypeMapEntry { location: node.location, stack_before, stack_after });
            }
        }
        Ok(judgement)
    }

    fn judge(&mut self, node: &Node<'_>, stack: Stack) -> Judgement {
        self.gas.take(cost::CHECK_INSTRUCTION)?;
        let Some((prim, args)) = node.as_prim() else {
            return match node.as_seq() {
                Some(_) => self.sequence(node, stack).map(|(code, stack)| (Op::Seq(code), stack)),
                None => Err(node.wrong_kind(&["primitiveApplication", "sequence"]).into()),
            };
        };
        annotations::check(node, prim)?;
        match (prim, args.len()) {
            (Prim::DROP, _) => self.drop_instr(node, stack),
            (Prim::DUP, _) => self.dup(node, stack),
            (Prim::DIG, _) => self.dig_or_dug(node, stack, true),
            (Prim::DUG, _) => self.dig_or_dug(node, stack, false),
            (Prim::PAIR, _) => self.pair(node, stack),
            (Prim::UNPAIR, _) => self.unpair(node, stack),
            (Prim::GET, 1) => self.get_n(node, stack),
            (Prim::UPDATE, 1) => self.update_n(node, stack),
            (Prim::DIP, _) => self.dip(node, stack),
            (Prim::IF | Prim::IF_NONE | Prim::IF_LEFT | Prim::IF_CONS, _) => self.branches(node, prim, stack),
            (Prim::LOOP, _) => self.loop_instr(node, stack),
            (Prim::LOOP_LEFT, _) => self.loop_left(node, stack),
            (Prim::MAP, _) => self.map(node, stack),
            (Prim::ITER, _) => self.iter(node, stack),
            (Prim::LAMBDA | Prim::LAMBDA_REC, _) => self.lambda_instr(node, prim, stack),
            (Prim::EXEC, _) => self.exec(node, stack),
            (Prim::APPLY, _) => self.apply(node, stack),
            (Prim::FAILWITH | Prim::NEVER, _) => self.failing(node, prim, stack),
            (Prim::CONCAT, 0) if matches!(stack.last().map(Type::kind), Some(Kind::List(_))) => {
                self.concat_list(node, stack)
            }
            (
                Prim::PUSH
                | Prim::NONE
                | Prim::NIL
                | Prim::LEFT
                | Prim::RIGHT
                | Prim::EMPTY_SET
                | Prim::EMPTY_MAP
                | Prim::EMPTY_BIG_MAP
                | Prim::CAST
                | Prim::RENAME
                | Prim::UNPACK
                | Prim::PACK,
                _,
            ) => self.with_types(node, prim, stack),
            (
                Prim::SELF
                | Prim::CONTRACT
                | Prim::VIEW
                | Prim::CREATE_CONTRACT
                | Prim::TRANSFER_TOKENS
                | Prim::EMIT
                | Prim::TICKET
                | Prim::TICKET_DEPRECATED
                | Prim::READ_TICKET
                | Prim::SET_DELEGATE
                | Prim::INDEX_ADDRESS,
                _,
            ) => self.chain_instr(node, prim, stack),
            (Prim::CREATE_ACCOUNT | Prim::STEPS_TO_QUOTA, _) => Err(Problem::DeprecatedInstruction { prim }.into()),
            (Prim::SAPLING_EMPTY_STATE | Prim::SAPLING_VERIFY_UPDATE | Prim::OPEN_CHEST, _) => {
                Err(Problem::Unsupported { location: node.location, prim }.into())
            }
            _ if is_instruction(prim) => self.plain(node, prim, stack),
            _ => Err(Problem::InvalidNamespace {
                location: node.location,
                prim,
                expected: "instruction",
                given: namespace(prim),
            }
            .into()),
        }
    }

    fn dip(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let (count, body) = match &node.children[..] {
            [body] => (1, body),
            [n, body] => (self.number(n)?, body),
            _ => return Err(node.wrong_arity(2).into()),
        };
        if stack.len() < count {
            return self.bad_stack(node, count, &stack);
        }
        let above = stack.split_off(stack.len() - count);
        let (code, after) = self.sequence(body, stack)?;
        let Some(mut after) = after else {
            return Err(Problem::FailNotInTailPosition { location: node.location }.into());
        };
        after.extend(above);
        Ok((Op::Dip(count, code), Some(after)))
    }

    fn branches(&mut self, node: &Node<'_>, prim: Prim, mut stack: Stack) -> Judgement {
        let [first, second] = node.args()?;
        for branch in [first, second] {
            if branch.as_seq().is_none() {
                return Err(branch.wrong_kind(&["sequence"]).into());
            }
        }
        let before = stack.clone();
        let Some(top) = stack.pop() else { return self.bad_stack(node, 1, &before) };
        let mut other = stack.clone();
        match (prim, top.kind()) {
            (Prim::IF, Kind::Bool) => {}
            (Prim::IF_NONE, Kind::Option(a)) => other.push(a.clone()),
            (Prim::IF_LEFT, Kind::Or(a, b)) => {
                stack.push(a.clone());
                other.push(b.clone());
            }
            (Prim::IF_CONS, Kind::List(a)) => stack.extend([top.clone(), a.clone()]),
            _ => return self.bad_stack(node, 1, &before),
        }
        let (first, after_first) = self.sequence(first, stack)?;
        let (second, after_second) = self.sequence(second, other)?;
        let after = self.join(node.location, after_first, after_second)?;
        let op = match prim {
            Prim::IF => Op::If(first, second),
            Prim::IF_NONE => Op::IfNone(first, second),
            Prim::IF_LEFT => Op::IfLeft(first, second),
            _ => Op::IfCons(first, second),
        };
        Ok((op, after))
    }

    fn loop_instr(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let [body] = node.args()?;
        let before = stack.clone();
        match stack.pop() {
            Some(top) if *top.kind() == Kind::Bool => {}
            _ => return self.bad_stack(node, 1, &before),
        }
        let (code, after) = self.sequence(body, stack.clone())?;
        self.join(node.location, after, Some(before))?;
        Ok((Op::Loop(code), Some(stack)))
    }

    fn loop_left(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let [body] = node.args()?;
        let before = stack.clone();
        let Some(Kind::Or(a, b)) = stack.pop().map(|top| top.kind().clone()) else {
            return self.bad_stack(node, 1, &before);
        };
        stack.push(a);
        let (code, after) = self.sequence(body, stack.clone())?;
        self.join(node.location, after, Some(before))?;
        stack.pop();
        stack.push(b);
        Ok((Op::LoopLeft(code), Some(stack)))
    }

    fn map(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let [body] = node.args()?;
        let location = node.location;
        let before = stack.clone();
        let Some(top) = stack.pop() else { return self.bad_stack(node, 1, &before) };
        let item = match top.kind() {
            Kind::List(a) | Kind::Option(a) => a.clone(),
            Kind::Map(k, v) => Type::pair(k.clone(), v.clone()),
            _ => return self.bad_stack(node, 1, &before),
        };
        stack.push(item);
        let (code, after) = self.sequence(body, stack.clone())?;
        let Some(mut after) = after else { return Err(Problem::InvalidMapBlockFail { location }.into()) };
        stack.pop();
        let body_type = shown(&after);
        let wrong = || Problem::InvalidMapBody { location, body: body_type.clone() };
        let Some(result) = after.pop() else { return Err(wrong().into()) };
        self.same_stack(location, &after, &stack).map_err(|error| error.within(wrong()))?;
        let result = match top.kind() {
            Kind::List(_) => Type::list(result),
            Kind::Option(_) => Type::option(result),
            Kind::Map(k, _) => Type::map(k.clone(), result),
            _ => return self.bad_stack(node, 1, &before),
        };
        stack.push(self.sized(node, result)?);
        Ok((Op::Map(code), Some(stack)))
    }

    fn iter(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let [body] = node.args()?;
        let location = node.location;
        let before = stack.clone();
        let item = match stack.pop().map(|top| top.kind().clone()) {
            Some(Kind::List(a) | Kind::Set(a)) => a,
            Some(Kind::Map(k, v)) => Type::pair(k, v),
            _ => return self.bad_stack(node, 1, &before),
        };
        let mut inside = stack.clone();
        inside.push(item);
        let (code, after) = self.sequence(body, inside)?;
        if let Some(after) = after {
            self.same_stack(location, &after, &stack).map_err(|error| {
                error.within(Problem::InvalidIterBody { location, before: shown(&stack), after: shown(&after) })
            })?;
        }
        Ok((Op::Iter(code), Some(stack)))
    }

    /// Checks the body of a function.
    pub(crate) fn lambda(&mut self, code: &Node<'_>, argument: &Type, result: &Type, recursive: bool) -> Result<Code> {
        let outer = std::mem::replace(&mut self.place.lambda, true);
        let mut stack = Vec::new();
        if recursive {
            stack.push(self.sized(code, Type::lambda(argument.clone(), result.clone()))?);
        }
        stack.push(argument.clone());
        let checked = self.body(code, stack, result);
        self.place.lambda = outer;
        checked
    }

    /// Checks code that must leave exactly one value of type `result`.
    pub(super) fn body(&mut self, code: &Node<'_>, stack: Stack, result: &Type) -> Result<Code> {
        let location = code.location;
        let (typed, after) = self.sequence(code, stack)?;
        if let Some(after) = after {
            let wrong = || Problem::BadReturn { location, expected: result.to_micheline(), stack: shown(&after) };
            let [found] = &after[..] else { return Err(wrong().into()) };
            self.same_type(location, found, result).map_err(|error| error.within(wrong()))?;
        }
        Ok(typed)
    }

    fn lambda_instr(&mut self, node: &Node<'_>, prim: Prim, mut stack: Stack) -> Judgement {
        let [argument, result, code] = node.args()?;
        let argument = self.type_of(argument, Allow::ANY)?;
        let result = self.type_of(result, Allow::ANY)?;
        let recursive = prim == Prim::LAMBDA_REC;
        let typed = self.lambda(code, &argument, &result, recursive)?;
        let ty = self.sized(node, Type::lambda(argument.clone(), result.clone()))?;
        let body = Body::Code { code: typed, expr: Arc::new(code.expr.clone()), recursive };
        stack.push(ty);
        Ok((Op::Push(Value::Lambda(Arc::new(Lambda { argument, result, body }))), Some(stack)))
    }

    fn exec(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let [] = node.args()?;
        let before = stack.clone();
        let (Some(argument), Some(function)) = (stack.pop(), stack.pop()) else {
            return self.bad_stack(node, 2, &before);
        };
        let Kind::Lambda(wanted, result) = function.kind() else { return self.bad_stack(node, 2, &before) };
        self.item_fits(node, &before, &argument, wanted)?;
        stack.push(result.clone());
        Ok((Op::Plain(Prim::EXEC), Some(stack)))
    }

    /// Refuses a top item of another type than the operand below wants.
    pub(super) fn item_fits(&mut self, node: &Node<'_>, stack: &[Type], found: &Type, wanted: &Type) -> Result<()> {
        let location: Location = node.location;
        let prim = node.as_prim().map_or(Prim::EXEC, |(prim, _)| prim);
        self.same_type(location, found, wanted).map_err(|error| {
            error.within(Problem::BadStackItem { level: 1 }).within(Problem::BadStack {
                location,
                prim,
                portion: if prim == Prim::TRANSFER_TOKENS { 4 } else { 2 },
                stack: shown(stack),
            })
        })
    }

    fn apply(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let [] = node.args()?;
        let before = stack.clone();
        let (Some(captured), Some(function)) = (stack.pop(), stack.pop()) else {
            return self.bad_stack(node, 2, &before);
        };
        let Kind::Lambda(argument, result) = function.kind() else { return self.bad_stack(node, 2, &before) };
        let Kind::Pair(first, rest) = argument.kind() else { return self.bad_stack(node, 2, &before) };
        self.packable(node, first, false)?;
        self.item_fits(node, &before, &captured, first)?;
        stack.push(Type::lambda(rest.clone(), result.clone()));
        Ok((Op::Apply(captured), Some(stack)))
    }

    /// Refuses types whose values cannot be packed, or written in code: then contracts cannot, either.
    pub(super) fn packable(&self, node: &Node<'_>, ty: &Type, contracts: bool) -> Result<()> {
        let location = node.location;
        match unpackable(ty, contracts, location) {
            Some(problem) => Err(ScriptError::from(problem).within(Problem::UnpackableType { location })),
            None => Ok(()),
        }
    }

    fn failing(&mut self, node: &Node<'_>, prim: Prim, stack: Stack) -> Judgement {
        let [] = node.args()?;
        match (prim, stack.last()) {
            (Prim::FAILWITH, Some(ty)) => {
                self.packable(node, ty, false)?;
                Ok((Op::Failwith(ty.clone()), None))
            }
            (Prim::NEVER, Some(ty)) if *ty.kind() == Kind::Never => Ok((Op::Plain(Prim::NEVER), None)),
            _ => self.bad_stack(node, 1, &stack),
        }
    }

    fn concat_list(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let before = stack.clone();
        let Some(Kind::List(item)) = stack.pop().map(|top| top.kind().clone()) else {
            return self.bad_stack(node, 1, &before);
        };
        let bytes = match item.kind() {
            Kind::String => false,
            Kind::Bytes => true,
            _ => {
                let operand = Type::list(item).to_micheline();
                return Err(Problem::UndefinedUnop { location: node.location, prim: Prim::CONCAT, operand }.into());
            }
        };
        stack.push(item);
        Ok((Op::ConcatList { bytes }, Some(stack)))
    }

    /// Instructions that carry a type.
    fn with_types(&mut self, node: &Node<'_>, prim: Prim, mut stack: Stack) -> Judgement {
        let op = match prim {
            Prim::PUSH => {
                let [ty, data] = node.args()?;
                let ty = self.type_of(ty, Allow::NONE)?;
                let place = std::mem::take(&mut self.place);
                let value = self.value(data, &ty, false);
                self.place = place;
                stack.push(ty);
                Op::Push(value?)
            }
            Prim::NONE | Prim::NIL => {
                let [ty] = node.args()?;
                let ty = self.type_of(ty, Allow::ANY)?;
                stack.push(self.sized(node, if prim == Prim::NONE { Type::option(ty) } else { Type::list(ty) })?);
                Op::Plain(prim)
            }
            Prim::EMPTY_SET => {
                let [ty] = node.args()?;
                stack.push(self.sized(node, Type::set(Type::comparable(ty)?))?);
                Op::Plain(prim)
            }
            Prim::EMPTY_MAP => {
                let [key, value] = node.args()?;
                let (key, value) = (Type::comparable(key)?, self.type_of(value, Allow::ANY)?);
                stack.push(self.sized(node, Type::map(key, value))?);
                Op::Plain(prim)
            }
            Prim::EMPTY_BIG_MAP => {
                let [key, value] = node.args()?;
                let (key, value) = (Type::comparable(key)?, self.type_of(value, Allow::BIG_MAP_VALUE)?);
                stack.push(self.sized(node, Type::big_map(key.clone(), value.clone()))?);
                Op::EmptyBigMap(key, value)
            }
            Prim::LEFT | Prim::RIGHT => {
                let [other] = node.args()?;
                let other = self.type_of(other, Allow::ANY)?;
                let Some(ty) = stack.pop() else { return self.bad_stack(node, 1, &stack) };
                let ty = if prim == Prim::LEFT { Type::or(ty, other) } else { Type::or(other, ty) };
                stack.push(self.sized(node, ty)?);
                Op::Plain(prim)
            }
            Prim::CAST => {
                let [ty] = node.args()?;
                let ty = self.type_of(ty, Allow::ANY)?;
                let Some(found) = stack.pop() else { return self.bad_stack(node, 1, &stack) };
                self.same_type(node.location, &ty, &found)?;
                stack.push(ty);
                Op::Nothing
            }
            Prim::RENAME => {
                let [] = node.args()?;
                if stack.is_empty() {
                    return self.bad_stack(node, 1, &stack);
                }
                Op::Nothing
            }
            Prim::UNPACK => {
                let [ty] = node.args()?;
                let ty = self.type_of(ty, Allow::NONE)?;
                if !matches!(stack.last().map(Type::kind), Some(Kind::Bytes)) {
                    return self.bad_stack(node, 1, &stack);
                }
                stack.pop();
                stack.push(self.sized(node, Type::option(ty.clone()))?);
                Op::Unpack(ty)
            }
            _ => {
                let [] = node.args()?;
                let Some(ty) = stack.pop() else { return self.bad_stack(node, 1, &stack) };
                self.packable(node, &ty, true)?;
                stack.push(Type::bytes());
                Op::Pack(ty)
            }
        };
        Ok((op, Some(stack)))
    }
}

/// The first part of a type whose values cannot be packed.
fn unpackable(ty: &Type, contracts: bool, location: Location) -> Option<Problem> {
    match ty.kind() {
        Kind::BigMap(..) | Kind::SaplingState(_) => Some(Problem::UnexpectedLazyStorage { location }),
        Kind::Operation => Some(Problem::UnexpectedOperation { location }),
        Kind::Ticket(_) => Some(Problem::UnexpectedTicket { location }),
        Kind::Contract(_) if !contracts => Some(Problem::UnexpectedContract { location }),
        Kind::Pair(a, b) | Kind::Or(a, b) => {
            unpackable(a, contracts, location).or_else(|| unpackable(b, contracts, location))
        }
        Kind::Option(a) | Kind::List(a) | Kind::Map(_, a) => unpackable(a, contracts, location),
        _ => None,
    }
}

/// What a primitive is, as errors call it.
pub(crate) fn namespace(prim: Prim) -> &'static str {
    let name = prim.name();
    match prim {
        Prim::parameter | Prim::storage | Prim::code | Prim::view => "keyword",
        Prim::constant => "constant_hash",
        _ if name.starts_with(|c: char| c.is_ascii_lowercase()) => "type",
        _ if name.chars().nth(1).is_some_and(|c| c.is_ascii_lowercase()) => "constant",
        _ => "instruction",
    }
}

fn is_instruction(prim: Prim) -> bool {
    namespace(prim) == "instruction"
}
