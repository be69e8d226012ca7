"""Settings that all tests share."""

import os

from hypothesis import settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# Shared machines stall for seconds; a deadline would only measure that.
settings.register_profile("lensnas", deadline=None, max_examples=50)
settings.load_profile("lensnas")
