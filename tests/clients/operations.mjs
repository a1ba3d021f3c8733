// Random batches of operations, the same for the same seed: what Soru, Taquito and PyTezos must forge alike.
// As a program: `node operations.mjs SEED COUNT` prints one `{ for, operation }` a line.
import { pathToFileURL } from 'node:url';
import { opMapping } from '@taquito/local-forging';
import { InMemorySigner } from '@taquito/signer';
import { PrefixV2, b58Encode } from '@taquito/utils';

/** Kinds of content by who forges them; see README.md for what a client lacks or gets wrong. */
const PYTEZOS = [
  'reveal', 'transaction', 'origination', 'delegation', 'register_global_constant', 'transfer_ticket', 'smart_rollup_add_messages',
  'smart_rollup_execute_outbox_message',
];
const TAQUITO = [
  ...PYTEZOS, 'set_deposits_limit', 'increase_paid_storage', 'update_consensus_key', 'update_companion_key', 'smart_rollup_originate',
  'dal_publish_commitment',
];
const SORU = [
  ...TAQUITO, 'smart_rollup_publish', 'smart_rollup_cement', 'smart_rollup_refute', 'smart_rollup_timeout', 'smart_rollup_recover_bond',
];
const POOLS = [
  { for: ['taquito', 'pytezos'], kinds: PYTEZOS },
  { for: ['taquito'], kinds: TAQUITO },
  { for: [], kinds: SORU },
];
const UNKNOWN_TO_PYTEZOS = ['CREATE_ACCOUNT', 'INDEX_ADDRESS', 'GET_ADDRESS_INDEX'];
const ENTRYPOINTS = [
  'default', 'root', 'do', 'set_delegate', 'remove_delegate', 'deposit', 'stake', 'unstake', 'finalize_unstake', 'set_delegate_parameters',
];
const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_';
const MOST_MUTEZ = 2n ** 63n - 1n;

/** Draws from a sequence that a seed fixes (mulberry32). */
class Draw {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  /** A number below a limit. */
  below(limit) {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  chance(percent) {
    return this.below(100) < percent;
  }

  one(list) {
    return list[this.below(list.length)];
  }

  list(most, item, least = 0) {
    return Array.from({ length: least + this.below(most - least + 1) }, item);
  }

  bytes(length) {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  hex(most) {
    return Buffer.from(this.bytes(this.below(most + 1))).toString('hex');
  }

  /** A natural number of any magnitude up to so many bits. */
  natural(bits) {
    const width = this.below(bits + 1);
    const digits = Buffer.from(this.bytes(Math.ceil(bits / 8))).toString('hex');
    return BigInt(`0x${digits}`) & ((1n << BigInt(width)) - 1n);
  }

  hash(prefix, length) {
    return b58Encode(this.bytes(length), prefix);
  }
}

/** Three accounts of each curve with their real keys. */
async function accounts(draw) {
  const made = [];
  const curves = [PrefixV2.Ed25519Seed, PrefixV2.Secp256k1SecretKey, PrefixV2.P256SecretKey, PrefixV2.BLS12_381SecretKey];
  for (const curve of curves) {
    for (let index = 0; index < 3; index += 1) {
      const secret = draw.bytes(32);
      // below the order of each group, whatever the order of the bytes
      secret[0] = secret[31] = 1;
      const signer = new InMemorySigner(b58Encode(secret, curve));
      const proof = curve === PrefixV2.BLS12_381SecretKey ? (await signer.provePossession()).prefixSig : undefined;
      made.push({ address: await signer.publicKeyHash(), key: await signer.publicKey(), proof });
    }
  }
  return made;
}

/** Expressions: any primitive at any place, since forging knows no types. */
class Expressions {
  constructor(draw, prims) {
    this.draw = draw;
    this.prims = prims;
  }

  annotations() {
    const { draw } = this;
    const one = () => draw.one(['%', ':', '@', '%@', '@%%']) + draw.list(8, () => draw.one(`${LETTERS}.%@`)).join('');
    return draw.chance(30) ? { annots: draw.list(3, one, 1) } : {};
  }

  leaf() {
    const { draw } = this;
    switch (draw.below(4)) {
      case 0: return { int: `${draw.natural(300) * (draw.chance(50) ? 1n : -1n)}` };
      case 1: return { string: draw.list(40, () => draw.one(`${LETTERS} "\\\n{}%éꜩ`)).join('') };
      case 2: return { bytes: draw.hex(60) };
      default: return { prim: draw.one(this.prims), ...this.annotations() };
    }
  }

  any(depth = this.draw.below(6)) {
    const { draw } = this;
    if (depth === 0) return this.leaf();
    const inner = () => this.any(draw.below(depth));
    const some = (count) => Array.from({ length: count }, inner);
    switch (draw.below(10)) {
      case 0: return { prim: draw.one(['LAMBDA', 'LAMBDA_REC']), args: some(3) };
      case 1: return { prim: 'view', args: some(4) };
      case 2: return { prim: draw.one(['pair', 'Pair']), args: some(1 + draw.below(6)), ...this.annotations() };
      case 3: return draw.list(5, inner);
      case 4: return this.deep();
      case 5: return this.leaf();
      default: return { prim: draw.one(this.prims), args: some(1 + draw.below(2)), ...this.annotations() };
    }
  }

  /** A narrow tower. */
  deep() {
    let tower = this.leaf();
    for (let level = this.draw.below(60); level > 0; level -= 1) {
      tower = this.draw.chance(30) ? [tower] : { prim: this.draw.one(['Left', 'Some', 'list', 'option']), args: [tower] };
    }
    return tower;
  }
}

/** Contents of operations. */
class Contents {
  constructor(draw, owners, pool) {
    this.draw = draw;
    this.owners = owners;
    this.kinds = pool.kinds;
    // words that are longer than two arguments allow have their own shape
    const shaped = ['LAMBDA', 'LAMBDA_REC', 'view'];
    const left = pool.for.includes('pytezos') ? [...shaped, ...UNKNOWN_TO_PYTEZOS] : shaped;
    this.expressions = new Expressions(draw, Object.values(opMapping).filter((prim) => !left.includes(prim)));
  }

  mutez() {
    const amount = this.draw.natural(63);
    return `${this.draw.chance(2) ? MOST_MUTEZ : amount}`;
  }

  natural(bits = 62) {
    return `${this.draw.natural(bits)}`;
  }

  level() {
    return Number(this.draw.natural(31));
  }

  owner() {
    return this.draw.one(this.owners);
  }

  implicit() {
    const kinds = [
      PrefixV2.Ed25519PublicKeyHash, PrefixV2.Secp256k1PublicKeyHash, PrefixV2.P256PublicKeyHash, PrefixV2.BLS12_381PublicKeyHash,
    ];
    return this.draw.hash(this.draw.one(kinds), 20);
  }

  originated() {
    return this.draw.hash(PrefixV2.ContractHash, 20);
  }

  account() {
    return this.draw.chance(50) ? this.implicit() : this.originated();
  }

  entrypoint() {
    const { draw } = this;
    return draw.chance(60) ? draw.one(ENTRYPOINTS) : draw.list(31, () => draw.one(LETTERS), 1).join('');
  }

  rollup() {
    return this.draw.hash(PrefixV2.SmartRollupHash, 20);
  }

  commitmentHash() {
    return this.draw.hash(PrefixV2.SmartRollupCommitmentHash, 32);
  }

  state() {
    return this.draw.hash(PrefixV2.SmartRollupStateHash, 32);
  }

  /** A public key; a BLS key may come with its proof of possession. */
  key(name) {
    const { key, proof } = this.owner();
    return { [name]: key, ...(proof && this.draw.chance(80) ? { proof } : {}) };
  }

  optional(name, value, percent = 50) {
    return this.draw.chance(percent) ? { [name]: value() } : {};
  }

  any() {
    const kind = this.draw.one(this.kinds);
    return {
      kind,
      source: this.owner().address,
      fee: this.mutez(),
      counter: this.natural(),
      gas_limit: this.natural(),
      storage_limit: this.natural(),
      ...this[kind](),
    };
  }

  reveal() {
    return this.key('public_key');
  }

  transaction() {
    const parameters = () => {
      const value = this.expressions.any();
      // Unit to the default entrypoint is forged, and parsed, as no parameters
      return { entrypoint: value.prim === 'Unit' ? 'root' : this.entrypoint(), value };
    };
    return { amount: this.mutez(), destination: this.account(), ...this.optional('parameters', parameters, 70) };
  }

  origination() {
    const script = { code: this.expressions.any(), storage: this.expressions.any() };
    return { balance: this.mutez(), ...this.optional('delegate', () => this.implicit()), script };
  }

  delegation() {
    return this.optional('delegate', () => this.implicit());
  }

  register_global_constant() {
    return { value: this.expressions.any() };
  }

  set_deposits_limit() {
    return this.optional('limit', () => this.mutez());
  }

  increase_paid_storage() {
    // Taquito forges larger amounts wrongly
    const amount = this.kinds === SORU ? this.natural(200) : `${this.draw.below(64)}`;
    return { amount, destination: this.originated() };
  }

  update_consensus_key() {
    return this.key('pk');
  }

  update_companion_key() {
    return this.key('pk');
  }

  transfer_ticket() {
    return {
      ticket_contents: this.expressions.any(),
      ticket_ty: this.expressions.any(),
      ticket_ticketer: this.account(),
      ticket_amount: `${1n + this.draw.natural(200)}`,
      destination: this.account(),
      entrypoint: this.entrypoint(),
    };
  }

  smart_rollup_originate() {
    return {
      pvm_kind: this.draw.one(['arith', 'wasm_2_0_0', 'riscv']),
      kernel: this.draw.hex(300),
      parameters_ty: this.expressions.any(),
      ...this.optional('whitelist', () => this.draw.list(4, () => this.implicit())),
    };
  }

  smart_rollup_add_messages() {
    return { message: this.draw.list(5, () => this.draw.hex(100)) };
  }

  smart_rollup_execute_outbox_message() {
    return { rollup: this.rollup(), cemented_commitment: this.commitmentHash(), output_proof: this.draw.hex(300) };
  }

  smart_rollup_cement() {
    return { rollup: this.rollup() };
  }

  smart_rollup_publish() {
    const commitment = {
      compressed_state: this.state(),
      inbox_level: this.level(),
      predecessor: this.commitmentHash(),
      number_of_ticks: `${this.draw.natural(63)}`,
    };
    return { rollup: this.rollup(), commitment };
  }

  smart_rollup_refute() {
    const start = () => ({
      refutation_kind: 'start',
      player_commitment_hash: this.commitmentHash(),
      opponent_commitment_hash: this.commitmentHash(),
    });
    const move = (step) => ({ refutation_kind: 'move', choice: this.natural(80), step });
    const chunk = () => ({ ...this.optional('state', () => this.state(), 80), tick: this.natural(80) });
    const dissection = () => move(this.draw.list(33, chunk));
    const proof = () => move({ pvm_step: this.draw.hex(300), ...this.optional('input_proof', () => this.inputProof(), 80) });
    return { rollup: this.rollup(), opponent: this.implicit(), refutation: this.draw.one([start, dissection, proof])() };
  }

  inputProof() {
    const page = () => ({
      published_level: this.level(),
      slot_index: this.draw.below(256),
      page_index: this.draw.below(2 ** 15),
    });
    const reveal = this.draw.one([
      () => ({ reveal_proof_kind: 'raw_data_proof', raw_data: this.draw.hex(300) }),
      () => ({ reveal_proof_kind: 'metadata_proof' }),
      () => ({ reveal_proof_kind: 'dal_page_proof', dal_page_id: page(), dal_proof: this.draw.hex(100) }),
      () => ({ reveal_proof_kind: 'dal_parameters_proof' }),
    ]);
    const message = () => ({
      input_proof_kind: 'inbox_proof',
      level: this.level(),
      message_counter: this.natural(),
      serialized_proof: this.draw.hex(100),
    });
    const proofs = [message, () => ({ input_proof_kind: 'reveal_proof', reveal_proof: reveal() }), () => ({ input_proof_kind: 'first_input' })];
    return this.draw.one(proofs)();
  }

  smart_rollup_timeout() {
    // reading puts the players in order
    const [alice, bob] = [this.implicit(), this.implicit()].sort();
    return { rollup: this.rollup(), stakers: { alice, bob } };
  }

  smart_rollup_recover_bond() {
    return { rollup: this.rollup(), staker: this.implicit() };
  }

  dal_publish_commitment() {
    return {
      slot_header: {
        slot_index: this.draw.below(32),
        commitment: this.draw.hash(PrefixV2.SlotHeader, 48),
        commitment_proof: Buffer.from(this.draw.bytes(96)).toString('hex'),
      },
    };
  }
}

/** So many operations, each with the clients that should forge it. */
export async function operations(seed, count) {
  const draw = new Draw(seed);
  const owners = await accounts(draw);
  return Array.from({ length: count }, () => {
    const pool = draw.one(POOLS);
    const contents = new Contents(draw, owners, pool);
    return { for: pool.for, operation: { branch: draw.hash(PrefixV2.BlockHash, 32), contents: draw.list(4, () => contents.any(), 1) } };
  });
}

/** How many operations to try, and from which seed: OPERATIONS and SEED, or what CI takes. */
export const asked = () => ({ count: Number(process.env.OPERATIONS ?? 200), seed: Number(process.env.SEED ?? 5) });

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [seed, count] = process.argv.slice(2).map(Number);
  for (const line of await operations(seed, count)) process.stdout.write(`${JSON.stringify(line)}\n`);
}
