from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from clawmesh.abc.context import Context, Services
from clawmesh.agent.function import FunctionTool
from clawmesh.errors import ToolError
from clawmesh.testing import ManualClock, seeded_ids
from plugins.clock import clock

pytestmark = pytest.mark.anyio
NOWHERE: Any = None


async def ask(**arguments: Any) -> Any:
    services = Services(NOWHERE, ManualClock(1_700_000_000), seeded_ids(), random.Random(0), Path())
    context = Context("a/s", "key", NOWHERE, services, lambda piece: None)
    return await FunctionTool(clock, "clock").call(context, arguments)


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("UTC", "2023-11-14T22:13:20+00:00, Tuesday (UTC)"),
        ("Asia/Kolkata", "2023-11-15T03:43:20+05:30, Wednesday (Asia/Kolkata)"),
        ("America/New_York", "2023-11-14T17:13:20-05:00, Tuesday (America/New_York)"),
    ],
)
async def test_the_time_is_told_in_any_zone(zone: str, said: str) -> None:
    assert await ask(timezone=zone) == said


async def test_without_a_zone_it_is_utc() -> None:
    assert await ask() == "2023-11-14T22:13:20+00:00, Tuesday (UTC)"


@pytest.mark.parametrize(
    ("zone", "hint"),
    [
        ("new york", "did you mean America/New_York?"),
        ("Europe/Berln", "did you mean Europe/Berlin"),
        ("../../etc/passwd", 'use an IANA name such as "Europe/Berlin"'),
        ("", 'use an IANA name such as "Europe/Berlin"'),
        ("\0", 'use an IANA name such as "Europe/Berlin"'),
    ],
)
async def test_an_unknown_zone_names_the_nearest(zone: str, hint: str) -> None:
    with pytest.raises(ToolError) as caught:
        await ask(timezone=zone)
    assert str(caught.value).startswith(f'there is no time zone "{zone}"; ')
    assert hint in str(caught.value)
