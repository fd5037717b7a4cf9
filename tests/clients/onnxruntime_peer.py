"""onnxruntime on one thread, as the benchmark of prediction's peer.

Usage: onnxruntime_peer.py MODEL WINDOWS FEATURES STEPS ROUNDS BATCH...
WINDOWS holds little-endian singles, window after window, each feature by feature. Prints one line of JSON: the version, windows
a second of each batch by this thread's processor time (the middle round), and the errors of the first windows.
"""

import json
import statistics
import sys
import time

import numpy as np
import onnxruntime

SHOWN = 64


def main() -> None:
    model, file = sys.argv[1:3]
    features, steps, rounds, *batches = (int(argument) for argument in sys.argv[3:])
    windows = np.fromfile(file, "<f4").reshape(-1, features, steps)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    rates = {}
    for batch in batches:
        parts = [windows[first : first + batch] for first in range(0, len(windows), batch)]
        session.run(None, {name: parts[0]})
        seconds = []
        for _ in range(rounds):
            begun = time.thread_time()
            for part in parts:
                session.run(None, {name: part})
            seconds.append(time.thread_time() - begun)
        rates[batch] = len(windows) / statistics.median(seconds)
    errors = session.run(None, {name: windows[:SHOWN]})[0]
    print(json.dumps({"version": onnxruntime.__version__, "rates": rates, "errors": errors.tolist()}))


if __name__ == "__main__":
    main()
