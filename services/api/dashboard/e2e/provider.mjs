// An OpenID Connect provider that signs everybody in at once, as whom it was told. What it has to refuse is tested elsewhere
// (services/api/tests/it/oidc.rs).

import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { createServer } from 'node:http';

const VALID_S = 300;
const base64url = (content) => Buffer.from(content).toString('base64url');

/** Starts one that knows this client. Whoever comes is `claims`; nobody may come in while those are null. */
export async function startProvider({ id, secret }) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const codes = new Map();
  const provider = { claims: null };

  const answers = {
    '/.well-known/openid-configuration': () => ({
      issuer: provider.issuer,
      authorization_endpoint: `${provider.issuer}/authorize`,
      token_endpoint: `${provider.issuer}/token`,
      jwks_uri: `${provider.issuer}/keys`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    }),
    '/keys': () => ({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'ES256' }] }),
    // By which a test says who comes next.
    '/next': (_, form) => ({ claims: (provider.claims = JSON.parse(form.get('claims'))) }),
    '/token': (request, form) => {
      const code = codes.get(form.get('code'));
      codes.delete(form.get('code'));
      const known = request.headers.authorization === `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
      const proof = createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url');
      if (!known || proof !== code?.challenge) return null;
      const now = Math.floor(Date.now() / 1000);
      const claims = { ...code.claims, iss: provider.issuer, aud: id, nonce: code.nonce, iat: now, exp: now + VALID_S };
      const text = `${base64url(JSON.stringify({ alg: 'ES256', kid: 'one' }))}.${base64url(JSON.stringify(claims))}`;
      const signature = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return { access_token: 'unused', token_type: 'Bearer', id_token: `${text}.${base64url(signature)}` };
    },
  };

  const authorize = (query) => {
    const back = new URL(query.get('redirect_uri'));
    back.searchParams.set('state', query.get('state'));
    if (provider.claims) {
      const code = randomBytes(16).toString('hex');
      codes.set(code, { claims: provider.claims, nonce: query.get('nonce'), challenge: query.get('code_challenge') });
      back.searchParams.set('code', code);
    } else {
      back.searchParams.set('error', 'access_denied');
    }
    return back.href;
  };

  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, provider.issuer);
    if (pathname === '/authorize') return response.writeHead(302, { Location: authorize(searchParams) }).end();
    let body = '';
    for await (const chunk of request) body += chunk;
    const answer = answers[pathname]?.(request, new URLSearchParams(body));
    response.writeHead(answer ? 200 : 400, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer ?? { error: 'invalid_grant' }));
  }).listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  server.unref();
  provider.issuer = `http://127.0.0.1:${server.address().port}`;
  return { issuer: provider.issuer, stop: () => server.close() };
}
