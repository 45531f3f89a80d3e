// An OpenID provider for the tests of package auth: `node provider.js <redirect URI>`.
//
// It serves two issuers on free ports of the loopback address, prints both on one line as JSON, and ends with its standard input.
// "token" tells the address in ID tokens, "userinfo" only as userinfo. Who signs in is the login_hint of the request, without a page:
// name:email:verified, for example "s1:ana@example.org:true". Either of the last two may be empty. The subject is the whole of it. The hint
// "nobody" is somebody who refuses.
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const redirectURI = process.argv[2];

const jwk = (type, options, alg) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), kid: alg, alg, use: 'sig',
});
const jwks = { keys: [jwk('rsa', { modulusLength: 2048 }, 'RS256'), jwk('ec', { namedCurve: 'P-256' }, 'ES256')] };

const client = (id, more) => ({
  client_id: id, client_secret: `secret of ${id}`, redirect_uris: [redirectURI], response_types: ['code'], grant_types: ['authorization_code'], ...more,
});

const findAccount = (ctx, id) => ({
  accountId: id,
  claims() {
    const [, email, verified] = id.split(':');
    const claims = { sub: id, name: 'Ana\u2028 Anić', locale: 'sr-Latn-RS', zoneinfo: 'Europe/Belgrade' };
    if (email) claims.email = email;
    if (verified) claims.email_verified = verified === 'true';
    return claims;
  },
});

// Nobody is asked for consent.
async function loadExistingGrant(ctx) {
  const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
  grant.addOIDCScope('openid email profile');
  await grant.save();
  return grant;
}

async function issue(conformIdTokenClaims) {
  let handle;
  const server = createServer((req, res) => handle(req, res));
  await new Promise((ready) => { server.listen(0, '127.0.0.1', ready); });
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      client('basic', { id_token_signed_response_alg: 'RS256' }),
      client('elliptic', { id_token_signed_response_alg: 'ES256' }),
      client('symmetric', { id_token_signed_response_alg: 'HS256' }),
    ],
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'locale', 'zoneinfo'] },
    cookies: { keys: ['of a test'] },
    conformIdTokenClaims,
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256', 'HS256'] },
    features: { devInteractions: { enabled: false } },
    findAccount,
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    jwks,
    loadExistingGrant,
    pkce: { required: () => true },
    responseModes: ['query', 'form_post'],
    ttl: { AccessToken: 600, AuthorizationCode: 600, Grant: 600, IdToken: 3600, Interaction: 600, Session: 600 },
  });
  const callback = provider.callback();
  handle = async (req, res) => {
    if (!req.url.startsWith('/interaction/')) {
      callback(req, res);
      return;
    }
    const { params } = await provider.interactionDetails(req, res);
    const result = params.login_hint === 'nobody'
      ? { error: 'access_denied', error_description: 'a text that must go no further' }
      : { login: { accountId: params.login_hint } };
    await provider.interactionFinished(req, res, result);
  };
  return issuer;
}

process.stdin.on('end', () => process.exit());
process.stdin.resume();
process.stdout.write(`${JSON.stringify({ token: await issue(false), userinfo: await issue(true) })}\n`);
