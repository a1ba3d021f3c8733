// What a wallet or an application does all day, through Taquito as it comes from npm.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { MichelsonMap } from '@taquito/taquito';
import { BOOTSTRAP, World, contract } from './world.mjs';

for (const blockTime of ['1', 'on-operation']) {
  describe(`everyday operations, --block-time ${blockTime}`, () => {
    let world, alice, bob, aliceAddress, bobAddress;

    before(async () => {
      world = await World.start(blockTime);
      alice = await world.as(BOOTSTRAP[0]);
      bob = await world.as(BOOTSTRAP[1]);
      aliceAddress = await alice.signer.publicKeyHash();
      bobAddress = await bob.signer.publicKeyHash();
    });
    after(() => world.stop());

    it('reads a balance', async () => {
      assert.equal((await alice.tz.getBalance(bobAddress)).toString(), '4000000000000');
    });

    it('transfers, and the receiver has it', async () => {
      const before = await alice.tz.getBalance(bobAddress);
      const op = await alice.contract.transfer({ to: bobAddress, amount: 1.5 });
      await op.confirmation();
      assert.equal(op.status, 'applied');
      assert.equal((await alice.tz.getBalance(bobAddress)).minus(before).toString(), '1500000');
    });

    it('sends a batch', async () => {
      const transfer = (amount) => ({ to: bobAddress, amount });
      const op = await alice.contract.batch().withTransfer(transfer(1)).withTransfer(transfer(2)).send();
      await op.confirmation();
      assert.equal(op.status, 'applied');
    });

    it('estimates what the operation then costs', async () => {
      const estimate = await alice.estimate.transfer({ to: bobAddress, amount: 1 });
      const op = await alice.contract.transfer({ to: bobAddress, amount: 1 });
      await op.confirmation();
      assert.ok(Number(op.consumedMilliGas) / 1000 <= estimate.gasLimit, `${op.consumedMilliGas} > ${estimate.gasLimit}`);
      assert.equal(estimate.storageLimit, 0);
      assert.equal(op.fee, estimate.suggestedFeeMutez);
    });

    it('confirms through the wallet API', async () => {
      const op = await alice.wallet.transfer({ to: bobAddress, amount: 1 }).send();
      const confirmation = await op.confirmation(1);
      assert.equal(confirmation.currentConfirmation, 1);
      assert.equal(await op.status(), 'applied');
    });

    it('originates, calls, reads storage and big maps', async () => {
      const code = `parameter (or (string %set) (pair %put string nat)); storage (pair (string %s) (big_map %m string nat));
        code { UNPAIR; IF_LEFT { UPDATE 1 } { UNPAIR; DIP { SOME; DIP { UNPAIR; SWAP } }; UPDATE; SWAP; PAIR };
               NIL operation; PAIR }`;
      const m = MichelsonMap.fromLiteral({ a: 1 });
      const origination = await alice.contract.originate({ code, storage: { s: 'hi', m } });
      const deployed = await origination.contract();
      await (await deployed.methodsObject.set('yo').send()).confirmation();
      await (await deployed.methodsObject.put({ 0: 'b', 1: 7 }).send()).confirmation();
      const storage = await deployed.storage();
      assert.equal(storage.s, 'yo');
      assert.equal((await storage.m.get('a')).toString(), '1');
      assert.equal((await storage.m.get('b')).toString(), '7');
      assert.equal(await storage.m.get('c'), undefined);
    });

    it('FA1.2: transfers, allowances, refusals', async () => {
      const storage = { ledger: MichelsonMap.fromLiteral({ [aliceAddress]: 100 }), allowances: new MichelsonMap(), supply: 100 };
      const token = await (await alice.contract.originate({ code: contract('fa12'), storage })).contract();
      const send = async (from, method) => (await method.send()).confirmation();
      await send(alice, token.methodsObject.transfer({ from: aliceAddress, to: bobAddress, value: 30 }));
      await send(alice, token.methodsObject.approve({ spender: bobAddress, value: 20 }));
      const bobs = await bob.contract.at(token.address);
      await send(bob, bobs.methodsObject.transfer({ from: aliceAddress, to: bobAddress, value: 15 }));
      const { ledger } = await token.storage();
      assert.equal((await ledger.get(aliceAddress)).toString(), '55');
      assert.equal((await ledger.get(bobAddress)).toString(), '45');
      const tooMuch = bobs.methodsObject.transfer({ from: aliceAddress, to: bobAddress, value: 6 });
      await assert.rejects(tooMuch.send(), (error) => {
        assert.equal(error.name, 'TezosOperationError');
        assert.match(error.id, /michelson_v1\.script_rejected$/);
        assert.match(JSON.stringify(error.errors), /NotEnoughAllowance/);
        return true;
      });
    });

    it('FA2: operators, transfers, balances', async () => {
      const ledger = new MichelsonMap({ prim: 'map', args: [{ prim: 'pair', args: [{ prim: 'address' }, { prim: 'nat' }] }, { prim: 'nat' }] });
      ledger.set({ 0: aliceAddress, 1: 0 }, 10);
      const storage = { ledger, operators: new MichelsonMap() };
      const token = await (await alice.contract.originate({ code: contract('fa2'), storage })).contract();
      const permission = { owner: aliceAddress, operator: bobAddress, token_id: 0 };
      const transfer = [{ from_: aliceAddress, txs: [{ to_: bobAddress, token_id: 0, amount: 4 }] }];
      const bobs = await bob.contract.at(token.address);
      await assert.rejects(bobs.methodsObject.transfer(transfer).send(), /FA2_NOT_OPERATOR/);
      await (await token.methodsObject.update_operators([{ add_operator: permission }]).send()).confirmation();
      await (await bobs.methodsObject.transfer(transfer).send()).confirmation();
      const now = await token.storage();
      assert.equal((await now.ledger.get({ 0: aliceAddress, 1: 0 })).toString(), '6');
      assert.equal((await now.ledger.get({ 0: bobAddress, 1: 0 })).toString(), '4');
    });

    for (const scheme of ['ed25519', 'secp256k1', 'p256', 'bls']) {
      it(`reveals and spends with a key of ${scheme}`, async () => {
        world.client('gen', 'keys', scheme, '-s', scheme);
        const shown = world.client('show', 'address', scheme, '-S');
        const owner = await world.as(/unencrypted:(\S+)/.exec(shown)[1]);
        const address = await owner.signer.publicKeyHash();
        assert.ok(shown.includes(address));
        await (await alice.contract.transfer({ to: address, amount: 10 })).confirmation();
        const op = await owner.contract.transfer({ to: bobAddress, amount: 1 });
        await op.confirmation();
        assert.equal(op.status, 'applied');
        assert.equal(await alice.rpc.getManagerKey(address), await owner.signer.publicKey());
      });
    }

    it('refuses what the sender does not have', async () => {
      await assert.rejects(alice.contract.transfer({ to: bobAddress, amount: 1e9 }), (error) => {
        assert.equal(error.name, 'TezosOperationError');
        assert.ok(error.errors.some(({ id }) => id.endsWith('contract.balance_too_low')), JSON.stringify(error.errors));
        return true;
      });
    });

    it('refuses a counter of the past', async () => {
      const source = aliceAddress;
      const { hash: branch } = await alice.rpc.getBlockHeader();
      const contents = [
        { kind: 'transaction', source, destination: bobAddress, amount: '1', fee: '1000', counter: '1', gas_limit: '5000', storage_limit: '0' },
      ];
      const forged = await alice.rpc.forgeOperations({ branch, contents });
      const { sbytes } = await alice.signer.sign(forged, new Uint8Array([3]));
      await assert.rejects(alice.rpc.injectOperation(sbytes), (error) => {
        assert.match(error.body, /async_injection_failed.*Counter 1 already used for contract tz1/);
        return true;
      });
    });

    it('names the counter it expected when asked to apply', async () => {
      const { hash: branch, protocol } = await alice.rpc.getBlockHeader();
      const contents = [
        { kind: 'transaction', source: aliceAddress, destination: bobAddress, amount: '1', fee: '1000', counter: '1', gas_limit: '5000', storage_limit: '0' },
      ];
      const { prefixSig: signature } = await alice.signer.sign(await alice.rpc.forgeOperations({ branch, contents }), new Uint8Array([3]));
      await assert.rejects(alice.rpc.preapplyOperations([{ branch, contents, signature, protocol }]), (error) => {
        const [found] = JSON.parse(error.body);
        assert.match(found.id, /contract\.counter_in_the_past$/);
        assert.equal(found.found, '1');
        return true;
      });
    });

    it('refuses too little gas', async () => {
      const options = { to: bobAddress, amount: 1, gasLimit: 1, fee: 1000, storageLimit: 0 };
      await assert.rejects(alice.contract.transfer(options), (error) => {
        assert.match(JSON.stringify(error.errors ?? error.body), /gas_exhausted|insufficient_gas|gas_limit/);
        return true;
      });
    });
  });
}
