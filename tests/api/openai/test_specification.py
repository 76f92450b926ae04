"""Says whether responses are held against the Open Responses specification."""

from __future__ import annotations

import pytest

from tests.api.openai.specification import INSTALLED, check_events


@pytest.mark.skipif(not INSTALLED, reason="openresponses-types is not installed")
def test_responses_are_held_against_the_specification() -> None:
    with pytest.raises(ValueError, match="sequence_number"):
        check_events([{"type": "response.output_text.delta", "delta": "x"}])
