"""A net of matrix products with ReLU between them, trained by AdamW on inputs with noise.

The noise keeps the net from learning single machines by heart; without it trees are better. On the processor a net
this small is as fast in numpy as elsewhere.
"""

import numpy as np

BATCH, RATE, DECAY = 128, 2e-3, 1e-2


class Perceptron:
    def __init__(self, sizes: list[int], generator: np.random.Generator):
        self.layers = [
            [generator.normal(0, np.sqrt(1 / a), (a, b)).astype(np.float32), np.zeros(b, np.float32)]
            for a, b in zip(sizes, sizes[1:])
        ]

    def activations(self, inputs: np.ndarray) -> list[np.ndarray]:
        """Inputs of each layer and, last, the output."""
        passed = [inputs]
        for weights, offset in self.layers[:-1]:
            passed.append(np.maximum(passed[-1] @ weights + offset, 0))
        weights, offset = self.layers[-1]
        return [*passed, passed[-1] @ weights + offset]

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        return self.activations(inputs.astype(np.float32))[-1][:, 0]

    def gradients(self, passed: list[np.ndarray], error: np.ndarray) -> list[np.ndarray]:
        """Of the mean loss, given its derivative by each output; in the order of `parameters`."""
        found = []
        for (weights, _), inputs in zip(self.layers[::-1], passed[-2::-1]):
            found += [error.sum(0), inputs.T @ error]
            error = (error @ weights.T) * (inputs > 0)
        return found[::-1]

    def parameters(self) -> list[np.ndarray]:
        return [array for layer in self.layers for array in layer]


def identity(output: np.ndarray) -> np.ndarray:
    return output


def sigmoid(output: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-output))


def train(inputs, targets, hidden, noise, steps, seed, link=identity) -> Perceptron:
    """`link` is `identity` for squared error, or `sigmoid` for cross entropy: either way the output's derivative is the
    difference to the target."""
    generator = np.random.default_rng(seed)
    inputs, targets = inputs.astype(np.float32), targets.astype(np.float32)[:, None]
    net = Perceptron([inputs.shape[1], *hidden, 1], generator)
    parameters = net.parameters()
    first = [np.zeros_like(array) for array in parameters]
    second = [np.zeros_like(array) for array in parameters]
    for step in range(1, steps + 1):
        batch = generator.integers(0, len(inputs), BATCH)
        noisy = inputs[batch] + noise * generator.standard_normal((BATCH, inputs.shape[1]), np.float32)
        passed = net.activations(noisy)
        error = (link(passed[-1]) - targets[batch]) / BATCH
        rate = RATE * (1 + np.cos(np.pi * step / steps)) / 2
        for array, gradient, m, v in zip(parameters, net.gradients(passed, error), first, second):
            m += 0.1 * (gradient - m)
            v += 0.001 * (gradient**2 - v)
            array -= rate * (m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8) + DECAY * array)
    return net
