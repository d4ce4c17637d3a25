"""What Volcano's admission says of a CronJob.

In: its name and its spec, as parsed. Out: complaints, in Volcano's words where it has some, and what to write instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jobflow.local.volcano.cron.schedule import BadSchedule, Schedule, zone_of

MAX_NAME_CHARACTERS = 52  # a Job's name is the CronJob's, a hyphen and up to ten digits; it has 63 at most


def cron_problems(name: str, spec: Mapping[str, Any]) -> Iterator[str]:
    """Everything for which Volcano would refuse the CronJob."""
    schedule, zone = spec.get("schedule"), spec.get("timeZone")
    if not schedule:
        yield "schedule is required, but got empty;"
    elif "TZ" in str(schedule):
        yield "schedule should not contain TZ or CRON_TZ, TZ should only be set in the timeZone field;"
    elif told := _bad_schedule(str(schedule)):
        yield f"schedule is not a valid cron expression: {told};"
    if zone == "":
        yield "timeZone must be nil or non-empty string, got empty string;"
    elif zone is not None and (told := _bad_zone(str(zone))):
        yield f"{told};"
    if len(name) > MAX_NAME_CHARACTERS:
        yield (
            f"cronJob name must be no more than {MAX_NAME_CHARACTERS} characters to accommodate job name suffix "
            "(max 63 total);"
        )


def _bad_schedule(schedule: str) -> str:
    try:
        Schedule(schedule, zone_of(None))
    except BadSchedule as error:
        return str(error)
    return ""


def _bad_zone(zone: str) -> str:
    try:
        zone_of(zone)
    except BadSchedule as error:
        return str(error)
    return ""
