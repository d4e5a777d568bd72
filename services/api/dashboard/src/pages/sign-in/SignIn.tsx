// Signing in, with a token or with the company's own sign-in.

import { useEffect, useState } from 'preact/hooks';
import { signIn, signInMethods } from '../../api/calls';
import { newKey } from '../../api/client';
import { Problem, unanswered } from '../../api/problem';
import type { SignInMethods } from '../../api/types';
import { here, safeNext } from '../../router';
import { begin } from '../../session';
import { useTitle } from '../../title';
import { ProblemNote } from '../../ui/States';
import { turnedBackWith } from './turned-back';

export function SignIn() {
  const [methods, setMethods] = useState<SignInMethods | null>(null);
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState<Problem | null>(null);
  const [sending, setSending] = useState(false);
  useTitle('Sign in');
  const failed = (error: unknown) => setProblem(error instanceof Problem ? error : unanswered());
  const ask = () => {
    setProblem(null);
    signInMethods().then(setMethods, failed);
  };
  useEffect(ask, []);

  const submit = (event: Event) => {
    event.preventDefault();
    setSending(true);
    setProblem(null);
    signIn(token.trim(), newKey())
      .then((outcome) => outcome.done && begin(outcome.now))
      .catch(failed)
      .finally(() => setSending(false));
  };
  const next = safeNext(here.value.query.get('next'));
  const turnedBack = turnedBackWith(here.value.query.get('problem'));
  const requestId = here.value.query.get('request_id')?.match(/^[\w.:-]{1,128}$/)?.[0];
  return (
    <div class="sign-in">
      <h1 tabIndex={-1}>
        <img src={document.querySelector<HTMLLinkElement>('link[rel=icon]')?.href ?? ''} alt="" width="40" height="40" /> Tocsin
      </h1>
      {problem && problem.status === 401 && (
        <p class="problem" role="alert">
          <strong>This token is not known.</strong> It may have expired, or been mistyped. Tokens stand, as hashes, in tocsin.yaml under api.tokens.
        </p>
      )}
      {problem && problem.status !== 401 && <ProblemNote problem={problem} what="Signing in failed." {...(methods ? {} : { again: ask })} />}
      {!problem && turnedBack && (
        <p class="problem" role="alert">
          <strong>{turnedBack.title}</strong> {turnedBack.remedy}
          {requestId && <span class="muted"> Request {requestId}</span>}
        </p>
      )}
      {methods?.oidc && (
        <a class="button button-primary button-wide" href={`${methods.oidc.url}?return_to=${encodeURIComponent(next)}`}>
          Sign in with {methods.oidc.name}
        </a>
      )}
      {methods?.oidc && methods.token && <p class="or muted">or</p>}
      {methods?.token && (
        <form class="form" onSubmit={submit}>
          <label class="field">
            <span>API token</span>
            <input type="password" autocomplete="current-password" required value={token} onInput={(event) => setToken(event.currentTarget.value)} />
          </label>
          <button type="submit" class={methods.oidc ? 'button button-wide' : 'button button-primary button-wide'} disabled={sending}>
            {sending ? 'Signing in…' : 'Sign in with a token'}
          </button>
          <p class="muted">It is exchanged for a cookie that scripts cannot read. Without a configuration, the api prints a demo token when it starts.</p>
        </form>
      )}
    </div>
  );
}
