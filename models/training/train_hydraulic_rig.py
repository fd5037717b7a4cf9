"""Trains the hydraulic rig's discriminant on all cycles and writes `models/evaluation/hydraulic-rig/`.

Usage: python train_hydraulic_rig.py [folder with the hydraulic data]. The network is checked against numpy before it is
kept. How good it is, `evaluate_hydraulic.py` says, with models that did not see what they are tested on.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import hydraulic
import results

FOLDER = results.ROOT / "models" / "evaluation" / "hydraulic-rig"
# Largest difference between the network in single precision and numpy in double, as a share of a log-posterior above 1.
TOLERANCE = 1e-3
# A golden cycle is one of the recorded cycles, each in another combination of states.
GOLDEN = (0, 400, 800, 1200, 1600)


def network(fitted: dict[str, hydraulic.Discriminant]) -> onnx.ModelProto:
    """Deviation from the mean cycle, one Gemm to the logits of all components, and their log-posteriors apart."""
    first = next(iter(fitted.values()))
    counts = [len(one.classes) for one in fitted.values()]
    constants = {
        "mean_cycle": first.mean, "weights": np.concatenate([one.matrix for one in fitted.values()], axis=1),
        "offsets": np.concatenate([one.offset for one in fitted.values()]),
    }
    initializers = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in constants.items()]
    initializers.append(numpy_helper.from_array(np.array(counts, np.int64), "counts"))
    names = list(fitted)
    nodes = [
        helper.make_node("Sub", ["cycle", "mean_cycle"], ["deviation"]),
        helper.make_node("Gemm", ["deviation", "weights", "offsets"], ["logits"]),
        helper.make_node("Split", ["logits", "counts"], [f"{name}_logits" for name in names], axis=1),
        *(helper.make_node("LogSoftmax", [f"{name}_logits"], [name], axis=1) for name in names),
    ]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", count]) for name, count in zip(names, counts)
    ]
    cycle = helper.make_tensor_value_info("cycle", TensorProto.FLOAT, ["N", len(first.mean)])
    graph = helper.make_graph(nodes, "hydraulic-rig", [cycle], values, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def difference(file: Path, fitted: dict[str, hydraulic.Discriminant], cycles: np.ndarray) -> float:
    """The largest one between onnxruntime and numpy, over all cycles and states."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    outputs = session.run(list(fitted), {"cycle": cycles.astype(np.float32)})
    worst = 0.0
    for output, one in zip(outputs, fitted.values()):
        expected = one.log_posteriors(cycles)
        worst = max(worst, float(np.max(np.abs(output - expected) / np.maximum(1, np.abs(expected)))))
    return worst


def golden(fitted: dict[str, hydraulic.Discriminant], rig: hydraulic.Rig) -> list[str]:
    lines = []
    for number in GOLDEN:
        cycle = hydraulic.raw(rig.cycles[number : number + 1])
        log_posteriors = {name: one.log_posteriors(cycle)[0].round(4).tolist() for name, one in fitted.items()}
        line = {
            "name": f"cycle {number}", "states": {name: int(states[number]) for name, states in rig.states.items()},
            "cycle": cycle[0].tolist(), "log_posteriors": log_posteriors,
        }
        lines.append(json.dumps(line, separators=(",", ":")))
    return lines


def main() -> None:
    data = Path(sys.argv[1]) if len(sys.argv) > 1 else results.ROOT.parent / "shared" / "data" / "hydraulic"
    rig = hydraulic.load(data)
    cycles = hydraulic.raw(rig.cycles)
    whitening = hydraulic.whiten(cycles, rig.combination)
    fitted = {name: hydraulic.discriminant(whitening, cycles, states) for name, states in rig.states.items()}
    FOLDER.mkdir(parents=True, exist_ok=True)
    onnx.save(network(fitted), FOLDER / "model.onnx")
    (FOLDER / "golden.jsonl").write_text("\n".join(golden(fitted, rig)) + "\n")
    worst = difference(FOLDER / "model.onnx", fitted, cycles)
    print(f"hydraulic-rig: {len(cycles)} cycles; onnxruntime differs from numpy by {worst:.1e} at most")
    sys.exit(1 if worst > TOLERANCE else 0)


if __name__ == "__main__":
    main()
