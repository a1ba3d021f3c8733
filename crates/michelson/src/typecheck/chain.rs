//! Instructions about contracts, operations, views and tickets.

use super::{Judgement, Op, Script, Stack, Typer, shown};
use crate::error::{Problem, Result};
use crate::node::Node;
use crate::types::{Allow, Kind, Type};
use soru_tezos::contract::Entrypoint;
use soru_tezos::micheline::{Micheline, Prim};
use std::sync::Arc;

/// Longest name of a view, in bytes.
const MAX_VIEW_NAME: usize = 31;

/// The name of a view, when it is one.
pub(super) fn view_name(node: &Node<'_>) -> Result<String> {
    let Micheline::String(name) = node.expr else { return Err(node.wrong_kind(&["string"]).into()) };
    if name.len() > MAX_VIEW_NAME {
        return Err(Problem::ViewNameTooLong { name: name.chars().take(100).collect() }.into());
    }
    let valid = name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'.' | b'%' | b'@'));
    if valid { Ok(name.clone()) } else { Err(Problem::BadViewName { location: node.location }.into()) }
}

impl Typer<'_> {
    /// The entrypoint an annotation names. `default` is not written out, but in `SELF`.
    fn entrypoint_annotation(&self, node: &Node<'_>, strict: bool) -> Result<Option<Entrypoint>> {
        let name = node.annots().iter().find_map(|annot| annot.strip_prefix('%')).filter(|name| !name.is_empty());
        let location = node.location;
        match name {
            Some("default") if strict => Err(Problem::UnexpectedDefaultEntrypoint { location }.into()),
            Some(name) => match name.parse() {
                Ok(entrypoint) => Ok(Some(entrypoint)),
                Err(_) => Err(Problem::EntrypointTooLong { name: name.to_owned() }.into()),
            },
            None => Ok(None),
        }
    }

    fn not_in_view(&self, node: &Node<'_>, prim: Prim) -> Result<()> {
        if self.place.view && !self.place.lambda {
            return Err(Problem::ForbiddenInstruction { location: node.location, context: "View", prim }.into());
        }
        Ok(())
    }

    pub(super) fn chain_instr(&mut self, node: &Node<'_>, prim: Prim, stack: Stack) -> Judgement {
        match prim {
            Prim::SELF => self.self_contract(node, stack),
            Prim::CONTRACT => self.contract_instr(node, stack),
            Prim::VIEW => self.view_instr(node, stack),
            Prim::CREATE_CONTRACT => self.create_contract(node, stack),
            Prim::TRANSFER_TOKENS => self.transfer_tokens(node, stack),
            Prim::EMIT => self.emit(node, stack),
            Prim::SET_DELEGATE | Prim::INDEX_ADDRESS => {
                self.not_in_view(node, prim)?;
                self.plain(node, prim, stack)
            }
            _ => self.ticket_instr(node, prim, stack),
        }
    }

    fn self_contract(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let [] = node.args()?;
        let (location, prim) = (node.location, Prim::SELF);
        let entrypoint = self.entrypoint_annotation(node, false)?.unwrap_or_default();
        let Some(parameter) = self.place.parameter.as_ref().filter(|_| !self.place.lambda) else {
            let context = if self.place.view && !self.place.lambda { "View" } else { "Lambda" };
            return Err(Problem::ForbiddenInstruction { location, context, prim }.into());
        };
        let ty = parameter.find(&entrypoint)?.ty;
        stack.push(self.sized(node, Type::contract(ty.clone()))?);
        Ok((Op::SelfContract(entrypoint, ty), Some(stack)))
    }

    fn contract_instr(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let [ty] = node.args()?;
        let ty = self.type_of(ty, Allow::PASSABLE)?;
        let entrypoint = self.entrypoint_annotation(node, true)?;
        match stack.pop() {
            Some(top) if *top.kind() == Kind::Address => {}
            top => {
                stack.extend(top);
                return self.bad_stack(node, 1, &stack);
            }
        }
        stack.push(self.sized(node, Type::option(Type::contract(ty.clone())))?);
        Ok((Op::Contract(ty, entrypoint), Some(stack)))
    }

    fn view_instr(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let [name, output] = node.args()?;
        let name = view_name(name)?;
        let output = self.type_of(output, Allow::VIEW)?;
        let before = stack.clone();
        let (Some(input), Some(address)) = (stack.pop(), stack.pop()) else {
            return self.bad_stack(node, 2, &before);
        };
        if *address.kind() != Kind::Address {
            return self.bad_stack(node, 2, &before);
        }
        stack.push(self.sized(node, Type::option(output.clone()))?);
        Ok((Op::View { name, input, output }, Some(stack)))
    }

    fn create_contract(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let [code] = node.args()?;
        self.not_in_view(node, Prim::CREATE_CONTRACT)?;
        if code.as_seq().is_none() {
            return Err(code.wrong_kind(&["sequence"]).into());
        }
        let before = stack.clone();
        let (Some(delegate), Some(amount), Some(initial)) = (stack.pop(), stack.pop(), stack.pop()) else {
            return self.bad_stack(node, 3, &before);
        };
        if delegate != Type::option(Type::key_hash()) || *amount.kind() != Kind::Mutez {
            return self.bad_stack(node, 3, &before);
        }
        self.depth_step()?;
        let place = std::mem::take(&mut self.place);
        let script = Script::check_node(self, code);
        self.place = place;
        self.depth -= 1;
        let script = script?;
        self.same_type(node.location, &script.storage, &initial)?;
        stack.extend([Type::address(), Type::operation()]);
        Ok((Op::CreateContract { code: Arc::new(code.expr.clone()), storage: script.storage }, Some(stack)))
    }

    fn transfer_tokens(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let [] = node.args()?;
        self.not_in_view(node, Prim::TRANSFER_TOKENS)?;
        let before = stack.clone();
        let (Some(argument), Some(amount), Some(contract)) = (stack.pop(), stack.pop(), stack.pop()) else {
            return self.bad_stack(node, 3, &before);
        };
        let (Kind::Mutez, Kind::Contract(wanted)) = (amount.kind(), contract.kind()) else {
            return self.bad_stack(node, 3, &before);
        };
        self.item_fits(node, &before, &argument, wanted)?;
        stack.push(Type::operation());
        Ok((Op::TransferTokens(argument), Some(stack)))
    }

    fn emit(&mut self, node: &Node<'_>, mut stack: Stack) -> Judgement {
        let before = stack.clone();
        let Some(found) = stack.pop() else { return self.bad_stack(node, 1, &before) };
        let (ty, expr) = match &node.children[..] {
            [] => {
                self.packable(node, &found, false)?;
                (found.clone(), found.to_micheline())
            }
            [ty] => (self.type_of(ty, Allow::NONE)?, ty.expr.clone()),
            _ => return Err(node.wrong_arity(1).into()),
        };
        self.item_fits(node, &before, &ty, &found)?;
        let tag = self.entrypoint_annotation(node, true)?.unwrap_or_default();
        stack.push(Type::operation());
        Ok((Op::Emit { tag, ty, expr: Arc::new(expr) }, Some(stack)))
    }

    fn ticket_instr(&mut self, node: &Node<'_>, prim: Prim, mut stack: Stack) -> Judgement {
        let [] = node.args()?;
        let before = stack.clone();
        let Some(top) = stack.pop() else { return self.bad_stack(node, 1, &before) };
        if prim == Prim::READ_TICKET {
            let Kind::Ticket(content) = top.kind() else { return self.bad_stack(node, 1, &before) };
            let opened = Type::pair(Type::address(), Type::pair(content.clone(), Type::nat()));
            let opened = self.sized(node, opened)?;
            stack.extend([top, opened]);
            return Ok((Op::Plain(prim), Some(stack)));
        }
        match stack.pop() {
            Some(amount) if *amount.kind() == Kind::Nat => {}
            _ => return self.bad_stack(node, 2, &before),
        }
        if !top.is_comparable() {
            let wrong_type = top.to_micheline();
            return Err(Problem::ComparableTypeExpected { location: node.location, wrong_type }.into());
        }
        let ticket = self.sized(node, Type::ticket(top.clone()))?;
        if prim == Prim::TICKET_DEPRECATED {
            if !self.legacy {
                return Err(Problem::DeprecatedInstruction { prim }.into());
            }
            stack.push(ticket);
            return Ok((Op::TicketDeprecated(top), Some(stack)));
        }
        stack.push(self.sized(node, Type::option(ticket))?);
        Ok((Op::Ticket(top), Some(stack)))
    }

    /// Checks the code of a view.
    pub(super) fn view_body(
        &mut self,
        node: &Node<'_>,
        input: &Type,
        storage: &Type,
        output: &Type,
    ) -> Result<super::Code> {
        let location = node.location;
        let stack = vec![self.sized(node, Type::pair(input.clone(), storage.clone()))?];
        let (code, after) = self.sequence(node, stack)?;
        if let Some(after) = after {
            let wrong = || Problem::IllTypedView {
                location,
                actual: shown(&after),
                expected: shown(std::slice::from_ref(output)),
            };
            let [found] = &after[..] else { return Err(wrong().into()) };
            self.same_type(location, found, output).map_err(|error| error.within(wrong()))?;
        }
        Ok(code)
    }
}
