//! The root of a PVM state (`spec/pvm.md` §4.1): decoded from the tree, changed in memory, written back when someone
//! asks for a hash.

use crate::buffers::InputBuffer;
use crate::durable::{Durable, keys};
use crate::encoding::{exactly, int32, integer, put_natural, read_integer, read_natural};
use crate::error::{PvmError, Undecided};
use crate::input::InputPlace;
use crate::leaf;
use crate::outbox::OutputBuffer;
use crate::tick_state::{Phase, TickState};
use crate::units::Tick;
use crate::version::Version;
use bytes::Bytes;
use soru_merkle::Tree;
use soru_tezos::codec::put_dynamic;

/// Runs of the kernel a level allows, unless the origination says otherwise.
pub const MAXIMUM_REBOOTS: u128 = 1000;

/// What the protocol fixes when a rollup is originated (`spec/pvm.md` §9.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// Ticks of a cycle.
    pub ticks_per_snapshot: Tick,
    /// Levels an outbox is kept.
    pub outbox_validity_period: i32,
    /// Most messages of an outbox.
    pub outbox_message_limit: i128,
    /// Runs of the kernel a level allows.
    pub maximum_reboots_per_input: u128,
}

impl Parameters {
    /// Of the protocols Mumbai, Nairobi and Oxford.
    pub const BEFORE_PARIS: Parameters = Parameters {
        ticks_per_snapshot: Tick(11_000_000_000),
        outbox_validity_period: 80_640,
        outbox_message_limit: 100,
        maximum_reboots_per_input: MAXIMUM_REBOOTS,
    };
    /// Of Paris and all protocols since.
    pub const SINCE_PARIS: Parameters = Parameters {
        ticks_per_snapshot: Tick(50_000_000_000_000),
        outbox_validity_period: 241_920,
        outbox_message_limit: 100,
        maximum_reboots_per_input: MAXIMUM_REBOOTS,
    };

    /// Of the protocols that originate rollups of `version`.
    pub fn of_version(version: Version) -> Parameters {
        if version < Version::V4 { Parameters::BEFORE_PARIS } else { Parameters::SINCE_PARIS }
    }
}

/// What a kernel can reach: durable storage, inbox and outbox.
#[derive(Clone)]
pub struct Storage {
    /// The durable storage.
    pub durable: Durable,
    /// Messages of the level not yet read.
    pub input: InputBuffer,
    /// The outboxes.
    pub output: OutputBuffer,
}

/// A PVM state in memory.
#[derive(Clone)]
pub struct State {
    /// The tree this state was read from, whose other parts are kept.
    base: Tree,
    /// What a kernel can reach.
    pub storage: Storage,
    /// Place of the last input given.
    pub last_input: Option<InputPlace>,
    /// Steps made since the origination.
    pub current_tick: Tick,
    /// Runs left, plus one (§5.7).
    pub reboot_counter: u128,
    /// What the machine does.
    pub tick_state: TickState,
    /// Tick of the last snapshot or yield.
    pub last_top_level_call: Tick,
    /// Ticks of a cycle.
    pub max_nb_ticks: Tick,
    /// Runs of the kernel a level allows.
    pub maximum_reboots_per_input: u128,
    /// As given at origination.
    pub outbox_validity_period: i32,
    /// As given at origination.
    pub outbox_message_limit: i128,
}

/// What the machine waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InputRequest {
    /// Nothing: it computes.
    None,
    /// The next inbox message.
    Input,
    /// An answer to this raw reveal request.
    Reveal(Bytes),
}

fn read_n(bytes: &[u8]) -> soru_tezos::codec::Decoded<u128> {
    exactly(bytes, "natural", |reader| read_natural(reader, "natural"))
}

/// The state called "initial" (§4.1 a): nothing but the version.
pub fn initial_tree(version: Version) -> Result<Tree, PvmError> {
    let mut durable = Durable::new(Tree::empty());
    durable.set_at(keys::VERSION, version.as_str().as_bytes())?;
    let mut tree = Tree::empty();
    tree.add_tree(&["durable"], durable.tree().clone())?;
    Ok(tree)
}

impl State {
    /// The state of a rollup just originated with `boot_sector` as its kernel (§4.1 b).
    pub fn originate(version: Version, boot_sector: &[u8], parameters: Parameters) -> Result<State, PvmError> {
        let base = initial_tree(version)?;
        let mut durable = Durable::new(leaf::subtree(&base, &["durable"])?);
        durable.touch_at(keys::REBOOT)?;
        durable.set_at(keys::KERNEL, boot_sector)?;
        let output = OutputBuffer::new(parameters.outbox_validity_period, parameters.outbox_message_limit);
        Ok(State {
            base,
            storage: Storage { durable, input: InputBuffer::default(), output },
            last_input: None,
            current_tick: Tick(0),
            reboot_counter: parameters.maximum_reboots_per_input.saturating_add(1).min(MAXIMUM_REBOOTS + 1),
            tick_state: TickState::Collect,
            last_top_level_call: Tick(0),
            max_nb_ticks: parameters.ticks_per_snapshot,
            maximum_reboots_per_input: parameters.maximum_reboots_per_input,
            outbox_validity_period: parameters.outbox_validity_period,
            outbox_message_limit: parameters.outbox_message_limit,
        })
    }

    /// Reads a state: every leaf of the root's layout, no content of lazy containers.
    pub fn decode(tree: &Tree) -> Result<State, PvmError> {
        let last_input = leaf::optional(tree, &["wasm", "input"], InputPlace::of_leaf)?;
        let current_tick = leaf::optional(tree, &["wasm", "current_tick"], read_n)?.unwrap_or(0);
        let reboot_counter = leaf::optional(tree, &["wasm", "reboot_counter"], read_n)?;
        let durable = Durable::new(leaf::subtree(tree, &["durable"])?);
        // the option around the buffers: its tag is read, though it always says the same
        leaf::optional(tree, &["tag"], |_| Ok(()))?;
        let input = InputBuffer::decode(tree)?;
        let output = OutputBuffer::decode(tree)?;
        let tick_state = TickState::decode(tree)?;
        let last_top_level_call = leaf::optional(tree, &["pvm", "last_top_level_call"], read_n)?.unwrap_or(0);
        let max_nb_ticks = leaf::required(tree, &["pvm", "max_nb_ticks"], read_n)?;
        let maximum_reboots = leaf::optional(tree, &["pvm", "maximum_reboots_per_input"], read_n)?;
        let maximum_reboots_per_input = maximum_reboots.unwrap_or(MAXIMUM_REBOOTS);
        Ok(State {
            base: tree.clone(),
            storage: Storage { durable, input, output },
            last_input,
            current_tick: Tick(current_tick),
            reboot_counter: reboot_counter.unwrap_or(maximum_reboots_per_input.saturating_add(1)),
            tick_state,
            last_top_level_call: Tick(last_top_level_call),
            max_nb_ticks: Tick(max_nb_ticks),
            maximum_reboots_per_input,
            outbox_validity_period: leaf::required(tree, &["pvm", "outbox_validity_period"], |bytes| {
                int32(bytes, "outbox validity period")
            })?,
            outbox_message_limit: leaf::required(tree, &["pvm", "outbox_message_limit"], |bytes| {
                exactly(bytes, "outbox message limit", |reader| read_integer(reader, "outbox message limit"))
            })?,
        })
    }

    /// Writes the state back into its tree.
    pub fn encode(&self) -> Result<Tree, PvmError> {
        let mut tree = self.base.clone();
        tree.remove(&["wasm"])?;
        if let Some(input) = self.last_input {
            tree.add(&["wasm", "input"], input.to_leaf())?;
        }
        tree.write(&["wasm", "current_tick"], |out| put_natural(out, self.current_tick.0))?;
        tree.write(&["wasm", "reboot_counter"], |out| put_natural(out, self.reboot_counter))?;
        tree.add_tree(&["durable"], self.storage.durable.tree().clone())?;
        tree.write(&["tag"], |out| put_dynamic(out, b"Some"))?;
        self.storage.input.encode(&mut tree)?;
        self.storage.output.encode(&mut tree)?;
        self.tick_state.encode(&mut tree)?;
        tree.write(&["pvm", "last_top_level_call"], |out| put_natural(out, self.last_top_level_call.0))?;
        tree.write(&["pvm", "max_nb_ticks"], |out| put_natural(out, self.max_nb_ticks.0))?;
        tree.write(&["pvm", "maximum_reboots_per_input"], |out| put_natural(out, self.maximum_reboots_per_input))?;
        tree.write(&["pvm", "outbox_validity_period"], |out| out.extend(self.outbox_validity_period.to_be_bytes()))?;
        tree.add(&["pvm", "outbox_message_limit"], integer(self.outbox_message_limit))?;
        Ok(tree)
    }

    /// The version in durable storage.
    pub fn version(&self) -> Result<Version, PvmError> {
        let value = self.storage.durable.value_at(keys::VERSION)?;
        let value = value.ok_or_else(|| PvmError::Missing("durable/readonly/wasm_version".into()))?;
        Version::parse(&value.read(0, 64)?)
    }

    /// Whether the state has the new durable storage (§9.3), which only the exact reference knows.
    pub fn has_nds(&self) -> Result<bool, PvmError> {
        Ok(self.base.find_tree(&["pvm", "nds_hash"])?.is_some())
    }

    /// Ticks until the last one of the cycle; none left means time is up (§5.1).
    pub fn ticks_to_boundary(&self) -> Tick {
        let end = Tick(self.last_top_level_call.0.saturating_add(self.max_nb_ticks.0).saturating_sub(1));
        end.since(self.current_tick)
    }

    /// What the machine waits for (§5.8).
    pub fn input_request(&self) -> Result<InputRequest, PvmError> {
        Ok(match &self.tick_state {
            TickState::Stuck(error) if error.cause().is_some() => InputRequest::None,
            TickState::Stuck(_) | TickState::Collect => InputRequest::Input,
            TickState::Running(Phase::Eval, payload) => match pending_reveal(payload)? {
                Some(request) => InputRequest::Reveal(request),
                None => InputRequest::None,
            },
            TickState::Snapshot | TickState::Padding | TickState::Running(..) => InputRequest::None,
        })
    }

    /// The state after a `kernel_run` that ended with `storage`: only the cycle's last tick is still to come.
    pub(crate) fn reach_end_of_cycle(&mut self, storage: Storage) {
        self.storage = storage;
        self.tick_state = TickState::Padding;
        self.current_tick = self.current_tick.after(self.ticks_to_boundary());
    }

    /// Takes `tree`, which this state was just written to, as the tree it came from: what is unchanged is shared from now on.
    pub(crate) fn settle(&mut self, tree: Tree) -> Result<(), PvmError> {
        self.storage.durable = Durable::new(leaf::subtree(&tree, &["durable"])?);
        self.storage.input = InputBuffer::decode(&tree)?;
        self.storage.output = OutputBuffer::decode(&tree)?;
        self.base = tree;
        Ok(())
    }

    /// The error of a run that only the exact machine can decide.
    pub(crate) fn undecided(&self, reason: Undecided) -> PvmError {
        PvmError::Undecided { tick: self.current_tick, reason }
    }
}

/// The raw request of an evaluation parked in a reveal (§4.7), read from the payload of the tick state.
fn pending_reveal(payload: &Tree) -> Result<Option<Bytes>, PvmError> {
    let read_bytes = |bytes: &[u8]| exactly(bytes, "reveal", |reader| reader.dynamic("reveal").map(<[u8]>::to_vec));
    let is = |path: &[&str], wanted: &[u8]| -> Result<bool, PvmError> {
        Ok(leaf::optional(payload, path, read_bytes)?.is_some_and(|tag| tag == wanted))
    };
    let kont = ["config", "step_kont", "value", "kont", "value", "invoke_kont"];
    let at = |last: &[&'static str]| [&kont[..], last].concat();
    if !is(&["config", "step_kont", "tag"], b"SK_Next")?
        || !is(&kont[..4].iter().copied().chain(["tag"]).collect::<Vec<_>>(), b"LS_Craft_frame")?
        || !is(&at(&["tag"]), b"Inv_reveal_tick")?
    {
        return Ok(None);
    }
    let tag = leaf::required(payload, &at(&["value", "reveal", "tag"]), read_bytes)?;
    let value = at(&["value", "reveal", "value"]);
    let mut request = match tag.as_slice() {
        b"Reveal_metadata" => return Ok(Some(Bytes::from_static(&[1]))),
        b"Reveal_raw_data" => vec![0],
        _ => Vec::new(),
    };
    request.extend(leaf::required(payload, &value, read_bytes)?);
    Ok(Some(request.into()))
}
