"""Writes the fitted `*.probability` into the `[probability]` tables of the manifests, without training again."""

import re
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    for manifest in HERE.parent.glob("**/manifest.toml"):
        text = manifest.read_text(encoding="utf-8")
        if "[probability]" not in text:
            continue
        profile = re.search(r'^profile = "(.*)"', text, re.M).group(1)
        offset, slope, ceiling = (HERE / f"{profile}.probability").read_text().split()
        table = f"[probability]\noffset = {offset}\nslope = {slope}\nceiling = {ceiling}\n"
        manifest.write_text(re.sub(r"\[probability\]\n(?:\w+ = .*\n){3}", table, text), encoding="utf-8")


if __name__ == "__main__":
    main()
