"""How the shipped codes were made and measured; nothing here runs in a protocol.

Three scripts, each of which writes one file of ``matrices/``: `degrees` (density evolution) →
``degrees.json``, `lifting` (progressive edge growth) → ``shifts.npz``, `rating` (decoding) →
``ratings.json``.
"""
