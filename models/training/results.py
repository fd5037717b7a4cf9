"""Bars that a program must hold, and its part of `models/evaluation/RESULTS.md`.

A part stands between two markers and is replaced as a whole. It is dated by a hash of the data, never by a clock, so
that the same data give the same file.
"""

import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "models" / "evaluation" / "RESULTS.md"
HEAD = """# Results

Written by the programs that measure; figures are not edited by hand. Each part names its kind of evidence: *laboratory*
(a real machine, faults made on purpose), *simulated* (a computed machine), *fleet* (real machines in use that failed by
themselves). Only fleet evidence says how often a call would be wrong in the field.
"""


class Bars:
    """Figures beside their bounds. `missed` is the number of those that do not hold."""

    def __init__(self):
        self.lines, self.missed = ["| bar | figure | bound | |", "| --- | --- | --- | --- |"], 0

    def at_least(self, what: str, figure: float, bound: float) -> None:
        self._check(what, figure, f"≥ {bound:g}", figure >= bound)

    def at_most(self, what: str, figure: float, bound: float) -> None:
        self._check(what, figure, f"≤ {bound:g}", figure <= bound)

    def _check(self, what: str, figure: float, bound: str, holds: bool) -> None:
        self.lines.append(f"| {what} | {figure:.3f} | {bound} | {'held' if holds else '**missed**'} |")
        self.missed += not holds


def write(name: str, evidence: str, files: list[Path], lines: list[str], bars: Bars) -> int:
    """Prints the part, puts it into RESULTS.md, and returns the exit code: 1 where a bar is missed."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.read_bytes())
    part = "\n".join([
        f"## {name}", "", f"Evidence: *{evidence}*. Data: {digest.hexdigest()[:12]} (SHA-256 of the files, shortened).", "",
        *lines, "", *bars.lines,
    ])
    print(part, flush=True)
    begin, end = f"<!-- {name}: written by a program -->", f"<!-- end of {name} -->"
    text = FILE.read_text(encoding="utf-8") if FILE.exists() else HEAD
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    parts = [before.strip(), f"{begin}\n{part}\n{end}", after.strip()]
    FILE.write_text("\n\n".join(one for one in parts if one) + "\n", encoding="utf-8")
    return 1 if bars.missed else 0
