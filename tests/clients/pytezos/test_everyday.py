"""What a script does all day, through PyTezos as it comes from PyPI."""

import json
import subprocess
import time
import unittest

from pytezos import ContractInterface, Key, pytezos
from pytezos.operation.result import OperationResult
from pytezos.rpc.errors import RpcError

from world import ALICE, BOB, HERE, SORU, World


def sent(operation):
    """Sends a group of operations, waits for its block, and returns its results."""
    return OperationResult.from_operation_group(operation.send(min_confirmations=1).opg_result)


class Everyday(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World()
        cls.alice = pytezos.using(shell=cls.world.rpc, key=ALICE)
        cls.bob = pytezos.using(shell=cls.world.rpc, key=BOB)

    @classmethod
    def tearDownClass(cls):
        cls.world.stop()

    def balance(self, address):
        return int(self.alice.shell.head.context.contracts[address]()["balance"])

    def originated(self, source, storage):
        contract = ContractInterface.from_michelson(source)
        script = contract.script(initial_storage=storage)
        (address,) = sent(self.alice.origination(script))[0].originated_contracts
        return address

    def test_transfer(self):
        bob = self.bob.key.public_key_hash()
        before = self.balance(bob)
        sent(self.alice.transaction(destination=bob, amount=1_500_000))
        self.assertEqual(self.balance(bob) - before, 1_500_000)

    def test_batch(self):
        bob = self.bob.key.public_key_hash()
        before = self.balance(bob)
        transfers = [self.alice.transaction(destination=bob, amount=amount) for amount in (1, 2)]
        self.assertEqual(len(sent(self.alice.bulk(*transfers))), 2)
        self.assertEqual(self.balance(bob) - before, 3)

    def test_contract_storage_and_big_maps(self):
        source = """parameter (or (string %set) (pair %put string nat));
            storage (pair (string %s) (big_map %m string nat));
            code { UNPAIR; IF_LEFT { UPDATE 1 } { UNPAIR; DIP { SOME; DIP { UNPAIR; SWAP } }; UPDATE; SWAP; PAIR };
                   NIL operation; PAIR }"""
        contract = self.alice.contract(self.originated(source, {"s": "hi", "m": {"a": 1}}))
        sent(contract.set("yo").as_transaction())
        sent(contract.put("b", 7).as_transaction())
        self.assertEqual(contract.storage["s"](), "yo")
        self.assertEqual(contract.storage["m"]["a"](), 1)
        self.assertEqual(contract.storage["m"]["b"](), 7)
        with self.assertRaises(KeyError):
            contract.storage["m"]["c"]()

    def test_fa12(self):
        alice, bob = self.alice.key.public_key_hash(), self.bob.key.public_key_hash()
        source = (HERE / "../contracts/fa12.tz").read_text()
        address = self.originated(source, {"ledger": {alice: 100}, "allowances": {}, "supply": 100})
        mine, theirs = self.alice.contract(address), self.bob.contract(address)
        sent(mine.transfer(**{"from": alice, "to": bob, "value": 30}).as_transaction())
        sent(mine.approve(spender=bob, value=20).as_transaction())
        sent(theirs.transfer(**{"from": alice, "to": bob, "value": 15}).as_transaction())
        self.assertEqual(mine.storage["ledger"][alice](), 55)
        self.assertEqual(mine.storage["ledger"][bob](), 45)
        with self.assertRaises(RpcError) as refused:
            theirs.transfer(**{"from": alice, "to": bob, "value": 6}).send()
        self.assertIn("NotEnoughAllowance", str(refused.exception))

    def test_fa2(self):
        alice, bob = self.alice.key.public_key_hash(), self.bob.key.public_key_hash()
        source = (HERE / "../contracts/fa2.tz").read_text()
        address = self.originated(source, {"ledger": {(alice, 0): 10}, "operators": {}})
        mine, theirs = self.alice.contract(address), self.bob.contract(address)
        transfer = [{"from_": alice, "txs": [{"to_": bob, "token_id": 0, "amount": 4}]}]
        with self.assertRaises(RpcError) as refused:
            theirs.transfer(transfer).send()
        self.assertIn("FA2_NOT_OPERATOR", str(refused.exception))
        permission = {"owner": alice, "operator": bob, "token_id": 0}
        sent(mine.update_operators([{"add_operator": permission}]).as_transaction())
        sent(theirs.transfer(transfer).as_transaction())
        self.assertEqual(mine.storage["ledger"][(alice, 0)](), 6)
        self.assertEqual(mine.storage["ledger"][(bob, 0)](), 4)

    def fresh(self, scheme):
        """An account with 10 tez and a new key."""
        self.world.client("gen", "keys", scheme, "-s", scheme)
        shown = self.world.client("show", "address", scheme, "-S")
        secret = shown.split("unencrypted:")[1].split()[0]
        owner = pytezos.using(shell=self.world.rpc, key=Key.from_encoded_key(secret))
        self.assertIn(owner.key.public_key_hash(), shown)
        sent(self.alice.transaction(destination=owner.key.public_key_hash(), amount=10_000_000))
        return owner

    def spends(self, owner):
        bob = self.bob.key.public_key_hash()
        return sent(owner.bulk(owner.reveal(), owner.transaction(destination=bob, amount=1)))

    def test_curves(self):
        for scheme in ("ed25519", "secp256k1", "p256"):
            with self.subTest(scheme):
                self.spends(self.fresh(scheme))

    def test_a_bls_key_needs_a_proof_of_possession(self):
        # PyTezos 3.20 sends none; the protocol insists
        with self.assertRaises(RpcError) as refused:
            self.spends(self.fresh("bls"))
        self.assertIn("validate.operation.missing_bls_proof", str(refused.exception))

    def test_refusals_have_the_protocols_ids(self):
        bob = self.bob.key.public_key_hash()
        with self.assertRaises(RpcError) as refused:
            self.alice.transaction(destination=bob, amount=10**15).send()
        self.assertIn("tez.subtraction_underflow", str(refused.exception))

    def test_the_node_forges_what_pytezos_forges(self):
        group = self.alice.transaction(destination=self.bob.key.public_key_hash(), amount=1).fill()
        remote = self.alice.shell.blocks[group.branch].helpers.forge.operations.post(
            {"branch": group.branch, "contents": group.contents}
        )
        self.assertEqual(remote, group.forge())

    def test_rollup_messages_and_outbox(self):
        kernel = (HERE / "../echo.hex").read_text().strip()
        self.world.client("import", "secret", "key", "b3", "unencrypted:" + BOB)
        kind = "of kind wasm_2_0_0 of type bytes with kernel".split()
        output = self.world.client("originate", "smart", "rollup", "echo", "from", "b3", *kind, kernel, "--burn-cap", "9")
        rollup = output.split("Address:")[1].split()[0]
        words = ["node", "-d", "wallet", "-E", self.world.rpc, "run", "operator", "for", "echo", "with", "operators", "b3"]
        more = ["--data-dir", "rollup", "--rpc-port", "0", "--stop-with-stdin"]
        node = "http://" + self.world.start(words + more, "node is listening to")
        target = self.originated("parameter string; storage string; code { CAR; NIL operation; PAIR }", "nothing yet")
        call = json.dumps([{"destination": target, "parameters": json.dumps("hello from PyTezos")}])
        message = bytes.fromhex(self.world.run("rollup-client", "encode", "outbox", "message", call).strip())
        group = self.alice.smart_rollup_add_messages([message]).send(min_confirmations=1)
        level = self.alice.shell.blocks[self.inclusion(group)].header()["level"]

        def ask(path):
            ran = subprocess.run(
                [SORU, "rollup-client", "-E", node, "rpc", "get", path], capture_output=True, text=True, check=False
            )
            return json.loads(ran.stdout) if ran.returncode == 0 else None

        end = time.monotonic() + 90
        while not ask(f"/global/block/cemented/outbox/{level}/messages"):
            self.assertLess(time.monotonic(), end, "the message is not in the cemented outbox")
            time.sleep(0.5)
        proof = ask(f"/global/block/cemented/helpers/proofs/outbox/{level}/messages?index=0")
        sent(
            self.alice.smart_rollup_execute_outbox_message(
                rollup=rollup, cemented_commitment=proof["commitment"], output_proof=bytes.fromhex(proof["proof"])
            )
        )
        self.assertEqual(self.alice.contract(target).storage(), "hello from PyTezos")

    def inclusion(self, group):
        """The block of an operation, among the last ones."""
        for back in range(60):
            block = self.alice.shell.blocks[f"head~{back}"]
            if any(group.hash() in hashes for hashes in block.operation_hashes()):
                return block.hash()
        raise AssertionError("the operation is in no block")


if __name__ == "__main__":
    unittest.main()
