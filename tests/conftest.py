"""Settings of all tests: no property is judged by a clock, nor by luck.

A commit is judged by the same examples everywhere; new ones by `--hypothesis-profile=explore`.
"""

from hypothesis import settings

settings.register_profile("diqkd", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, max_examples=2000)
settings.load_profile("diqkd")
