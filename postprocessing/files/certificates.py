"""Certificates: what the proof of a design file says, for whoever is to rely on its key length."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from postprocessing.certificate import UNITS_A_BIT, NotProvedError, Proof
from postprocessing.certificate import certify as prove_claim
from postprocessing.errors import InputFileError
from postprocessing.files.design_values import read_values
from postprocessing.sections import Section, count, number

_NOT_COVERED = (
    "how often honest devices abort",
    "that the laboratories let nothing out but the messages of the protocol",
    "that settings, coins and hash seeds are random, fresh and unknown beforehand",
    "that a run enforces this design, and that the theorems below are applied rightly",
)
# By a term of the account: what it rests on. Proofs and places: docs/proofs.md.
_THEOREMS = {
    "entropy less fluctuation": "entropy accumulation to third order: Dupuis and Fawzi, IEEE "
    "Trans. Inf. Theory 65, 7596 (2019); in the form of Liu et al., Nat. Phys. 17, 448 (2021)",
    "test register": "tests taken off as a register: Tan et al., Quantum 6, 880 (2022); with "
    "announcements Metger et al. (2022); local settings with thinning, published tests and noise "
    "are this project's",
    "tolerated losses": "tests of two kinds, and patterns of losses counted: this project's, not "
    "peer reviewed",
    "accumulated entropy": "entropy accumulation at one Rényi order: this project's, not peer "
    "reviewed",
    "smoothing": "two-universal hashing with smoothing: the leftover hashing lemma",
    "hashing": "hashing at a Rényi order: Dupuis, IEEE Trans. Inf. Theory 69, 5103 (2023)",
}
_SINGLE_ROUND = (
    "a single round at Eve's coherence E: Woodhead, Acín and Pironio, Quantum 5, 443 (2021); with "
    "noise, at a Rényi order and for two kinds of tests this project's"
)
_OUTCOMES = ("won, key setting", "lost, key setting", "won, other setting", "lost, other setting")


@dataclass(frozen=True)
class Certificate:
    """What a design claims, and what is proved of it.

    Parameters
    ----------
    name : str
        What the design is called.
    method : str
        Its method.
    heralded_rounds : int
        n.
    soundness : float
        ε_sec + 2 ε_cor.
    claimed_bits : int or None
        The key length that it claims; of a method whose length varies, the expected one, which is
        no claim. None without one.
    enforced : dict of str to str
        What a run under it enforces.
    proof : Proof or None
        What is proved; None where the claim is refused.
    refusal : str or None
        What fails first, with its numbers.

    Examples
    --------
    >>> import tempfile
    >>> import diqkd
    >>> design = diqkd.Security().design(diqkd.BellState(diqkd.Link(distance_km=10)), 10**7)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     diqkd.write_design(f"{folder}/design.json", design)
    ...     certificate = diqkd.certify(f"{folder}/design.json")
    >>> certificate.holds, certificate.proof.bits >= design.key_length
    (True, True)
    """

    name: str
    method: str
    heralded_rounds: int
    soundness: float
    claimed_bits: int | None
    enforced: dict[str, str]
    proof: Proof | None
    refusal: str | None

    @property
    def holds(self) -> bool:
        """Whether all that is claimed is proved."""
        return self.proof is not None

    def to_dict(self) -> dict[str, Any]:
        """Return the certificate as JSON-able values."""
        return {**asdict(self), "holds": self.holds}

    def __repr__(self) -> str:
        verdict = "holds" if self.holds else f"refused: {self.refusal}"
        return f"Certificate({self.name}, {self.method}, {verdict})"

    def present(self) -> tuple[Section, ...]:
        """Return the certificate as sections of a page."""
        claim = (
            ("design", f"{self.name}: {self.method}, {self.heralded_rounds:,} heralded rounds"),
            ("claimed", self._claimed),
            ("proved", self._proved),
            ("verdict", "HOLDS" if self.holds else f"REFUSED: {self.refusal}"),
        )
        run = [f"a run that {what} {value}" for what, value in self.enforced.items()]
        rests = _theorems(self.proof) if self.proof else []
        return (
            Section("certificate", claim),
            *(self._computed(self.proof) if self.proof else ()),
            Section("rests on", bullets=(*rests, *run)),
            Section("not covered", bullets=_NOT_COVERED),
        )

    @property
    def _claimed(self) -> str:
        if self.claimed_bits is None:
            return "no key"
        kind = "expected: the length follows the counts" if self._varies else "whatever happens"
        sound = f"{number(self.soundness, 4)}-sound against coherent attacks"
        return f"{self.claimed_bits:,} bits, {kind}, {sound}"

    @property
    def _varies(self) -> bool:
        return self.proof is not None and self.proof.varies

    @property
    def _proved(self) -> str:
        if self.proof is None:
            return "no such length"
        low, high = self.proof.enclosure
        within = f"between {low:,.4f} and {high:,.4f}"
        if self.proof.varies:
            return f"{self.proof.bits:,} bits ({within}), the score of the run, less its leakage"
        spare = self.proof.bits - (self.claimed_bits or 0)
        return f"{self.proof.bits:,} bits ({within}), {count(spare)} to spare"

    def _computed(self, proof: Proof) -> tuple[Section, ...]:
        worst = f"over Eve's coherence E in [0, 1], {proof.cells} cells in ball arithmetic"
        rows = (
            ("the worst device", worst),
            ("its coherence E", number(proof.worst_coherence)),
        )
        account = tuple((name, f"{bits:,.4f}") for name, bits in proof.account.items())
        units = zip(_OUTCOMES, proof.score_units, strict=False)
        kind = "costs" if "tolerated losses" in proof.account else "adds"
        scores = tuple((name, f"{unit / UNITS_A_BIT:,.6f}") for name, unit in units)
        parts = (
            Section("what was computed", rows),
            Section("the account", account, ("term", "bits")),
            Section("each test", scores, ("outcome", f"{kind}, bits")),
        )
        return tuple(part for part in parts if part.rows)


def _theorems(proof: Proof) -> list[str]:
    """Return what the terms of an account rest on."""
    terms = proof.account.keys() - ({"hashing"} if "smoothing" in proof.account else set())
    return [_SINGLE_ROUND, *(said for name, said in _THEOREMS.items() if name in terms)]


def certify(path: Path | str) -> Certificate:
    """Prove the key length that a design file claims, trusting nothing else in it.

    Every number of the file that decides is read as the exact rational that it is; the length that
    follows is computed in ball arithmetic, over every device (docs/proofs.md).

    Parameters
    ----------
    path : Path or str
        A design, as `write_design` writes it; those of 0.1.0 too.

    Returns
    -------
    Certificate
        Whether it holds, what is proved, and why not.

    Raises
    ------
    InputFileError
        If the file cannot be read, or is no design.

    Examples
    --------
    >>> certify("missing.json")
    Traceback (most recent call last):
    postprocessing.errors.InputFileError: design must be a readable file, got 'missing.json' ...
    """
    if not isinstance(path, Path):
        # The command has a Path, and does not wait for numpy.
        from postprocessing.checks import file_path

        path = file_path("path", path)
    values = read_values(path)
    try:
        try:
            proof, refusal = prove_claim(values), None
        except NotProvedError as error:
            proof, refusal = None, str(error)
        epsilons, length = values["epsilons"], values["length"]
        return Certificate(
            name=path.name,
            method=str(values["method"]),
            heralded_rounds=int(values["heralded_rounds"]),
            soundness=float(epsilons["secrecy"] or 0) + 2 * float(epsilons["correctness"]),
            claimed_bits=int(length["bits"]) if length else None,
            enforced=_enforced(values),
            proof=proof,
            refusal=refusal,
        )
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        lacks = f"it lacks {error}" if isinstance(error, KeyError) else str(error)
        message = f"design must be one that diqkd design writes, {str(path)!r} is not: {lacks}"
        raise InputFileError(message) from error


def _enforced(values: dict[str, Any]) -> dict[str, str]:
    """Return what a run under a design enforces, in words."""
    choice = values["setting_choice"] if "setting_choice" in values else values["local_settings"]
    settings = ", ".join(f"{name} = {value!r}" for name, value in choice.items() if value)
    leakage = values["leakage"] or {}
    enforced = {"draws settings with": settings.replace("_", " ")}
    if leakage:
        enforced["leaks at most"] = f"{leakage['budget_bits']:,} bits"
        enforced["compares tags of"] = f"{leakage['tag_bits']} bits"
    return enforced
