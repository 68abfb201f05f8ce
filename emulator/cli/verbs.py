"""Every verb of the command line: its panel, what it says of itself, and two examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from emulator.cli.errors import EXIT_CODES


@dataclass(frozen=True)
class Verb:
    """One verb; `emulator.cli.<name>` holds its command.

    Parameters
    ----------
    panel : str
        The panel of `diqkd --help` that it stands in.
    summary : str
        What it does, in one sentence.
    examples : tuple of str
        Two command lines, without the ``diqkd`` in front.
    more : str
        What else its help says.
    verbs : mapping of str to Verb
        Verbs of its own; their commands are functions of the same module.
    """

    panel: str
    summary: str
    examples: tuple[str, str]
    more: str = ""
    verbs: Mapping[str, Verb] = field(default_factory=dict)

    @property
    def help(self) -> str:
        """The text of its help."""
        return "\n\n".join(part for part in (self.summary, self.more) if part)

    @property
    def epilog(self) -> str:
        """Examples and exit codes, below its options."""
        return "\n".join(["Examples:", *(f"  diqkd {e}" for e in self.examples), EXIT_CODES])


_STUDY = ("study finite-size --out study/", "study finite-size --sizes 1e5,1e6 --out study/")

VERBS = {
    "run": Verb(
        "start here",
        "Emulate a link, distill its rounds into keys and hold the run against theory.",
        ("run ecs-300km --seed 7 --out keys/", "run --distance-km 50 --rounds 1e8 --json"),
    ),
    "predict": Verb(
        "theory",
        "Print what theory says of a link: gain, CHSH value, QBER and asymptotic key rate.",
        (
            "predict --distance-km 400 --json",
            "predict --scheme bell_state --over distance_km=0:500:51",
        ),
    ),
    "plan": Verb(
        "theory",
        "Choose intensity, test probability and block size for a key of finite size.",
        (
            "plan ecs-100km --key-bits 1e6 --repetition-rate-hz 1e9",
            "plan --key-bits 1e5 --over distance_km=0:200:5 --csv",
        ),
    ),
    "attack": Verb(
        "runs",
        "Attack a link: one run of the whole pipeline, and how often many runs pass the test.",
        ("attack list", "attack told-marks --seed 7"),
    ),
    "report": Verb(
        "runs",
        "Turn the report of a run into one HTML file, readable without network.",
        ("report keys/", "report keys/ --out run.html"),
    ),
    "emulate": Verb(
        "laboratory",
        "Emulate the quantum phase alone: each party's rounds, and the design they fall under.",
        ("emulate --seed 7 --out rounds/", "emulate ecs-300km --format csv --joint --out rounds/"),
    ),
    "design": Verb(
        "laboratory",
        "Fix everything that decides security, before any data: from theory or expected values.",
        (
            "design ecs-100km --rounds 1e8 --out design.json",
            "design --scheme behaviour --chsh 2.6 --rounds 1e6 --layout lab.toml --out design.json",
        ),
        "Where a layout is given, settings and heralds are the layout's, and the scenario says "
        "what CHSH value and QBER to expect.",
    ),
    "distill": Verb(
        "laboratory",
        "Distill recorded rounds into keys, under a design made before they were recorded.",
        (
            "distill events.csv --layout lab.toml",
            "distill alice.parquet bob.parquet --design design.json --out keys/",
        ),
        "The security statement is for one run on a block of rounds: of several, use the keys of "
        "one.",
    ),
    "pool": Verb(
        "two parties",
        "Make a pool of authentication keys; take a copy to the other party before its first use.",
        ("pool alice.pool --keys 100", "pool next.pool --from-key alice/alice.key"),
    ),
    "party": Verb(
        "two parties",
        "Be one party: distill its rounds with the other over TCP, every packet authenticated.",
        (
            "party alice --listen 0.0.0.0:7000 --auth-key alice.pool --record alice.parquet "
            "--design design.json --out alice/",
            "party bob --connect alice.lab:7000 --auth-key bob.pool --record bob.parquet "
            "--design design.json --out bob/",
        ),
    ),
    "sweep": Verb(
        "many runs",
        "Run the scenarios of a sweep file that the store lacks, and keep a row of each.",
        (
            "sweep sweep.toml --store results.csv",
            "sweep sweep.toml --store results.csv --dask tcp://head:8786",
        ),
    ),
    "results": Verb(
        "many runs",
        "Print statistics of sweeps over their seeds; export their runs.",
        (
            "results results.csv --quantile 0.05 --quantile 0.95",
            "results results.csv --where distance_km=100 --export runs.parquet",
        ),
    ),
    "study": Verb(
        "many runs",
        "Studies of many runs: a figure and the data behind it.",
        _STUDY,
        verbs={
            "finite-size": Verb(
                "studies",
                "Hold keys, aborts and the spread of S against theory as the block grows.",
                _STUDY,
                "The seed is 0 by default. tan22, renyi and renyi_fixed are run; the Rényi methods "
                "are not peer reviewed.",
            )
        },
    ),
    "plot": Verb(
        "pictures",
        "Draw results beside theory, the waterfall of a run, or a figure of the two papers.",
        ("plot rate results.csv", "plot xie-fig3 --out rates.pdf"),
    ),
}
