// A Tocsin for developing and testing the dashboard: the API's shapes over a state in memory, and dist/ beside it.
//
//   node mock/server.mjs [--port 8099] [--empty]
//
// Tokens: demo (read, respond), admin, reader. POST /mock/outage {"seconds": 3, "forget": false} stops listening and
// cuts every connection for so long; POST /mock/slow {"accept": true} has commands answered 202 and done 1.5 s later.

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Events } from './events.mjs';
import { answer, tokenOf } from './routes.mjs';
import { seed } from './seed.mjs';
import { Refusal, State } from './state.mjs';

const DIST = fileURLToPath(new URL('../dist/', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml' };
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const argument = (name) => process.argv[process.argv.indexOf(name) + 1];
const port = process.argv.includes('--port') ? Number(argument('--port')) : 8099;

const state = new State();
if (!process.argv.includes('--empty')) seed(state);
const events = new Events(state);
const sessions = new Map();
let accepts = false;

async function handle(request, response) {
  const url = new URL(request.url, 'http://mock');
  const path = url.pathname;
  if (path.startsWith('/mock/')) return control(path, await read(request), response);
  if (!path.startsWith('/api/')) return file(path, response);
  if (path.startsWith('/api/v1/webhooks/generic') && request.method === 'POST') {
    const body = await read(request);
    const alerts = body.alerts ?? [body];
    for (const alert of alerts) state.receive({ source: 'generic', ...alert });
    return json(response, 200, { source: 'generic', received: alerts.length, event_id: state.id() });
  }
  if (path === '/api/v1/sign-in') return json(response, 200, { token: true, oidc: { name: 'Acme SSO', url: '/api/v1/oidc/start' } });
  const cookie = /tocsin_session=(\w+)/.exec(request.headers.cookie ?? '')?.[1];
  if (request.method !== 'GET' && request.headers['x-tocsin-client'] !== 'dashboard') throw new Refusal(403, 'foreign_request', 'send X-Tocsin-Client: dashboard');
  if (path === '/api/v1/session') return session(request, response, cookie);
  const who = sessions.get(cookie);
  if (!who) throw new Refusal(401, 'missing_token', 'sign in first');
  if (path === '/api/v1/events') return events.serve(request, response);
  const context = { method: request.method, path, query: url.searchParams, body: await read(request), session: who };
  if (accepts && request.method !== 'GET') {
    setTimeout(() => answer(state, context), 1500);
    return json(response, 202, { command_id: state.id(), status: 'accepted' });
  }
  const [status, body] = answer(state, context);
  json(response, status, body);
}

async function session(request, response, cookie) {
  if (request.method === 'GET') {
    if (!sessions.has(cookie)) throw new Refusal(401, 'missing_token', 'sign in first');
    return json(response, 200, { ...sessions.get(cookie), expires_at: null });
  }
  if (request.method === 'DELETE') {
    sessions.delete(cookie);
    return json(response, 204, null, { 'Set-Cookie': 'tocsin_session=; Path=/; Max-Age=0' });
  }
  const who = tokenOf((await read(request)).token);
  if (!who) throw new Refusal(401, 'unauthorized', 'The token is not known');
  const id = randomBytes(16).toString('hex');
  sessions.set(id, who);
  json(response, 200, { ...who, expires_at: null }, { 'Set-Cookie': `tocsin_session=${id}; Path=/; HttpOnly; SameSite=Strict` });
}

function control(path, body, response) {
  if (path === '/mock/slow') accepts = body.accept === true;
  if (path === '/mock/reset') events.all('event: reset\ndata: {}\n\n');
  json(response, 204, null);
  if (path !== '/mock/outage') return;
  if (body.forget) events.forget();
  server.close();
  server.closeAllConnections();
  setTimeout(() => server.listen(port, '127.0.0.1'), body.seconds * 1000);
}

async function file(path, response) {
  const name = normalize(path).replace(/^\/+/, '');
  const isAsset = name.startsWith('assets/');
  const contents = await readFile(join(DIST, isAsset ? name : 'index.html')).catch(() => null);
  if (!contents) return json(response, 404, null);
  const headers = { 'Content-Type': TYPES[isAsset ? extname(name) : '.html'], 'Content-Security-Policy': POLICY, 'X-Content-Type-Options': 'nosniff', 'Cache-Control': isAsset ? 'public, max-age=31536000, immutable' : 'no-cache' };
  response.writeHead(200, headers).end(contents);
}

async function read(request) {
  let text = '';
  for await (const piece of request) text += piece;
  return text ? JSON.parse(text) : {};
}

function json(response, status, body, headers = {}) {
  const type = status < 400 ? 'application/json' : 'application/problem+json';
  response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store', ...headers });
  response.end(body === null ? undefined : JSON.stringify(body));
}

const server = createServer((request, response) => {
  handle(request, response).catch((error) => {
    if (!(error instanceof Refusal)) console.error(error);
    const { status = 500, code = 'internal', detail = 'our fault; the log has it' } = error instanceof Refusal ? error : {};
    if (!response.headersSent) json(response, status, { type: `urn:tocsin:problem:${code}`, title: code, status, detail, code, request_id: state.id() });
  });
});
server.listen(port, '127.0.0.1', () => console.log(`mock at http://127.0.0.1:${port}; sign in with: demo, admin or reader`));
