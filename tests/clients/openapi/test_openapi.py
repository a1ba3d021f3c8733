"""The OpenAPI document of the sandbox, tried by schemathesis: requests that fit it and requests that do not. SORU names the
binary; SORU_EXAMPLES how many of each kind every operation gets (2; more take longer)."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import hypothesis
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode

SORU = os.environ.get("SORU", "soru")
EXAMPLES = int(os.environ.get("SORU_EXAMPLES", "2"))
STATUSES = {200, 400, 404, 405, 413, 415, 500}
# most requests shall get past the first segments of a path
NAMES = {
    "chain": ["main", "NetXdQprcVkpaWU"],
    "block": ["head", "head~1", "genesis", "1", "2"],
    "contract": ["tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx", "tz1Ke2h7sDdakHJQh8WX4Z372du1KChsksyU", None],
    "delegate": ["tz1KqTpEZ7Yob7QbPE4Hy4Wo8fHG8LhKxZSx"],
}


class OpenApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory(prefix="soru-openapi-")
        cls.log = Path(cls.dir.name, "log").open("w+")
        words = ["sandbox", "run", "--data-dir", "l1", "--rpc-addr", "127.0.0.1:0", "--block-time", "manual"]
        cls.program = subprocess.Popen(
            [SORU, *words, "--stop-with-stdin"],
            cwd=cls.dir.name,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=cls.log,
            text=True,
        )
        sign = "RPC server listening on "
        for line in cls.program.stdout:
            if line.startswith(sign):
                cls.url = line[len(sign) :].strip()
                break
        cls.session = requests.Session()
        cls.schema = schemathesis.openapi.from_dict(cls.session.get(f"{cls.url}/openapi.json", timeout=10).json())

    @classmethod
    def tearDownClass(cls):
        cls.program.stdin.close()
        cls.program.wait(timeout=20)
        cls.program.stdout.close()
        cls.session.close()
        cls.log.seek(0)
        assert "panicked" not in cls.log.read()
        cls.log.close()
        cls.dir.cleanup()

    def send(self, case, operation, data):
        for name, values in NAMES.items():
            if name in (case.path_parameters or {}):
                value = data.draw(st.sampled_from(values))
                case.path_parameters[name] = value if value is not None else case.path_parameters[name]
        response = case.call(base_url=self.url, session=self.session, timeout=30)
        shown = f"{operation.label}: {response.status_code} {response.text[:300]}"
        self.assertIn(response.status_code, STATUSES, shown)
        if response.status_code == 500:
            errors = response.json()
            self.assertTrue(errors, shown)
            for error in errors:
                self.assertIsInstance(error["id"], str, shown)
                self.assertIn(error["kind"], {"permanent", "temporary", "branch"}, shown)
        if response.status_code == 400:
            self.assertTrue(response.text, shown)
        if response.status_code == 200:
            operation.validate_response(response)

    def test_every_operation(self):
        tried = 0
        for result in self.schema.get_all_operations():
            operation = result.ok()
            if operation.definition.raw.get("x-stream"):
                continue
            # any text fits a segment of a path, so only what else there is can be wrong
            can_be_wrong = len(list(operation.query)) + len(list(operation.body)) > 0
            for mode in [GenerationMode.POSITIVE] + [GenerationMode.NEGATIVE] * can_be_wrong:
                with self.subTest(operation.label, mode=mode.value):
                    strategy = operation.as_strategy(generation_mode=mode)

                    @hypothesis.settings(
                        max_examples=EXAMPLES,
                        deadline=None,
                        database=None,
                        derandomize=EXAMPLES <= 2,
                        suppress_health_check=list(hypothesis.HealthCheck),
                        phases=[hypothesis.Phase.generate],
                    )
                    @hypothesis.given(case=strategy, data=st.data())
                    def run(case, data):
                        self.send(case, operation, data)

                    run()
                    tried += 1
        self.assertGreater(tried, 150)
        self.assertIsNone(self.program.poll())
        head = self.session.get(f"{self.url}/chains/main/blocks/head/hash", timeout=10)
        self.assertEqual(head.status_code, 200)


if __name__ == "__main__":
    unittest.main()
