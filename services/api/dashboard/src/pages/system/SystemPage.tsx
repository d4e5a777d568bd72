// What each part is doing: enough to see where it stands still.

import type { System } from '../../api/types';
import { duration } from '../../time';
import { StatusBadge } from '../../ui/Badge';
import { Loading, ProblemNote } from '../../ui/States';
import { Ago } from '../../ui/Time';
import { Chart } from './Chart';
import { series, useSystem } from './poll';
import { compact } from './series';

/** A service that was not seen for so long counts as gone, in milliseconds, by the clock of those that were. */
const UNSEEN_MS = 30_000;

export function SystemPage() {
  const { system, problem, ask } = useSystem();
  return (
    <>
      <header class="page-head">
        <h1 tabIndex={-1}>System</h1>
        <p class="muted">Asked every 5 s. The lines are of the last ten minutes that this page was open.</p>
      </header>
      {problem && <ProblemNote problem={problem} what="It cannot be seen what the system does." again={ask} />}
      {!system && !problem && <Loading what="the system" />}
      {system && (
        <>
          <Figures system={system} />
          <Streams streams={system.streams} />
          <Receivers receivers={system.receivers} />
          <Services services={system.services} />
        </>
      )}
    </>
  );
}

function Figures({ system }: { system: System }) {
  const all: [string, number, string, boolean][] = [
    ['triggered', system.incidents.triggered, '/?status=triggered', false],
    ['acknowledged', system.incidents.acknowledged, '/?status=acknowledged', false],
    ['alerts firing', system.alerts.firing, '/alerts?status=firing', false],
    ['in the inbox', system.inbox.length, '', system.inbox.length > 0],
    ['dead letters', system.dead_letters, '/dead-letters', system.dead_letters > 0],
    ['dead notifications', system.dead_notifications, '/dead-letters?view=notifications', system.dead_notifications > 0],
  ];
  return (
    <ul class="figures" role="list" aria-label="Figures">
      {all.map(([name, value, address, bad]) => (
        <li key={name} class={bad ? 'figure figure-bad' : 'figure'}>
          <strong>{compact(value)}</strong> {address ? <a href={address}>{name}</a> : <span>{name}</span>}
        </li>
      ))}
    </ul>
  );
}

function Meter({ name, series: key, value, unit = '' }: { name: string; series: string; value: number; unit?: string }) {
  return (
    <div class="meter">
      <span class="meter-name">{name}</span>
      <span class="meter-value">
        {compact(value)}
        {unit}
      </span>
      <Chart values={series.get(key)} name={name} />
    </div>
  );
}

function Streams({ streams }: { streams: System['streams'] }) {
  return (
    <section aria-label="Streams">
      <h2>Streams</h2>
      <ul class="cards" role="list">
        {streams.map(({ name, length, pending, lag, oldest_s }) => (
          <li key={name} class="card">
            <h3>{name}</h3>
            <Meter name="lag" series={`stream ${name} lag`} value={lag} />
            <Meter name="pending" series={`stream ${name} pending`} value={pending} />
            <p class="muted">
              {compact(length)} long{length > 0 && `, the oldest waits for ${duration(oldest_s)}`}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Receivers({ receivers }: { receivers: System['receivers'] }) {
  return (
    <section aria-label="Receivers">
      <h2>Receivers</h2>
      {receivers.length === 0 && <p class="muted">None is configured: incidents open, and nobody is told. Add one to tocsin.yaml.</p>}
      <ul class="cards" role="list">
        {receivers.map((receiver) => (
          <li key={receiver.name} class="card">
            <h3>
              {receiver.name} <span class="muted">{receiver.kind}</span>
              <StatusBadge status={receiver.state} />
            </h3>
            <Meter name="pending" series={`receiver ${receiver.name}`} value={receiver.pending} />
            <p class="muted">
              {receiver.delivered_1h} delivered
              {receiver.dead_1h > 0 && (
                <>
                  , <a href={`/dead-letters?view=notifications&receiver=${encodeURIComponent(receiver.name)}`}>{receiver.dead_1h} dead</a>
                </>
              )}{' '}
              in the last hour
              {receiver.pending > 0 && `; the oldest waits for ${duration(receiver.oldest_pending_s)}`}
            </p>
            {receiver.last_error && <p class="fault">{receiver.last_error}</p>}
          </li>
        ))}
      </ul>
    </section>
  );
}

function Services({ services }: { services: System['services'] }) {
  const newest = Math.max(0, ...services.map(({ seen_at }) => new Date(seen_at).getTime()));
  return (
    <section aria-label="Services">
      <h2>Services</h2>
      <ul class="cards" role="list">
        {services.map((service) => {
          const unseen = newest - new Date(service.seen_at).getTime() > UNSEEN_MS;
          return (
            <li key={service.instance} class="card">
              <h3>
                {service.instance} <span class="muted">{service.version}</span>
                <StatusBadge status={unseen ? 'gone' : service.ready ? 'ready' : 'not ready'} />
              </h3>
              {Object.entries(service.rates).map(([name, value]) => (
                <Meter key={name} name={rateName(name)} series={`service ${service.instance} ${name}`} value={value} unit={name.endsWith('_per_s') ? '/s' : ''} />
              ))}
              <p class="muted">
                <Ago at={service.started_at} prefix="started " />
                {unseen && (
                  <>
                    , <Ago at={service.seen_at} prefix="last seen " />
                  </>
                )}
              </p>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

const rateName = (name: string): string => name.replace(/_per_s$/, '').replaceAll('_', ' ');
