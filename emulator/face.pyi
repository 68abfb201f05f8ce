# The link
from emulator import Link as Link
from emulator import EntangledCoherent as EntangledCoherent
from emulator import BellState as BellState
from emulator import CavityCat as CavityCat
from emulator import CavityLink as CavityLink
from emulator import Behaviour as Behaviour
from emulator import load_scenario as load_scenario

# Theory
from emulator import predict as predict
from emulator import plan as plan

# Security, fixed before any data
from postprocessing import Security as Security
from postprocessing import EpsilonSplit as EpsilonSplit
from postprocessing import ExpectedValues as ExpectedValues
from postprocessing import Design as Design
from postprocessing import key_length as key_length
from postprocessing import win_probability as win_probability
from postprocessing import binary_entropy as binary_entropy
from postprocessing import read_design as read_design
from postprocessing import write_design as write_design

# Rounds
from emulator import emulate as emulate
from postprocessing import read_records as read_records
from postprocessing import write_records as write_records

# Keys
from emulator import run as run
from postprocessing import distill as distill
from postprocessing import toeplitz_hash as toeplitz_hash

# Many runs
from emulator import sweep as sweep
from emulator import load_results as load_results

__version__: str
