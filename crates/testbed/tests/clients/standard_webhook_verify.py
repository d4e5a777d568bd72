"""Verifies requests with the Standard Webhooks library.

Usage: standard_webhook_verify.py SECRET, with a JSON list of {"headers", "body"} on standard input
Prints the types of the messages; a signature that is wrong is an exception, and exit code 1.
"""

import json
import sys

from standardwebhooks.webhooks import Webhook


def main(secret):
    webhook = Webhook(secret)
    verified = [webhook.verify(request["body"], request["headers"]) for request in json.load(sys.stdin)]
    return " ".join(message["type"] for message in verified)


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
