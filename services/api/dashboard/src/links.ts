// Links that senders give: only http and https, and only what reads as an address. Anything else stays a text.

import type { Alert, Labels } from './api/types';

export interface OutsideLink {
  name: string;
  address: string;
}

/** The address of a link to the outside, or null. */
export function outsideAddress(text: string): string | null {
  if (!/^https?:\/\//i.test(text.trim())) return null;
  try {
    const url = new URL(text.trim());
    // A name before the host makes a link look as if it went elsewhere.
    return url.username === '' && url.password === '' ? url.href : null;
  } catch {
    return null;
  }
}

const NAMES: Record<string, string> = {
  runbook: 'Runbook',
  runbook_url: 'Runbook',
  dashboard: 'Dashboard',
  dashboard_url: 'Dashboard',
  dashboardurl: 'Dashboard',
  panel_url: 'Panel',
  panelurl: 'Panel',
  source: 'Source',
  source_url: 'Source',
  generator_url: 'Source',
  generatorurl: 'Source',
  silence_url: 'Silence at the source',
};

/** What a link is called: a known name, else its own without underscores. */
export function linkName(name: string): string {
  return NAMES[name.toLowerCase()] ?? name.replaceAll('_', ' ');
}

export function annotationLinks(annotations: Labels): OutsideLink[] {
  return Object.entries(annotations).flatMap(([name, value]) => {
    const address = outsideAddress(value);
    return address ? [{ name: linkName(name), address }] : [];
  });
}

/** The links of many alerts, each address once. */
export function linksOf(alerts: readonly Pick<Alert, 'annotations'>[]): OutsideLink[] {
  const byAddress = new Map<string, OutsideLink>();
  for (const alert of alerts) {
    for (const link of annotationLinks(alert.annotations)) {
      if (!byAddress.has(link.address)) byAddress.set(link.address, link);
    }
  }
  return [...byAddress.values()];
}
