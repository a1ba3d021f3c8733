"""The programs under test. SORU names the binary."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

SORU = os.environ.get("SORU", "soru")
HERE = Path(__file__).parent
ALICE = "edsk3gUfUPyBSfrS9CCgmCiQsTCHGkviBDusMxDJstFtojtc1zcpsh"
BOB = "edsk39qAm1fiMjgmPkw1EgQYkMzkJezLNewd7PLNHTkr6w9XA2zdfo"


class World:
    """A layer 1 of its own in a temporary directory, and a rollup node on demand."""

    def __init__(self, block_time="0.5"):
        self.dir = tempfile.mkdtemp(prefix="soru-clients-")
        self.programs = []
        words = ["sandbox", "run", "--data-dir", "l1", "--rpc-addr", "127.0.0.1:0", "--block-time", block_time]
        self.rpc = self.start(words + ["--stop-with-stdin"], "RPC server listening on")

    def start(self, words, sign):
        """Starts a program; what follows `sign` in the line that shows it is ready."""
        log = Path(self.dir) / f"{len(self.programs)}.log"
        with log.open("w") as output:
            child = subprocess.Popen(
                [SORU, *words], cwd=self.dir, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
            )
        self.programs.append(child)
        for _ in range(300):
            for line in log.read_text().splitlines():
                if sign in line:
                    return line.split(sign, 1)[1].split()[0]
            assert child.poll() is None, log.read_text()
            time.sleep(0.1)
        raise AssertionError(f"'{sign}' was not said in time:\n{log.read_text()}")

    def run(self, *words):
        """Runs a command to its end; its output."""
        ran = subprocess.run([SORU, *words], cwd=self.dir, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def client(self, *words):
        return self.run("client", "-d", "wallet", "-E", self.rpc, *words)

    def stop(self):
        for child in reversed(self.programs):
            child.kill()
            child.communicate()
        shutil.rmtree(self.dir)
