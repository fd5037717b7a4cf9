"""Bars that a program must hold, and its part of the results.

A part is a file in `models/evaluation/figures`, from which `cargo xtask results` writes `models/evaluation/RESULTS.md`. It is
dated by a hash of the data, never by a clock, so that the same data give the same file.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "models" / "evaluation" / "figures"


@dataclass
class Found:
    """What a detector found of all that there was, and its false ones. Precision is that of all that it opened."""

    what: str
    found: int
    of: int
    wrong: int
    watched: str
    precision: float


class Bars:
    """Figures beside their bounds. `missed` is the number of those that do not hold."""

    def __init__(self):
        self.all, self.missed = [], 0

    def at_least(self, what: str, figure: float, bound: float) -> None:
        self._check({"name": what, "value": round(float(figure), 4), "at_least": bound}, figure >= bound)

    def at_most(self, what: str, figure: float, bound: float) -> None:
        self._check({"name": what, "value": round(float(figure), 4), "at_most": bound}, figure <= bound)

    def _check(self, bar: dict, holds: bool) -> None:
        self.all.append(bar)
        self.missed += not holds
        print(json.dumps(bar, ensure_ascii=False), "held" if holds else "missed", flush=True)


def write(name: str, evidence: str, files: list[Path], lines: list[str], bars: Bars, found: tuple[Found, ...] = ()) -> int:
    """Prints the part, writes its file, and returns the exit code: 1 where a bar is missed."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(file.read_bytes())
    part = {
        "name": name, "evidence": evidence, "data": digest.hexdigest()[:12],
        "files": [f"{file.parent.name}/{file.name}" for file in sorted(files)],
        "lines": lines, "found": [{**asdict(one), "precision": round(one.precision, 4)} for one in found], "bars": bars.all,
    }
    print("\n".join(lines), flush=True)
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(part, indent=2, ensure_ascii=False, sort_keys=True)
    (FOLDER / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    return 1 if bars.missed else 0
