"""Operations forged by the sandbox are those that PyTezos forges without asking anybody."""

import json
import os
import subprocess
import unittest

import requests
from pytezos.operation.forge import forge_operation_group

from world import HERE, World

# as `asked` of operations.mjs
COUNT, SEED = os.environ.get("OPERATIONS", "200"), os.environ.get("SEED", "5")


class Forging(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.world = World(block_time="1")
        cls.session = requests.Session()

    @classmethod
    def tearDownClass(cls):
        cls.session.close()
        cls.world.stop()

    def forge(self, operation):
        url = f"{self.world.rpc}/chains/main/blocks/head/helpers/forge/operations"
        answer = self.session.post(url, json=operation, timeout=60)
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def test_forges_what_pytezos_forges(self):
        words = ["node", str(HERE / "../operations.mjs"), SEED, COUNT]
        printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        compared = 0
        for index, line in enumerate(printed.splitlines()):
            drawn = json.loads(line)
            if "pytezos" in drawn["for"]:
                operation = drawn["operation"]
                wanted = forge_operation_group(operation).hex()
                self.assertEqual(self.forge(operation), wanted, f"operation {index} of seed {SEED}: {operation}")
                compared += 1
        print(f"seed {SEED}: {compared} of {COUNT} operations compared with PyTezos'")
        self.assertGreater(compared, int(COUNT) // 5)


if __name__ == "__main__":
    unittest.main()
