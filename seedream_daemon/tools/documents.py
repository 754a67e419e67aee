"""What each tool gives, as a schema: types, what is always there, and the words of a choice.

What may be null stands only among what is always there, to keep the list of tools short.
"""

from collections.abc import Mapping
from typing import Any

from seedream_daemon.tools.shapes import STATES

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_OR_NULL: Schema = {}
_WHOLE: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_YES: Schema = {"type": "boolean"}
_TEXTS: Schema = {"type": "array"}
_ROWS: Schema = {"type": "array"}
_TABLE: Schema = {"type": "object"}
_STATE: Schema = {"enum": list(STATES)}


def _all(**properties: Schema) -> Schema:
    typed = {name: shape for name, shape in properties.items() if shape}
    return {"type": "object", "properties": typed, "required": list(properties)}


def _rows(**properties: Schema) -> Schema:
    return {"type": "array", "items": _all(**properties)}


JOB = _all(
    job_id=_TEXT,
    name=_OR_NULL,
    kind=_OR_NULL,
    origin=_TEXT,
    state=_STATE,
    reason=_OR_NULL,
    shots=_OR_NULL,
    saved=_WHOLE,
    failed=_WHOLE,
    in_doubt=_WHOLE,
    in_flight=_WHOLE,
    price_usd=_OR_NULL,
    cost_usd=_NUMBER,
    left_today_usd=_OR_NULL,
    session=_OR_NULL,
    session_path=_OR_NULL,
    pictures=_TEXTS,
    failures=_ROWS,
    more_failures=_WHOLE,
    eta_seconds=_OR_NULL,
    repeated=_YES,
    next_step=_TEXT,
    created=_OR_NULL,
    finished=_OR_NULL,
)
PLAN = _all(
    ok=_YES,
    kind=_OR_NULL,
    model=_OR_NULL,
    size=_OR_NULL,
    shots=_WHOLE,
    max_pictures=_WHOLE,
    price_usd=_OR_NULL,
    needs_confirmation=_YES,
    over_budget=_YES,
    left_out=_ROWS,
    problems=_ROWS,
    first_shots=_ROWS,
    next_step=_TEXT,
)
JOBS = _all(
    jobs=_rows(
        job_id=_TEXT,
        name=_OR_NULL,
        kind=_OR_NULL,
        origin=_TEXT,
        state=_STATE,
        shots=_OR_NULL,
        saved=_WHOLE,
        failed=_WHOLE,
        cost_usd=_NUMBER,
        session=_OR_NULL,
        created=_OR_NULL,
    ),
    next_cursor=_OR_NULL,
)
SESSIONS = _all(
    sessions=_rows(
        session=_TEXT,
        path=_TEXT,
        kind=_OR_NULL,
        name=_OR_NULL,
        created=_OR_NULL,
        model=_OR_NULL,
        prompt=_OR_NULL,
        pictures=_WHOLE,
        shots=_WHOLE,
        state=_STATE,
        job_id=_OR_NULL,
    ),
    next_cursor=_OR_NULL,
)
SESSION = _all(
    session=_TEXT,
    path=_TEXT,
    kind=_OR_NULL,
    name=_OR_NULL,
    created=_OR_NULL,
    model=_OR_NULL,
    size=_OR_NULL,
    state=_STATE,
    job_id=_OR_NULL,
    prompts=_TEXTS,
    groups=_rows(name=_TEXT, label=_TEXT, variables=_TABLE, refs=_TEXTS, left_out=_TEXTS),
    common=_TEXTS,
    items=_rows(
        key=_TEXT,
        shot=_OR_NULL,
        file=_OR_NULL,
        size=_OR_NULL,
        state=_TEXT,
        reason=_OR_NULL,
    ),
    total=_WHOLE,
    next_cursor=_OR_NULL,
)
STATUS = _all(
    state={"enum": ["ok", "attention"]},
    version=_TEXT,
    queue=_TABLE,
    images_per_minute=_NUMBER,
    spend=_TABLE,
    limits=_TABLE,
    folders=_TABLE,
    problems=_rows(what=_TEXT, mend=_TEXT),
)

OUTPUTS: Mapping[str, Schema] = {
    "generate_image": JOB,
    "edit_image": JOB,
    "check_job": PLAN,
    "submit_job": JOB,
    "get_job": JOB,
    "cancel_job": JOB,
    "retry_job": JOB,
    "list_jobs": JOBS,
    "list_sessions": SESSIONS,
    "load_session": SESSION,
    "get_status": STATUS,
}
