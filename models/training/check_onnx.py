"""Compares a model folder's golden windows with onnxruntime. Usage: python check_onnx.py FOLDER"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime


def main() -> None:
    folder = Path(sys.argv[1])
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    worst = 0.0
    for line in (folder / "golden.jsonl").read_text().splitlines():
        golden = json.loads(line)
        if "window" not in golden:
            continue
        errors = session.run(None, {"window": np.array(golden["window"], np.float32)[None]})[0][0]
        worst = max(worst, float(np.max(np.abs(errors - golden["errors"]) / np.maximum(1, np.abs(golden["errors"])))))
    print(f"{folder}: largest difference {worst:.2e}")
    if worst > 1e-4:
        sys.exit(1)


if __name__ == "__main__":
    main()
