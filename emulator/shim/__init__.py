"""Device-independent QKD emulated round by round and distilled into keys: all of it by one import.

>>> import diqkd
>>> model = diqkd.EntangledCoherent(diqkd.Link(distance_km=100))
>>> round(diqkd.predict(model).chsh, 4)
2.4203

This file is installed as ``diqkd/__init__.py`` and never changes: the names are those of
`emulator.face`, in the order of the pipeline.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.face import *
    from emulator.face import __version__ as __version__
else:
    from emulator.face import __all__, __dir__, __getattr__
