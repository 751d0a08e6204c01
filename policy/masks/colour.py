"""How likely a colour is for one thing or another: smoothed histograms over lightness and chroma."""

import cv2
import numpy as np

# Bins of lightness and of each chroma axis. Chroma bins are narrow near grey, where a white bottle and a white arm
# differ by a tint, and wide where colours are saturated and shading moves them.
_LIGHTNESS_BINS, _CHROMA_BINS = 16, 32
_LIGHTNESS_SIGMA, _CHROMA_SIGMA = 1.0, 0.8  # bins: what a turn under the lamp does to a surface
_FLOOR = 2e-5  # likelihood of a colour never seen; uniform over all bins would be 6e-5


def _chroma_bins() -> np.ndarray:
    signed = np.arcsinh((np.arange(256) - 128) / 12.0) / np.arcsinh(128 / 12.0)
    return np.clip((signed + 1) / 2 * _CHROMA_BINS, 0, _CHROMA_BINS - 1).astype(np.int32)


_LIGHTNESS = np.arange(256) * _LIGHTNESS_BINS // 256 * (_CHROMA_BINS * _CHROMA_BINS)
_LIGHTNESS = _LIGHTNESS.astype(np.int32)
_RED_GREEN = _chroma_bins() * _CHROMA_BINS
_YELLOW_BLUE = _chroma_bins()
BINS = _LIGHTNESS_BINS * _CHROMA_BINS * _CHROMA_BINS


def bins_of(rgb: np.ndarray) -> np.ndarray:
    """The histogram bin of every pixel: (..., 3) uint8 RGB with two leading axes -> int32."""
    lab = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2LAB)
    return _LIGHTNESS[lab[..., 0]] + _RED_GREEN[lab[..., 1]] + _YELLOW_BLUE[lab[..., 2]]


class ColourModel:
    """The colours of one thing, learned pixel by pixel. `log_likelihood`, (BINS,) float32, follows every `learn`."""

    def __init__(self) -> None:
        self._counts = np.zeros(BINS, np.float32)
        self.log_likelihood = np.full(BINS, np.log(_FLOOR), np.float32)

    def learn(self, bins: np.ndarray, keep: float = 1.0) -> None:
        """Add pixels, given by their bins (any shape); earlier ones count `keep` as much as before."""
        self._counts *= keep
        self._counts += np.bincount(bins.ravel(), minlength=BINS).astype(np.float32)
        cube = self._counts.reshape(_LIGHTNESS_BINS, _CHROMA_BINS, _CHROMA_BINS)
        smooth = _blurred(cube)
        self.log_likelihood = np.log(smooth.ravel() / max(float(smooth.sum()), 1.0) + _FLOOR)


def _blurred(cube: np.ndarray) -> np.ndarray:
    rows = cv2.GaussianBlur(
        cube.reshape(_LIGHTNESS_BINS, -1), (1, 5), sigmaX=1.0, sigmaY=_LIGHTNESS_SIGMA, borderType=cv2.BORDER_REPLICATE
    ).reshape(cube.shape)
    planes = np.ascontiguousarray(rows.transpose(1, 2, 0))
    planes = cv2.GaussianBlur(planes, (5, 5), _CHROMA_SIGMA, borderType=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(planes.transpose(2, 0, 1))


def neutral_bins() -> np.ndarray:
    """One bin for every shade of grey and its near neighbours: what a robot is painted like before it was seen."""
    lightness = np.arange(_LIGHTNESS_BINS)[:, None, None] * _CHROMA_BINS**2
    near = np.arange(_CHROMA_BINS // 2 - 1, _CHROMA_BINS // 2 + 1)
    return (lightness + near[:, None] * _CHROMA_BINS + near).ravel().astype(np.int32)
