"""The viewer in the browser: a viser server that shows one demonstration at a time. Needs the extra "viewer"."""

import threading
import time
from typing import Any, Self

import numpy as np
import trimesh
import viser
from PIL import Image

from assets.gl import RenderingError
from datagen import panels
from datagen.recording import Recordings, entries
from datagen.reel import Reel, Shape, shapes
from envs import spec
from envs.interface import DexClutterError

CAMERA_AT, CAMERA_TO = (1.25, -0.75, 0.75), (0.35, -0.12, 0.12)  # m, in world
PICTURES_WIDTH, CONTROLS_WIDTH = 300, 430  # px of the two panels
SPEEDS = ("0.25", "0.5", "1", "2")
JPEG_QUALITY = 90
AMBIENT, LAMP = 0.55, 0.7  # intensities
LAMPS = {"front": (1.5, -1.0, 2.0), "left": (0.5, 2.0, 2.0)}  # m, in world


class Browser:
    """Serves the viewer of an open file until it is closed. A context manager.

    It lists the demonstrations under their names, then the failures that are kept apart, marked with their outcome;
    `shown` is the label of the one that is shown.
    `demo`, `step`, `playing` and `speed` are the controls: setting their value does what moving them in the browser
    does. `head`, `wrist`, `overlay`, `curves`, `words` and `moment` are what is shown, of `reel` at `shown_step`.
    """

    def __init__(self, file: Recordings, demo: str, host: str, port: int) -> None:
        self.file, self.shown, self._lock = file, demo, threading.RLock()
        self._entries = entries(file)
        reel = Reel(self._entries[demo].read(), file.hand, scale=2)
        self._server = viser.ViserServer(host=host, port=port, label="DexClutter", verbose=False)
        self._bodies: dict[int, Any] = {}
        self._build(demo, reel)
        self._show_demo(reel)

    @property
    def port(self) -> int:
        """Where the server listens; another than asked for if that one was taken."""
        return self._server.get_port()

    def choose(self, label: str) -> None:
        """Show another demonstration from its start. A damaged one is reported in the browser and not shown."""
        with self._lock:
            try:
                reel = Reel(self._entries[label].read(), self.file.hand, scale=2)
            except (DexClutterError, RenderingError) as fault:
                self.words.content = f"**{label} cannot be shown**\n\n{fault}"
                return
            self.shown = label
            self._show_demo(reel)

    def show(self, step: int) -> None:
        """Show one step: pictures, curves and the scene."""
        with self._lock, self._server.atomic():
            now = self.reel.moment(step)
            self.head.image, self.wrist.image, self.overlay.image = map(_large, (now.head, now.wrist, now.overlay))
            self.curves.image = now.curves
            self.moment.content = f"**{now.time_s:.2f} s** of {self.reel.steps / spec.CONTROL_HZ:.2f} s · {now.phase}"
            for body, frame in self._bodies.items():
                frame.position, frame.wxyz = now.poses[body, :3], now.poses[body, 3:]
            self.shown_step = now.step

    def tick(self) -> float:
        """Move on by one step if it is playing; returns the seconds until the next tick."""
        if self.playing.value:
            self.step.value = (self.step.value + 1) % self.reel.steps
        return spec.CONTROL_PERIOD_S / float(self.speed.value)

    def run(self) -> None:
        """Serve until the process is interrupted."""
        while True:
            began = time.monotonic()
            wait = self.tick()
            time.sleep(max(0.0, wait - (time.monotonic() - began)))

    def frame_of(self, body: str) -> Any:
        """The scene node of a body that moves."""
        return self._bodies[self.reel.model.body(body).id]

    def close(self) -> None:
        """Stop serving."""
        self._server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _build(self, demo: str, reel: Reel) -> None:
        server, gui, now = self._server, self._server.gui, reel.moment(0)
        gui.configure_theme(show_logo=False, show_share_button=False, control_width="large")
        server.initial_camera.position, server.initial_camera.look_at = CAMERA_AT, CAMERA_TO
        server.scene.set_up_direction("+z")
        gui.main_panel.dock_right()
        gui.main_panel.set_width(CONTROLS_WIDTH)
        self.demo = gui.add_dropdown("demonstration", options=list(self._entries), initial_value=demo)
        self.words = gui.add_markdown("")
        self.step = gui.add_slider("step", min=0, max=max(reel.steps - 1, 1), step=1, initial_value=0)
        self.moment = gui.add_markdown("")
        self.playing = gui.add_checkbox("play", initial_value=False)
        self.speed = gui.add_dropdown("speed", options=SPEEDS, initial_value="1")
        self.curves = gui.add_image(now.curves, format="png")
        pictures = gui.add_panel()
        with pictures.add_tab("Pictures"):
            self.head = gui.add_image(_large(now.head), label="head", jpeg_quality=JPEG_QUALITY)
            self.wrist = gui.add_image(_large(now.wrist), label="wrist", jpeg_quality=JPEG_QUALITY)
            self.overlay = gui.add_image(_large(now.overlay), label="mask", jpeg_quality=JPEG_QUALITY)
        pictures.dock_left()
        pictures.set_width(PICTURES_WIDTH)
        self.step.on_update(lambda _: self._follow_step())
        self.demo.on_update(lambda _: self._follow_demo())

    # Callbacks run on many threads at once: each takes the control's value of the moment when its turn has come.

    def _follow_step(self) -> None:
        with self._lock:
            if self.step.value != self.shown_step:
                self.show(self.step.value)

    def _follow_demo(self) -> None:
        with self._lock:
            if self.demo.value != self.shown:
                self.choose(self.demo.value)

    def _light(self) -> None:
        scene = self._server.scene
        scene.configure_default_lights(enabled=False, cast_shadow=False)
        scene.add_light_ambient("/lights/everywhere", intensity=AMBIENT)
        for name, position in LAMPS.items():
            scene.add_light_directional(f"/lights/{name}", intensity=LAMP, position=position)

    def _show_demo(self, reel: Reel) -> None:
        self.reel = reel
        facts = reel.demo.attributes
        with self._server.atomic():
            self._server.scene.reset()
            self._light()
            self._bodies = {}
            for shape in shapes(reel.model):
                self._add(reel, shape)
            recovery = "" if facts["recovery"] == "none" else f" · recovery {facts['recovery']}"
            outcome = facts["outcome"] if facts["success"] else f"**failed: {facts['outcome']}**"
            self.words.content = f"**{facts['instruction']}**\n\n{facts['target']} · {outcome}{recovery}"
            self.step.max = max(reel.steps - 1, 1)
        self.step.value = 0
        self.show(0)

    def _add(self, reel: Reel, shape: Shape) -> None:
        scene, name = self._server.scene, f"/{reel.model.body(shape.body).name or 'world'}"
        if shape.body not in self._bodies:
            pose = reel.poses[0, shape.body]
            frame = scene.add_frame(name, show_axes=False, position=pose[:3], wxyz=pose[3:])
            if reel.moves(shape.body):
                self._bodies[shape.body] = frame
        scene.add_mesh_trimesh(f"{name}/{shape.name.replace('/', '_')}", mesh_of(shape), cast_shadow=False)


def _large(picture: np.ndarray) -> np.ndarray:
    """Small pictures would not fill their panel."""
    return picture if picture.shape[1] >= PICTURES_WIDTH else panels.resized(picture, PICTURES_WIDTH)


def mesh_of(shape: Shape) -> trimesh.Trimesh:
    """The shape as a mesh with its texture."""
    faces = np.arange(len(shape.vertices)).reshape(-1, 3)
    shown = np.array(shape.rgba)
    # A colour is meant as the screen shows it; materials count light, as which it is darker.
    linear = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    colour = np.append(linear[:3], shown[3])
    if shape.texture is None:
        material = trimesh.visual.material.PBRMaterial(baseColorFactor=colour)
        uv = np.zeros((len(shape.vertices), 2))
    else:
        # trimesh counts v from the lower edge of the picture, where MuJoCo's first row lies.
        picture = Image.fromarray(shape.texture[::-1].copy())
        material = trimesh.visual.material.PBRMaterial(baseColorTexture=picture, baseColorFactor=colour)
        uv = shape.uv
    material.metallicFactor, material.roughnessFactor = 0.0, 0.9
    return trimesh.Trimesh(
        shape.vertices,
        faces,
        vertex_normals=shape.normals,
        visual=trimesh.visual.TextureVisuals(uv=uv, material=material),
        process=False,
    )
