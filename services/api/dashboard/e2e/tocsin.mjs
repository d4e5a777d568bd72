// A Tocsin of its own: real stores, the four services, the front door. Started by the test bed, in a folder that goes with it.

import { execFile, execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startProvider } from './provider.mjs';

const checkout = fileURLToPath(new URL('../../../../', import.meta.url));
/** Longest time that a command on a process may take, in milliseconds: starting everything is one. */
const COMMAND_TIMEOUT_MS = 90_000;

/** The built test bed: the one that is named, else the newest way of building that was used. */
function findTestbed() {
  if (process.env.TOCSIN_TESTBED) return process.env.TOCSIN_TESTBED;
  const target = resolve(checkout, process.env.CARGO_TARGET_DIR ?? 'target');
  const found = ['release', 'debug'].map((profile) => join(target, profile, 'tocsin-testbed')).find(existsSync);
  if (!found) throw new Error('nothing is built: run ./dev up once, or cargo build --workspace --bins');
  return found;
}

const testbed = findTestbed();
const secret = (name) => `${name}_${randomBytes(18).toString('hex')}`;
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/** One receiver takes everything and one nothing; nobody is kept waiting by limits that are not what is tested. */
const configuration = ({ tokens, key, refusing, issuer, client }) => `
route:
  receiver: ops
  group_by: [alertname]
  group_interval: 1s
  routes:
    - {matchers: ['team="payments"'], receiver: payments-oncall, group_by: [alertname]}
receivers:
  - {name: ops, slack: {webhook_url_env: TOCSIN_SLACK_WEBHOOK_URL, per_second: 10000}}
  - {name: payments-oncall, fallback: ops, webhook: {url: '${refusing}', allow_private: true}}
webhooks: {limit: {per_minute: 1000000}}
integrations:
  - {name: pager, source: pagerduty, keys: [{sha256: ${sha256(key)}}]}
api:
  session_secret: ${secret('session')}
  limit: {per_minute: 1000000}
  oidc:
    issuer: ${issuer}
    name: Example
    client_id: ${client.id}
    client_secret: ${client.secret}
    allow: [{claim: groups, value: sre, scopes: [respond]}]
  tokens:
${Object.entries(tokens)
  .map(([name, { token, scopes }]) => `    - {name: ${name}, scopes: [${scopes}], sha256: ${sha256(token)}}`)
  .join('\n')}
`;

/** A worker that was paused has its command taken over from itself: soon, for who waits for it in a browser. */
const HASTY = { TOCSIN_WORKER_HANDLER_TIMEOUT: '3s', TOCSIN_WORKER_RECLAIM_IDLE: '4s' };

const run = async (state, ...args) => {
  const env = { ...process.env, ...HASTY, TOCSIN_STATE_DIR: state };
  delete env.TOCSIN_SLACK_WEBHOOK_URL;
  const { stdout } = await promisify(execFile)(testbed, args, { env, timeout: COMMAND_TIMEOUT_MS, maxBuffer: 16 << 20 });
  return stdout;
};

/** A receiver that refuses for good whatever it is told. */
async function startRefusing() {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(404, { 'Content-Type': 'text/plain' }).end('channel_not_found: the channel was archived');
  }).listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  server.unref();
  return { address: `http://127.0.0.1:${server.address().port}/`, stop: () => server.close() };
}

/** Starts one. What it gives can be handed to other processes as JSON. */
export async function start() {
  const refusing = await startRefusing();
  const client = { id: 'tocsin', secret: secret('client') };
  const provider = await startProvider(client);
  const folder = await mkdtemp(join(tmpdir(), 'tocsin-stage-'));
  // The account that Postgres runs as must be able to pass through.
  await chmod(folder, 0o711);
  const tokens = {
    demo: { token: secret('demo'), scopes: 'read, respond' },
    admin: { token: secret('admin'), scopes: 'admin' },
    reader: { token: secret('reader'), scopes: 'read' },
  };
  const [config, state, key] = [join(folder, 'tocsin.yaml'), join(folder, 'state'), randomBytes(16).toString('hex')];
  await writeFile(config, configuration({ tokens, key, refusing: refusing.address, issuer: provider.issuer, client }));
  const stop = async () => {
    await run(state, 'down', '--wipe').catch(() => {});
    refusing.stop();
    provider.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await run(state, 'up', '--detach', '--port', String(await freePort()), '--config', config);
    const { url } = JSON.parse(await run(state, 'status', '--json'));
    const names = Object.fromEntries(Object.entries(tokens).map(([name, { token }]) => [name, token]));
    return { description: { url, state, tokens: names, key, issuer: provider.issuer }, stop };
  } catch (error) {
    const log = await readFile(join(state, 'logs/supervisor.log'), 'utf8').catch(() => '');
    await stop();
    throw new Error(`Tocsin did not start: ${error.stderr ?? error.message}\n${log}`);
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** What can be done to a Tocsin from behind: to its processes, and to what is in its stores. */
export class Backstage {
  constructor({ state }) {
    this.state = state;
  }

  /** `stop`, `start`, `kill`, `pause` or `resume`; after a start it is ready. */
  async act(action, name) {
    await run(this.state, action, name);
  }

  /** The arguments of a process, as it was started. */
  async arguments(name) {
    const { services } = JSON.parse(await run(this.state, 'status', '--json').catch(({ stdout }) => stdout));
    const { pid } = services.find((service) => service.name === name);
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
  }

  async redis(...command) {
    // Redis shows where it listens as its title.
    this.redisPort ??= /127\.0\.0\.1:(\d+)/.exec((await this.arguments('redis')).join(' '))[1];
    return execFileSync('redis-cli', ['-p', this.redisPort, ...command], { encoding: 'utf8' });
  }

  async sql(text) {
    const args = await this.arguments('postgres');
    const port = args[args.indexOf('-p') + 1];
    return execFileSync('psql', ['-h', '127.0.0.1', '-p', port, '-U', 'tocsin', '-d', 'tocsin', '-v', 'ON_ERROR_STOP=1', '-c', text], { encoding: 'utf8' });
  }
}
