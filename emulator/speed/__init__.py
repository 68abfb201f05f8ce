"""How fast this machine is: every stage measured beside other implementations and a reference."""

from emulator.speed.measure import bench
from emulator.speed.result import Benchmark, read_benchmark

__all__ = ["Benchmark", "bench", "read_benchmark"]
