"""One demonstration, ready to be looked at step by step: pictures, curves, words and the pose of every body."""

from collections.abc import Iterator
from dataclasses import dataclass

import mujoco
import numpy as np

from datagen import panels
from datagen.checks import layout_fault
from datagen.playback import Playback, PlaybackError, image_size
from datagen.recording import PICTURE_KEYS, Recording
from datagen.search import PHASES
from datagen.storage import StorageError
from envs import spec
from envs.interface import EpisodeError

DRAWN_SIZE = (320, 240)  # of pictures that were not recorded and are drawn from the states
CURVES_WIDTH = 480  # px at scale 1


@dataclass(frozen=True)
class Moment:
    """What one step shows. Pictures are (H, W, 3) uint8; poses (nbody, 7) are position and quaternion wxyz in world."""

    step: int
    head: np.ndarray
    wrist: np.ndarray
    overlay: np.ndarray
    curves: np.ndarray
    phase: str
    time_s: float
    poses: np.ndarray


@dataclass(frozen=True, eq=False)
class Shape:
    """A visual mesh of the scene: corner c of face f is vertex 3 f + c. Texture rows run upwards with v.

    vertices, normals (3 F, 3) in the body's frame; uv (3 F, 2); texture (H, W, 3) uint8 or None; rgba in [0, 1].
    """

    name: str
    body: int
    vertices: np.ndarray
    normals: np.ndarray
    uv: np.ndarray | None
    texture: np.ndarray | None
    rgba: tuple[float, float, float, float]


class Reel:
    """A demonstration from an open file, with everything that can be computed beforehand.

    Pictures are read as they are asked for; those that were not recorded are drawn here, once, from the states.
    Raises StorageError, which names file and demonstration, for one that is damaged.
    """

    def __init__(self, demo: Recording, hand: str, curves_width: int = CURVES_WIDTH, scale: int = 1) -> None:
        fault = layout_fault(demo.layout, demo.attributes["num_samples"])
        if fault:
            raise StorageError(f"{demo.path}, {demo.name}: {fault}")
        self.demo, self.steps = demo, demo.steps
        columns = demo.columns
        self._curves = panels.Curves(columns["actions"], columns["obs/state"], columns["phases"], curves_width, scale)
        self._drawn: dict[str, list[np.ndarray]] = {key: [] for key in PICTURE_KEYS if key not in demo.pictures}
        size = image_size(demo, demo.pictures[0]) if demo.pictures else DRAWN_SIZE
        try:
            with Playback(demo.spec, hand, size) as playback:
                self.model = playback.scene.model
                self.poses = np.stack([self._visit(playback, state) for state in demo.states])
        except (EpisodeError, PlaybackError) as fault:
            raise StorageError(f"{demo.path}, {demo.name}: {fault}") from fault

    def _visit(self, playback: Playback, state: np.ndarray) -> np.ndarray:
        playback.place(state)
        for key, drawn in self._drawn.items():
            drawn.append(playback.mask() if key == "mask" else playback.frame(key))
        return playback.body_poses()

    def picture(self, key: str, step: int) -> np.ndarray:
        """The "head" or "wrist" picture, or the "mask", of a step."""
        return self._drawn[key][step] if key in self._drawn else self.demo.picture(key, step)

    def moment(self, step: int) -> Moment:
        """What a step shows; steps outside the demonstration are moved to its ends."""
        step = min(max(int(step), 0), self.steps - 1)
        head = self.picture("head", step)
        return Moment(
            step=step,
            head=head,
            wrist=self.picture("wrist", step),
            overlay=panels.overlaid(head, self.picture("mask", step)),
            curves=self._curves.at(step),
            phase=phase_word(int(self.demo.columns["phases"][step])),
            time_s=step * spec.CONTROL_PERIOD_S,
            poses=self.poses[step],
        )

    def moves(self, body: int) -> bool:
        """True if a body changes its pose during the demonstration."""
        return bool(np.ptp(self.poses[:, body], axis=0).max() > 0)


def phase_word(phase: int) -> str:
    """The name of a phase; "" where nobody said which it was."""
    return PHASES[phase] if phase in range(len(PHASES)) else ""


def shapes(model: mujoco.MjModel) -> Iterator[Shape]:
    """Everything that cameras see of a scene: the meshes of the visual group. (All visual geoms here are meshes.)"""
    for geom in range(model.ngeom):
        if model.geom_group[geom] != spec.VISUAL_GROUP or model.geom_type[geom] != mujoco.mjtGeom.mjGEOM_MESH:
            continue
        mesh, material = model.geom_dataid[geom], model.geom_matid[geom]
        faces = slice(model.mesh_faceadr[mesh], model.mesh_faceadr[mesh] + model.mesh_facenum[mesh])
        turn = np.zeros(9)
        mujoco.mju_quat2Mat(turn, model.geom_quat[geom])
        turn = turn.reshape(3, 3)
        corners = model.mesh_vert[model.mesh_vertadr[mesh] + model.mesh_face[faces].ravel()]
        normals = model.mesh_normal[model.mesh_normaladr[mesh] + model.mesh_facenormal[faces].ravel()]
        texture = _texture(model, material)
        uv = None
        if texture is not None and model.mesh_texcoordadr[mesh] >= 0:
            first = model.mesh_texcoordadr[mesh]
            uv = model.mesh_texcoord[first + model.mesh_facetexcoord[faces].ravel()] * model.mat_texrepeat[material]
        rgba = model.mat_rgba[material] if material >= 0 else model.geom_rgba[geom]
        yield Shape(
            name=model.geom(geom).name or f"geom{geom}",
            body=int(model.geom_bodyid[geom]),
            vertices=corners @ turn.T + model.geom_pos[geom],
            normals=normals @ turn.T,
            uv=uv,
            texture=texture if uv is not None else None,
            rgba=tuple(float(v) for v in rgba),
        )


def _texture(model: mujoco.MjModel, material: int) -> np.ndarray | None:
    if material < 0:
        return None
    texture = model.mat_texid[material, mujoco.mjtTextureRole.mjTEXROLE_RGB]
    if texture < 0 or model.tex_type[texture] != mujoco.mjtTexture.mjTEXTURE_2D:
        return None
    height, width, channels = (int(a[texture]) for a in (model.tex_height, model.tex_width, model.tex_nchannel))
    first = model.tex_adr[texture]
    return model.tex_data[first : first + height * width * channels].reshape(height, width, channels)[..., :3].copy()
