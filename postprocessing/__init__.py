"""diqkd's classical layer: what Alice's and Bob's computers do to turn outcomes into keys.

The names, and where they live, stand in the stub beside this file. Each is imported on first use,
so that the command line need not wait for numba.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
