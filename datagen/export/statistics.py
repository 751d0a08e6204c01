"""Statistics of features as LeRobot keeps them, for each episode and for the whole, so that policies can normalise."""

from collections.abc import Sequence

import numpy as np

Stats = dict[str, np.ndarray]

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
FRAMES_SAMPLED, PIXEL_STRIDE = 10, 4


def of_rows(values: np.ndarray) -> Stats:
    """Per column of values (T, D); a (T,) array counts as one column. Each entry has shape (D,), count (1,)."""
    rows = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    stats = {"min": rows.min(0), "max": rows.max(0), "mean": rows.mean(0), "std": rows.std(0)}
    stats |= {name: np.quantile(rows, q, axis=0) for name, q in QUANTILES.items()}
    return stats | {"count": np.array([len(rows)])}


def of_pictures(frames: np.ndarray) -> Stats:
    """Per channel of frames (T, H, W, 3) uint8, scaled to [0, 1]: shape (3, 1, 1), from a sample of the pixels."""
    chosen = np.unique(np.linspace(0, len(frames) - 1, FRAMES_SAMPLED).round().astype(int))
    pixels = frames[chosen][:, ::PIXEL_STRIDE, ::PIXEL_STRIDE].reshape(-1, frames.shape[-1])
    stats = {name: (values / 255.0).reshape(-1, 1, 1) for name, values in of_rows(pixels).items() if name != "count"}
    return stats | {"count": np.array([len(chosen)])}


def together(parts: Sequence[Stats]) -> Stats:
    """Of all episodes: exact but for the quantiles, which are means weighted by length, as LeRobot joins them."""
    counts = np.array([part["count"][0] for part in parts], dtype=np.float64)
    weights = counts / counts.sum()

    def weighted(values: Sequence[np.ndarray]) -> np.ndarray:
        return np.tensordot(weights, np.stack(values), axes=1)

    mean = weighted([part["mean"] for part in parts])
    variance = weighted([part["std"] ** 2 + (part["mean"] - mean) ** 2 for part in parts])
    whole = {
        "min": np.min([part["min"] for part in parts], axis=0),
        "max": np.max([part["max"] for part in parts], axis=0),
        "mean": mean,
        "std": np.sqrt(variance),
    }
    whole |= {name: weighted([part[name] for part in parts]) for name in QUANTILES}
    return whole | {"count": np.array([int(counts.sum())])}
