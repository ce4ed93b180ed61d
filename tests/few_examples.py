"""How many examples Hypothesis tries in these tests: few and always the same, or as many new ones as
HYPOTHESIS_EXAMPLES says (500, say)."""

import os

from hypothesis import HealthCheck, settings

_examples = os.environ.get("HYPOTHESIS_EXAMPLES")
few = settings(
    max_examples=int(_examples or 10),
    derandomize=_examples is None,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
