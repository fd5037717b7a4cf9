"""The convolutional autoencoder of every family: training, export to ONNX, golden windows.

Input (batch, features, steps): deviations scaled by the unit's own baseline, as `hub-predict` makes them.
Output (batch, features): mean square error of each feature. The bottleneck of a few tanh units can follow what healthy
units do and nothing else.
"""

import json
import subprocess
from pathlib import Path

import numpy as np
import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[2]


class Autoencoder(nn.Module):
    def __init__(self, features: int, steps: int, latent: int = 6):
        super().__init__()
        self.quarter = steps // 4
        flat = 24 * self.quarter
        self.encode = nn.Sequential(
            nn.Conv1d(features, 16, 5, 2, 2), nn.ReLU(), nn.Conv1d(16, 24, 5, 2, 2), nn.ReLU(),
            nn.Flatten(), nn.Linear(flat, latent), nn.Tanh(),
        )
        self.expand = nn.Sequential(nn.Linear(latent, flat), nn.ReLU())
        self.decode = nn.Sequential(
            nn.ConvTranspose1d(24, 16, 4, 2, 1), nn.ReLU(), nn.ConvTranspose1d(16, features, 4, 2, 1)
        )

    def forward(self, window):
        expanded = self.expand(self.encode(window)).view(-1, 24, self.quarter)
        return ((window - self.decode(expanded)) ** 2).mean(dim=2)


def windows(manifest_folder: Path, spec: list[str], features: int, steps: int) -> np.ndarray:
    """Windows of healthy units, scaled by the hub's own code. A line of `spec`: file, first row, end row, calibration."""
    command = ["cargo", "run", "-q", "-p", "hub-predict", "--example", "windows", "--", str(manifest_folder)]
    raw = subprocess.run(command, input="\n".join(spec).encode(), stdout=subprocess.PIPE, check=True, cwd=ROOT).stdout
    return np.frombuffer(raw, "<f4").reshape(-1, features, steps)


def train(data: np.ndarray, batches: int, seed: int = 0) -> tuple[Autoencoder, np.ndarray]:
    """Returns the network and the total error of every training window."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    network = Autoencoder(data.shape[1], data.shape[2])
    optimiser = torch.optim.Adam(network.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, batches)
    every = torch.tensor(data.copy())
    generator = torch.Generator().manual_seed(seed)
    for _ in range(batches):
        batch = every[torch.randint(0, len(every), (128,), generator=generator)]
        loss = network(batch).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    network.eval()
    with torch.no_grad():
        return network, network(every).sum(dim=1).sqrt().numpy()


def export(network: Autoencoder, folder: Path, features: int, steps: int) -> None:
    """Writes model.onnx and golden.jsonl. The old exporter and opset 17, because tract reads those."""
    example = torch.zeros(1, features, steps)
    torch.onnx.export(
        network, (example,), str(folder / "model.onnx"), dynamo=False, opset_version=17,
        input_names=["window"], output_names=["errors"], dynamic_axes={"window": {0: "N"}, "errors": {0: "N"}},
    )
    generator = np.random.default_rng(7)
    step = np.zeros((features, steps), np.float32)
    step[0, steps // 2 :] = 4.0
    wave = np.sin(np.arange(steps) / 5.0)[None, :] * np.linspace(-2, 2, features)[:, None]
    golden = {
        "nothing deviates": np.zeros((features, steps)),
        "noise": generator.normal(size=(features, steps)),
        "first feature steps up": step,
        "waves": wave,
        "last feature drifts": np.vstack([np.zeros((features - 1, steps)), np.linspace(0, -8, steps)[None, :]]),
    }
    with open(folder / "golden.jsonl", "w") as file, torch.no_grad():
        for name, window in golden.items():
            window = window.astype(np.float32).round(4)
            errors = network(torch.tensor(window)[None])[0].numpy()
            line = {"name": name, "window": window.tolist(), "errors": errors.tolist()}
            for key in ("window", "errors"):
                line[key] = json.loads(json.dumps(line[key]), parse_float=lambda text: float(f"{float(text):.7g}"))
            file.write(json.dumps(line, separators=(",", ":")) + "\n")
