// A rollup's life through Taquito: origination, messages, and an outbox message executed with its proof.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, it } from 'node:test';
import { BOOTSTRAP, World, eventually } from './world.mjs';

const KERNEL = readFileSync(new URL('../echo.hex', import.meta.url), 'utf8').trim();
let world, alice;

before(async () => {
  world = await World.start('0.5');
  alice = await world.as(BOOTSTRAP[0]);
});
after(() => world.stop());

it('originates a rollup, sends it a message, and executes its outbox', async () => {

  const get = async (url) => {
    const response = await fetch(url);
    return response.ok ? response.json() : undefined;
  };
  const rollup = await alice.contract.smartRollupOriginate({
    pvmKind: 'wasm_2_0_0',
    kernel: KERNEL,
    parametersType: { prim: 'bytes' },
  });
  await rollup.confirmation();
  assert.equal(rollup.status, 'applied');
  const address = rollup.results.at(-1).metadata.operation_result.address;
  const node = await world.operator(address, BOOTSTRAP[1]);

  const code = 'parameter string; storage string; code { CAR; NIL operation; PAIR }';
  const target = await (await alice.contract.originate({ code, storage: 'nothing yet' })).contract();
  const call = [{ destination: target.address, parameters: JSON.stringify('hello from Taquito') }];
  const message = world.run('rollup-client', 'encode', 'outbox', 'message', JSON.stringify(call)).trim();
  const sent = await alice.contract.smartRollupAddMessages({ message: [message] });
  await sent.confirmation();
  const level = sent.includedInBlock;

  const outbox = await eventually('the message is in the cemented outbox', async () => {
    const messages = await get(`${node}/global/block/cemented/outbox/${level}/messages`);
    return messages?.length > 0 && messages;
  });
  assert.equal(outbox[0].message.transactions[0].destination, target.address);
  const { commitment, proof } = await get(
    `${node}/global/block/cemented/helpers/proofs/outbox/${level}/messages?index=0`,
  );
  const executed = await alice.contract.smartRollupExecuteOutboxMessage({
    rollup: address,
    cementedCommitment: commitment,
    outputProof: proof,
  });
  await executed.confirmation();
  assert.equal(executed.status, 'applied');
  assert.equal(await target.storage(), 'hello from Taquito');
});
