// A stand-in for Google: a real OpenID provider, and behind its tokens the interfaces in api.mjs.
//
// It prints one line of JSON, {"issuer": …, "api": …}, and ends when its input is closed. Set in the environment:
//   AUTO=1          every login is granted at once, as ana@example.org; AUTO=deny refuses it; else a page asks
//   ACCESS_SECONDS  how long an access token holds (3600)
//   HINET_TEST_SERVERS  where google/node_modules is, if not beside this file

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

// The first line of the output is for the test; whatever else is said goes elsewhere.
console.info = console.log = console.warn = console.error;

const installed = process.env.HINET_TEST_SERVERS;
const from = createRequire(installed ? resolve(installed, 'google', 'server.mjs') : import.meta.url);
const { Provider } = await import(pathToFileURL(from.resolve('oidc-provider')).href);
const api = await import('./api.mjs');

const ACCOUNT = 'ana@example.org';
const AUTO = process.env.AUTO ?? '';
const ACCESS_SECONDS = Number(process.env.ACCESS_SECONDS ?? 3600);
const SCOPES = [
  'openid',
  'email',
  'offline_access',
  'https://www.googleapis.com/auth/gmail.readonly',
  'https://www.googleapis.com/auth/drive.readonly',
  'https://www.googleapis.com/auth/calendar.readonly',
  'https://mail.google.com/',
];

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error);
    if (!response.headersSent) response.writeHead(500);
    response.end();
  });
});
await new Promise((open) => server.listen(0, '127.0.0.1', open));
const issuer = `http://127.0.0.1:${server.address().port}`;

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'icore-test',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      response_types: ['code'],
      redirect_uris: ['http://127.0.0.1/'],
    },
  ],
  scopes: SCOPES,
  claims: { openid: ['sub'], email: ['email'] },
  cookies: { keys: ['only for tests'] },
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'test', use: 'sig', alg: 'RS256' }] },
  features: {
    devInteractions: { enabled: false },
    deviceFlow: { enabled: true },
    revocation: { enabled: true },
  },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: id }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  // As Google does for a client on a desktop.
  issueRefreshToken: () => true,
  expiresWithSession: () => false,
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: {
    AccessToken: ACCESS_SECONDS,
    AuthorizationCode: 60,
    DeviceCode: 600,
    Grant: 86400,
    IdToken: 3600,
    Interaction: 600,
    RefreshToken: 86400,
    Session: 86400,
  },
});

// What there is to take back.
const grants = new Set();
for (const event of ['access_token.saved', 'refresh_token.saved']) {
  provider.on(event, (token) => grants.add(token.grantId));
}

const callback = provider.callback();

process.stdout.write(`${JSON.stringify({ issuer, api: `${issuer}/api` })}\n`);
process.stdin.resume();
process.stdin.on('close', () => process.exit(0));
process.stdin.on('end', () => process.exit(0));

async function answer(request, response) {
  const { pathname } = new URL(request.url, issuer);
  if (pathname.startsWith('/api/')) {
    const bearer = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
    const token = bearer && (await provider.AccessToken.find(bearer));
    if (!token?.isValid) return unknown(response);
    return api.handle(request, response, token.accountId);
  }
  if (pathname === '/control/tell') {
    request.url = '/api/control';
    return api.handle(request, response, ACCOUNT);
  }
  if (pathname === '/control/revoke' && request.method === 'POST') return revoke(response);
  if (pathname.startsWith('/interaction/')) return interact(request, response);
  return callback(request, response);
}

// A login, which takes one page here: who it is and what they grant, together.
async function interact(request, response) {
  const { uid, params } = await provider.interactionDetails(request, response);
  if (!AUTO && request.method !== 'POST') {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    response.end(`<!doctype html><title>A stand-in for Google</title><h1>${ACCOUNT}</h1>
<p>${escape(params.client_id)} wants: ${escape(params.scope ?? '')}</p>
<form method="post" action="/interaction/${uid}">
<button name="answer" value="allow">Allow</button> <button name="answer" value="deny">Deny</button></form>`);
    return undefined;
  }
  const denied = AUTO ? AUTO === 'deny' : new URLSearchParams(await body(request)).get('answer') !== 'allow';
  if (denied) {
    const result = { error: 'access_denied', error_description: 'the owner said no' };
    return provider.interactionFinished(request, response, result);
  }
  const grant = new provider.Grant({ accountId: ACCOUNT, clientId: params.client_id });
  grant.addOIDCScope(params.scope ?? '');
  const result = { login: { accountId: ACCOUNT }, consent: { grantId: await grant.save() } };
  return provider.interactionFinished(request, response, result);
}

// Takes back every token that was issued, as an owner can in their account.
async function revoke(response) {
  for (const id of grants) {
    for (const kind of [provider.AccessToken, provider.RefreshToken, provider.AuthorizationCode]) {
      await kind.revokeByGrantId(id);
    }
    await (await provider.Grant.find(id))?.destroy();
  }
  grants.clear();
  response.writeHead(204).end();
}

function unknown(response) {
  const message = 'Request had invalid authentication credentials.';
  const error = { code: 401, message, errors: [{ reason: 'authError' }] };
  response.writeHead(401, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error }));
}

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function escape(text) {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}
