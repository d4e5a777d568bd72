"""What JSON Schema cannot say of Tocsin's parameters: formats of our own, and what fields must have in common."""

import base64
import uuid
from datetime import datetime, timezone

import schemathesis
from hypothesis import strategies as st

NAMES = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,15}", fullmatch=True)
VALUES = st.from_regex(r"[a-zA-Z0-9_.-]{1,16}", fullmatch=True)
OPERATORS = st.sampled_from(["=", "!=", "=~", "!~"])
# A position: of a list of things that have a number, of one of things that have a UUID.
CURSORS = st.builds(lambda n: str(n), st.integers(1, 10_000)) | st.builds(
    lambda n: str(uuid.UUID(int=n)), st.integers(0, 2**128 - 1)
)

schemathesis.openapi.format("label-filter", st.builds(lambda *parts: "".join(parts), NAMES, OPERATORS, VALUES))
# One that asks for a label that is there.
schemathesis.openapi.format("matcher", st.builds(lambda name, value: f'{name}="{value}"', NAMES, VALUES))
schemathesis.openapi.format("words-of-duration", st.builds(lambda n, unit: f"{n}{unit}", st.integers(1, 30), st.sampled_from("mhd")))
schemathesis.openapi.format("time-zone", st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata"]))
schemathesis.openapi.format(
    "cursor", CURSORS.map(lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="))
)

# Of a silence to be made, or of anything else that may lie in the future.
schemathesis.openapi.format(
    "date-time",
    st.datetimes(min_value=datetime(2090, 1, 1), max_value=datetime(2099, 1, 1)).map(lambda at: f"{at.isoformat()}Z"),
)


@schemathesis.hook
def filter_case(context, case):
    """Leaves out what a schema allows and the guide does not: what several fields have to have in common."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return True
    query, body = case.query or {}, case.body
    skipped = (int(query.get("page", 1)) - 1) * int(query.get("limit", 50))
    if "cursor" in query or skipped > 10_000:
        # A cursor is of the list that gave it, which no schema can say.
        return False
    if not isinstance(body, dict):
        return True
    if case.operation.label == "POST /api/v1/silences":
        now = datetime.now(timezone.utc).isoformat()
        return max(body.get("starts_at") or now, now) < body["ends_at"]
    if isinstance(body.get("limit"), float):
        # To a schema 7.0 is an integer.
        return False
    if case.operation.label == "PATCH /api/v1/incidents/{id}":
        return any(body.values())
    return True
