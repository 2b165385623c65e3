"""A slow, plain-Python exchange written from docs/kernel/rules.md alone: the kernel must agree."""

import pytest

pytest.register_assert_rewrite("tests.reference.stories")
