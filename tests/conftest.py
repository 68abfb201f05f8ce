"""Settings of all tests: no property is judged by a clock."""

from hypothesis import settings

settings.register_profile("diqkd", deadline=None)
settings.load_profile("diqkd")
