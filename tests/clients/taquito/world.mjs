// The programs under test, and a toolkit for each of their accounts. SORU names the binary.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { InMemorySigner } from '@taquito/signer';
import { TezosToolkit } from '@taquito/taquito';

const SORU = process.env.SORU ?? 'soru';

export const BOOTSTRAP = [
  'edsk3gUfUPyBSfrS9CCgmCiQsTCHGkviBDusMxDJstFtojtc1zcpsh',
  'edsk39qAm1fiMjgmPkw1EgQYkMzkJezLNewd7PLNHTkr6w9XA2zdfo',
  'edsk4ArLQgBTLWG5FJmnGnT689VKoqhXwmDPBuGx3z4cvwU9MmrPZZ',
];

/** A contract of the folder beside this one. */
export const contract = (name) => readFileSync(new URL(`../contracts/${name}.tz`, import.meta.url), 'utf8');

/** A program that runs until stopped; resolves with what follows `sign` in the line that shows it is ready. */
function start(words, cwd, sign) {
  const child = spawn(SORU, words, { cwd, stdio: ['pipe', 'pipe', 'pipe'] });
  const said = [];
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        said.push(line);
        const at = line.indexOf(sign);
        if (at >= 0) resolve({ child, word: line.slice(at + sign.length).trim().split(/\s/)[0] });
      });
    }
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`soru ${words[0]} ended with ${code}:\n${said.join('\n')}`)));
  });
}

/** A layer 1 of its own in a temporary directory. */
export class World {
  static async start(blockTime = '1') {
    const world = new World();
    world.dir = mkdtempSync(join(tmpdir(), 'soru-clients-'));
    const words = ['sandbox', 'run', '--data-dir', 'l1', '--rpc-addr', '127.0.0.1:0', '--block-time', blockTime];
    const { child, word } = await start([...words, '--stop-with-stdin'], world.dir, 'RPC server listening on');
    world.programs = [child];
    world.rpc = word;
    return world;
  }

  /** A toolkit that signs with a secret key. */
  async as(secretKey) {
    const toolkit = new TezosToolkit(this.rpc);
    const signer = await InMemorySigner.fromSecretKey(secretKey);
    toolkit.setProvider({ signer, config: { confirmationPollingIntervalSecond: 0.5, confirmationPollingTimeoutSecond: 60 } });
    return toolkit;
  }

  /** Runs a command to its end; its output. */
  run(...words) {
    const ran = spawnSync(SORU, words, { cwd: this.dir, encoding: 'utf8' });
    if (ran.status !== 0) throw new Error(`soru ${words.join(' ')}:\n${ran.stderr}`);
    return ran.stdout;
  }

  client(...words) {
    return this.run('client', '-d', 'wallet', '-E', this.rpc, ...words);
  }

  /** Starts an operator's node; resolves with its address. */
  async operator(rollup, secretKey) {
    this.client('import', 'secret', 'key', 'operator', `unencrypted:${secretKey}`);
    const words = ['node', '-d', 'wallet', '-E', this.rpc, 'run', 'operator', 'for', rollup, 'with', 'operators', 'operator'];
    const more = ['--data-dir', 'rollup', '--rpc-port', '0', '--stop-with-stdin'];
    const { child, word } = await start([...words, ...more], this.dir, 'node is listening to');
    this.programs.push(child);
    return `http://${word}`;
  }

  stop() {
    for (const child of this.programs.reverse()) {
      child.removeAllListeners('exit');
      child.kill('SIGKILL');
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Asks until there is an answer. */
export async function eventually(what, ask, seconds = 90) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; ) {
    const answer = await ask();
    if (answer) return answer;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  throw new Error(`not in time: ${what}`);
}
