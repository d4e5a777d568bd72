"""Sends an event with PagerDuty's own client, of which nothing is changed but the address.

The client takes no address without TLS, which the front door of a test does not speak; so that one check is passed by.

Usage: pagerduty_event.py BASE_URL ROUTING_KEY trigger|acknowledge|resolve [DEDUP_KEY]
Prints the deduplication key that was answered; a refusal is an exception, and exit code 1.
"""

import sys

from pagerduty import EventsApiV2Client


def main(base_url, routing_key, action, dedup_key=None):
    client = EventsApiV2Client(routing_key)
    client._url = base_url
    if action == "trigger":
        return client.trigger(
            "Disk of db-1 is full",
            "db-1.example.org",
            dedup_key=dedup_key,
            severity="critical",
            custom_details={"mount": "/var/lib/postgresql", "free_bytes": 0},
            links=[{"href": "https://example.org/runbook", "text": "Runbook"}],
        )
    return {"acknowledge": client.acknowledge, "resolve": client.resolve}[action](dedup_key)


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
