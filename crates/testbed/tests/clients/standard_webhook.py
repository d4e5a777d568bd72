"""Signs an alert with the Standard Webhooks library and posts it.

Usage: standard_webhook.py URL SECRET MESSAGE_ID SECONDS_AGO
Prints the status that was answered.
"""

import json
import sys
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

from standardwebhooks.webhooks import Webhook


def main(url, secret, message_id, seconds_ago):
    body = json.dumps({"title": "Bücher ausverkauft", "external_id": "books", "severity": "critical"})
    sent_at = datetime.now(timezone.utc) - timedelta(seconds=int(seconds_ago))
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, sent_at, body),
    }
    request = urllib.request.Request(url, body.encode(), headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
