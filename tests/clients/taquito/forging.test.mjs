// Operations forged by the sandbox are those that Taquito forges without asking anybody, and are read back as they were.
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { LocalForger } from '@taquito/local-forging';
import { asked, operations } from '../operations.mjs';
import { World } from './world.mjs';

const forger = new LocalForger();
let world;

before(async () => {
  world = await World.start();
});
after(() => world.stop());

/** What a helper of the head block answers. */
async function helper(name, body) {
  const response = await fetch(`${world.rpc}/chains/main/blocks/head/helpers/${name}/operations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer = await response.text();
  assert.equal(response.status, 200, `${answer}\n${JSON.stringify(body)}`);
  return JSON.parse(answer);
}

const forge = (operation) => helper('forge', operation);

/** Reads forged bytes, to which parsing wants a signature. */
async function parse(bytes, branch) {
  const data = bytes.slice(64) + '00'.repeat(64);
  const [operation] = await helper('parse', { operations: [{ branch, data }], check_signature: false });
  return operation;
}

it('forges what Taquito forges and parses what it forged', async (test) => {
  const { seed, count } = asked();
  const kinds = new Map();
  let compared = 0;
  for (const [index, { for: clients, operation }] of (await operations(seed, count)).entries()) {
    const place = `operation ${index} of seed ${seed}: ${JSON.stringify(operation)}`;
    const bytes = await forge(operation);
    if (clients.includes('taquito')) {
      assert.equal(bytes, await forger.forge(operation), place);
      compared += 1;
    }
    assert.deepEqual(await parse(bytes, operation.branch), operation, place);
    for (const { kind } of operation.contents) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  test.diagnostic(`seed ${seed}: ${count} operations parsed, ${compared} of them compared with Taquito's`);
  test.diagnostic([...kinds].map(([kind, times]) => `${kind} ${times}`).join(', '));
});

const BRANCH = 'BLyoT3fChxBsj4VoKFRcya8NpLLpENoskE2VYjYGjqyG5RCBEyy';
const HEADER = { source: 'tz1VSUr8wwNhLAzempoch5d6hLRiTh8Cjcjb', fee: '0', counter: '1', gas_limit: '0', storage_limit: '0' };
const KT1 = 'KT1VD4SdQF2ruNNTCE1aTWErmGz9tN4Mg8F5';
const LAMBDA = { prim: 'LAMBDA', args: [{ prim: 'nat' }, { prim: 'nat' }, []], annots: ['@f'] };

// what the encoding of the protocol wants (README.md tells why), and what Taquito 25 makes of it
for (const [what, content, right, wrong] of [
  ['an amount above 63', { kind: 'increase_paid_storage', amount: '64', destination: KT1 }, '800101e2', '4001e2'],
  [
    'a default entrypoint with an annotated Unit',
    { kind: 'transaction', amount: '0', destination: KT1, parameters: { entrypoint: 'default', value: { prim: 'Unit', annots: ['%u'] } } },
    'ff0000000008040b000000022575',
    '00',
  ],
  [
    'an annotated LAMBDA',
    { kind: 'register_global_constant', value: LAMBDA },
    '00000015' + '0931' + '00000009' + '036203620200000000' + '00000002' + '4066',
    '00000019' + '0931' + '00000009' + '036203620200000000' + '00000000' + '00000002' + '4066',
  ],
  [
    'three arguments of a primitive that takes less',
    { kind: 'register_global_constant', value: { prim: 'Some', args: [{ int: '1' }, { int: '2' }, { int: '3' }] } },
    '00000010' + '0909' + '00000006000100020003' + '00000000',
    '00000008' + '0909' + '000100020003',
  ],
]) {
  it(`is right where Taquito errs: ${what}`, async () => {
    const operation = { branch: BRANCH, contents: [{ ...HEADER, ...content }] };
    const [ours, theirs] = [await forge(operation), await forger.forge(operation)];
    assert.ok(ours.includes(right), ours);
    assert.ok(theirs.includes(wrong) && !theirs.includes(right), theirs);
    assert.deepEqual((await parse(ours, BRANCH)).contents, operation.contents);
  });
}
