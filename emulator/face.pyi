# The link
from emulator import Link as Link
from emulator import EntangledCoherent as EntangledCoherent
from emulator import BellState as BellState
from emulator import SinglePhoton as SinglePhoton
from emulator import CavityCat as CavityCat
from emulator import CavityLink as CavityLink
from emulator import Behaviour as Behaviour
from emulator import Imperfections as Imperfections
from emulator import Directions as Directions
from emulator import HeraldedStates as HeraldedStates
from emulator import JointDistribution as JointDistribution
from emulator import load_scenario as load_scenario

# Theory
from emulator import predict as predict
from emulator import plan as plan

# Security, fixed before any data
from postprocessing import Security as Security
from postprocessing import EpsilonSplit as EpsilonSplit
from postprocessing import ExpectedValues as ExpectedValues
from postprocessing import BellScheme as BellScheme
from postprocessing import Design as Design
from emulator import design_for as design_for
from postprocessing import read_design as read_design
from postprocessing import write_design as write_design
from postprocessing import certify as certify
from postprocessing import key_length as key_length
from postprocessing import win_probability as win_probability
from postprocessing import binary_entropy as binary_entropy

# Rounds
from emulator import Sampler as Sampler
from emulator import emulate as emulate
from emulator import emulate_to as emulate_to
from postprocessing import PartyRecord as PartyRecord
from postprocessing import Layout as Layout
from postprocessing import read_records as read_records
from postprocessing import write_records as write_records

# Keys
from emulator import run as run
from emulator import run_scenario as run_scenario
from postprocessing import distill as distill
from emulator import distill_files as distill_files
from emulator import explore_files as explore_files
from postprocessing import reconcile as reconcile
from postprocessing import amplify as amplify
from postprocessing import get_code as get_code
from postprocessing import bring_code as bring_code
from postprocessing import measure_code as measure_code
from postprocessing import read_alist as read_alist
from postprocessing import write_alist as write_alist
from postprocessing import toeplitz_hash as toeplitz_hash

# Bell tests without a key
from postprocessing import Trials as Trials
from postprocessing import read_plain_trials as read_plain_trials
from postprocessing import read_trials as read_trials
from postprocessing import Game as Game
from postprocessing import game_of as game_of
from postprocessing import bell_test as bell_test
from emulator import plot_bell_test as plot_bell_test

# Two parties
from postprocessing import create_pool as create_pool
from postprocessing import Line as Line
from postprocessing import run_party as run_party
from postprocessing import confirm_key as confirm_key

# Reports
from emulator import read_report as read_report
from emulator import write_html_report as write_html_report
from emulator import plot_waterfall as plot_waterfall

# Attacks
from emulator import run_attack as run_attack

# Many runs
from emulator import load_plan as load_plan
from emulator import sweep as sweep
from emulator import load_results as load_results
from emulator import finite_size_study as finite_size_study

# This machine
from emulator import bench as bench
from emulator import read_benchmark as read_benchmark
from emulator import plot_benchmark as plot_benchmark

# Pictures
from emulator import plot_rate as plot_rate
from emulator import plot_quantity as plot_quantity
from emulator import plot_finite_size as plot_finite_size
from emulator import plot_study as plot_study
from emulator import plot_figure as plot_figure
from emulator import plot_codes as plot_codes
from emulator import plot_failures as plot_failures

# Errors
from postprocessing import DiqkdError as DiqkdError

__version__: str
