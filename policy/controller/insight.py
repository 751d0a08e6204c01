"""What happens inside a controller at one moment, as plain arrays: features, attention and the chunk."""

from dataclasses import dataclass

import numpy as np

from policy.controller.predictor import Predictor
from policy.controller.views import mask_picture


@dataclass(frozen=True, eq=False)
class Insight:
    """One moment.

    head: (rows, columns, channels) float32, features of the head view; wrist: (n, channels) of the wrist view;
    attention: (rows, columns) where in the head view the actions looked, sums to 1; head_share: of all attention that
    the head view gets; mask: (rows, columns) in 0..1, how much of each cell the target covers; chunk: (horizon, 13).
    """

    head: np.ndarray
    wrist: np.ndarray
    attention: np.ndarray
    head_share: float
    mask: np.ndarray
    chunk: np.ndarray

    @property
    def on_target(self) -> float:
        """Share of the head view's attention that falls on cells that the target touches."""
        return float(self.attention[self.mask > 0].sum())


def insight(
    predictor: Predictor, head: np.ndarray, wrist: np.ndarray, mask: np.ndarray, state: np.ndarray, seed: int
) -> Insight:
    """The first moment of an attempt. head, wrist (H, W, 3) uint8 RGB; mask (H, W) uint8; state (13,)."""
    predictor.begin(head, mask)
    chunk, attention = predictor.predict_with_attention(head, wrist, mask, state, seed)
    seen = predictor.inputs(head, wrist, mask, state)
    rows, columns = attention.maps["head"].shape[-2:]
    config = predictor.config
    covered = mask_picture(mask, config.head, antialias=config.antialias)[0].numpy()
    cells = covered.reshape(rows, covered.shape[0] // rows, columns, covered.shape[1] // columns).mean((1, 3))
    return Insight(
        head=seen["head"][0].float().cpu().numpy().reshape(rows, columns, -1),
        wrist=seen["wrist"][0].float().cpu().numpy(),
        attention=attention.over_actions()["head"][0].cpu().numpy(),
        head_share=float(attention.shares["head"][0].mean()),
        mask=cells,
        chunk=chunk,
    )
