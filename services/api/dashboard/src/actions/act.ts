// Doing something: sends a command, shows what became of it, and tells the app what there is now.

import { signal } from '@preact/signals';
import { declareIncident, redriveDeadLetter, redriveNotification, respond, setSeverity, type Verb } from '../api/calls';
import { newKey, type Outcome } from '../api/client';
import { Problem, unanswered } from '../api/problem';
import type { DeadLetter, Incident, NewIncident, Notification, Severity } from '../api/types';
import { on, tell } from '../live/connection';
import { navigate } from '../router';
import { toast } from './toasts';

/** Longest time for which an accepted command is shown as waiting, in milliseconds; afterwards the page tells the truth. */
const WAITING_MS = 30_000;

/** Incidents with a command that was accepted and not seen done yet, and the version that was known then. */
export const waiting = signal<ReadonlyMap<string, number>>(new Map());

function setWaiting(change: (map: Map<string, number>) => void): void {
  const map = new Map(waiting.value);
  change(map);
  waiting.value = map;
}

export function watchWaiting(): void {
  on('incident', (incident) => {
    const version = waiting.value.get(incident.id);
    if (version !== undefined && incident.version > version) setWaiting((map) => map.delete(incident.id));
  });
}

const PAST: Record<Verb, string> = {
  acknowledge: 'acknowledged',
  resolve: 'resolved',
  cancel: 'canceled',
  reopen: 'reopened',
  notes: 'has your note',
};

/** Runs a command and says what became of it. A problem is thrown to who can show it better, or shown here. */
async function run<T>(command: Promise<Outcome<T>>, done: string): Promise<Outcome<T>> {
  const outcome = await command;
  toast(outcome.done ? done : 'Sent, waiting: a worker will do it, or refuse it.');
  return outcome;
}

const problemOf = (error: unknown): Problem => (error instanceof Problem ? error : unanswered());

/** Shows the problem of what was begun without a dialog. */
export function shown(promise: Promise<unknown>, failed: string): void {
  promise.catch((error: unknown) => toast(failed, problemOf(error)));
}

async function onIncident(incident: Incident, command: Promise<Outcome<Incident>>, done: string): Promise<void> {
  const outcome = await run(command, done);
  if (!outcome.done) {
    setWaiting((map) => map.set(incident.id, incident.version));
    setTimeout(() => setWaiting((map) => map.delete(incident.id)), WAITING_MS);
  } else if (outcome.now && 'version' in outcome.now) {
    tell('incident', outcome.now);
  }
}

export const respondTo = (incident: Incident, verb: Verb, content: object = {}, key = newKey()): Promise<void> =>
  onIncident(incident, respond(incident.id, verb, content, key), `Incident ${incident.incident_number} ${PAST[verb]}.`);

export const changeSeverity = (incident: Incident, severity: Severity, key = newKey()): Promise<void> =>
  onIncident(incident, setSeverity(incident.id, severity, key), `Incident ${incident.incident_number} is ${severity} now.`);

export const acknowledge = (incident: Incident): void =>
  shown(respondTo(incident, 'acknowledge'), `Incident ${incident.incident_number} is not acknowledged.`);

export const reopen = (incident: Incident): void =>
  shown(respondTo(incident, 'reopen'), `Incident ${incident.incident_number} is not reopened.`);

/** Declares an incident and goes there. */
export async function declare(content: NewIncident, key: string): Promise<void> {
  const outcome = await run(declareIncident(content, key), 'The incident is declared.');
  if (!outcome.done || !('version' in outcome.now)) return;
  tell('incident', outcome.now);
  navigate(`/incidents/${outcome.now.incident_number}`);
}

/** Has one dead letter tried again. */
export async function redriveLetter(letter: DeadLetter): Promise<void> {
  await run(redriveDeadLetter(letter.id, newKey()), `Dead letter ${letter.id} goes through the inbox again.`);
  tell('dead_letter', {});
}

/** Has one dead notification tried again. */
export async function redriveNotice(notice: Notification): Promise<void> {
  await run(redriveNotification(notice.id, newKey()), `${notice.receiver} is told again.`);
  tell('dead_letter', {});
}
