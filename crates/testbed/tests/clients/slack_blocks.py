"""Reads messages to Slack with the models of Slack's own SDK, and lets these check their bounds.

Usage: slack_blocks.py, with a JSON list of messages on standard input
Prints how many blocks were read; a fault is an exception, and exit code 1.
"""

import json
import sys

from slack_sdk.models.blocks import Block


def check(message):
    written = message.get("blocks", [])
    blocks = Block.parse_all(written)
    if len(blocks) != len(written) or len(blocks) > 50:
        raise ValueError(f"{len(written)} blocks were written and {len(blocks)} read")
    for block, expected in zip(blocks, written):
        block.validate_json()
        if block.to_dict() != expected:
            raise ValueError(f"{expected} was written and {block.to_dict()} read")
    if not 0 < len(message["text"]) <= 40_000:
        raise ValueError("the text is empty or too long")
    return len(blocks)


if __name__ == "__main__":
    print(sum(check(message) for message in json.load(sys.stdin)))
