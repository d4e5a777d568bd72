// What somebody is told whom the api has sent back from the provider. The address says which; the words are ours.

export interface TurnedBack {
  title: string;
  remedy: string;
}

export function turnedBackWith(code: string | null): TurnedBack | null {
  switch (code) {
    case null:
      return null;
    case 'sign_in_refused':
      return { title: 'You may not come in.', remedy: 'The provider knows you, but this Tocsin does not let you in. Ask who runs it: the rules stand in tocsin.yaml under api.oidc.' };
    case 'provider_unavailable':
      return { title: 'The sign-in provider does not answer.', remedy: 'Try again in a moment, or sign in with a token.' };
    case 'rate_limited':
      return { title: 'Too many attempts from your network.', remedy: 'Wait a minute, then try again.' };
    default:
      return { title: 'Signing in did not work.', remedy: 'It took too long, or was begun in another tab. Try again; if it stays, tell an operator the request.' };
  }
}
