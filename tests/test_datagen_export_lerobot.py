"""The LeRobot export: every table, number and frame of the v3.0 layout, held to what its own reader needs."""

import json
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest

from datagen.export import lerobot, statistics
from datagen.export.__main__ import main
from datagen.export.lerobot import export_lerobot
from datagen.export.source import ExportError, Source
from datagen.export.video import VideoWriter
from datagen.storage import DemoFile
from envs import spec
from tests.demo_factory import write_demos

pq = pytest.importorskip("pyarrow.parquet", reason="the LeRobot export is an extra: pip install 'dexclutter[export]'")

LENGTHS = (9, 4, 6)
CAMERAS = ("head", "wrist", "mask")
COPIED = {"action": "actions", "next.reward": "rewards", "next.done": "dones", "phase": "phases"}


@pytest.fixture(scope="module")
def demos(tmp_path_factory):
    path = tmp_path_factory.mktemp("lerobot") / "demos.h5"
    write_demos(path, LENGTHS)
    return path


@pytest.fixture(scope="module")
def stored(demos):
    file = DemoFile(demos)
    return [file.read(name) for name in file.names()]


@pytest.fixture(scope="module")
def out(demos, tmp_path_factory):
    """An export with two episodes in the first video files and one in the second."""
    folder = tmp_path_factory.mktemp("lerobot") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lerobot, "FRAMES_PER_VIDEO", LENGTHS[0] + LENGTHS[1])
        summary = export_lerobot(Source.open(demos), folder)
    assert (summary.episodes, summary.frames, summary.tasks) == (3, 19, 2)
    return folder


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def frames_of(path):
    """All frames (T, 48, 64, 3) uint8 of a video, and what ffmpeg says of it."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, 48, 64, 3), done.stderr.decode()


def test_info_describes_the_dataset(out):
    info = read_json(out / "meta/info.json")
    assert info["codebase_version"] == "v3.0"
    assert (info["total_episodes"], info["total_frames"], info["total_tasks"], info["fps"]) == (3, 19, 2, 20)
    assert info["splits"] == {"train": "0:3"}
    features = info["features"]
    for key in ("observation.state", "action"):
        assert (features[key]["dtype"], features[key]["shape"]) == ("float32", [13])
        assert features[key]["names"] == list(spec.ACTION_NAMES)
        assert len(features[key]["info"]["unit"]) == len(features[key]["info"]["scale"]) == 13
    assert "commanded" in features["action"]["info"]["meaning"]
    assert "measured" in features["observation.state"]["info"]["meaning"]
    for camera in CAMERAS:
        feature = features[f"observation.images.{camera}"]
        assert (feature["dtype"], feature["shape"]) == ("video", [48, 64, 3])
        assert feature["names"] == ["height", "width", "channels"]
        assert feature["info"]["video.fps"] == 20
    for key in ("timestamp", "frame_index", "episode_index", "index", "task_index"):
        assert features[key]["shape"] == [1]
    assert not any("/" in key for key in features)


def test_rows_are_those_of_the_demonstrations(out, stored):
    table = pq.read_table(out / "data/chunk-000/file-000.parquet")
    info = read_json(out / "meta/info.json")
    in_rows = {key for key, feature in info["features"].items() if feature["dtype"] != "video"}
    assert set(table.column_names) == in_rows
    column = {name: np.array(table[name].to_pylist()) for name in table.column_names}
    for key, wanted in COPIED.items():
        np.testing.assert_array_equal(column[key], np.concatenate([getattr(demo, wanted) for demo in stored]))
    np.testing.assert_array_equal(column["observation.state"], np.concatenate([d.obs["state"] for d in stored]))
    steps = np.concatenate([np.arange(n) for n in LENGTHS])
    np.testing.assert_array_equal(column["frame_index"], steps)
    np.testing.assert_allclose(column["timestamp"], steps / 20, atol=1e-7)
    np.testing.assert_array_equal(column["index"], np.arange(19))
    np.testing.assert_array_equal(column["episode_index"], np.repeat([0, 1, 2], LENGTHS))
    np.testing.assert_array_equal(column["task_index"], np.repeat([0, 1, 0], LENGTHS))
    types = {name: str(table.schema.field(name).type) for name in ("timestamp", "index", "next.done")}
    assert types == {"timestamp": "float", "index": "int64", "next.done": "bool"}
    assert table.schema.field("action").type.list_size == 13


def test_tasks_are_the_instructions_in_the_index_of_the_table(out, stored):
    table = pq.read_table(out / "meta/tasks.parquet")
    about = json.loads(table.schema.metadata[b"pandas"])
    (index,) = about["index_columns"]
    assert table[index].to_pylist() == [stored[0].instruction, stored[1].instruction]
    assert table["task_index"].to_pylist() == [0, 1]
    facts = read_json(out / "meta/dexclutter.json")
    assert [episode["demo"] for episode in facts["episodes"]] == ["demo_0", "demo_10", "demo_20"]
    assert facts["actions"]["names"] == list(spec.ACTION_NAMES)


def test_episodes_say_where_their_rows_and_frames_lie(out, stored):
    episodes = pq.read_table(out / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    ends = np.cumsum(LENGTHS).tolist()
    assert [e["dataset_to_index"] for e in episodes] == ends
    assert [e["dataset_from_index"] for e in episodes] == [0, *ends[:-1]]
    assert [e["length"] for e in episodes] == list(LENGTHS)
    assert [e["tasks"] for e in episodes] == [[demo.instruction] for demo in stored]
    for camera in CAMERAS:
        key = f"videos/observation.images.{camera}"
        assert [e[f"{key}/file_index"] for e in episodes] == [0, 0, 1]
        np.testing.assert_allclose([e[f"{key}/from_timestamp"] for e in episodes], [0, 9 / 20, 0])
        np.testing.assert_allclose([e[f"{key}/to_timestamp"] for e in episodes], [9 / 20, 13 / 20, 6 / 20])
    assert {len(e["stats/action/mean"]) for e in episodes} == {13}
    assert np.shape(episodes[0]["stats/observation.images.head/q01"]) == (3, 1, 1)


@pytest.mark.parametrize("camera", CAMERAS)
def test_videos_show_the_frames(out, stored, camera):
    folder = out / f"videos/observation.images.{camera}/chunk-000"
    decoded = [frames_of(folder / f"file-00{i}.mp4") for i in (0, 1)]
    assert [len(frames) for frames, _ in decoded] == [13, 6]
    assert all("Video: h264" in about and " 20 fps" in about for _, about in decoded)
    shown = np.concatenate([frames for frames, _ in decoded])
    wanted = np.concatenate([demo.obs[camera] for demo in stored])
    if camera == "mask":
        np.testing.assert_array_equal(shown > 127, np.repeat(wanted[..., None] == 1, 3, axis=-1))
        assert set(np.unique(shown)) == {0, 255}
    else:
        error = np.mean((shown.astype(float) - wanted) ** 2, axis=(1, 2, 3))
        assert error.max() < 255**2 / 10**3  # 30 dB
        # Frames are in their places: each fits its own picture better than that of any step with another picture.
        for step in (0, 8, 12):
            others = np.mean((shown[step].astype(float) - wanted) ** 2, axis=(1, 2, 3))
            assert others[step] == others.min()


def test_statistics_are_those_of_all_rows(out, stored):
    stats = read_json(out / "meta/stats.json")
    rows = np.concatenate([demo.actions for demo in stored]).astype(np.float64)
    np.testing.assert_allclose(stats["action"]["mean"], rows.mean(0), atol=1e-9)
    np.testing.assert_allclose(stats["action"]["std"], rows.std(0), atol=1e-9)
    np.testing.assert_array_equal(stats["action"]["min"], rows.min(0))
    np.testing.assert_array_equal(stats["action"]["max"], rows.max(0))
    assert stats["action"]["count"] == [19]
    assert stats["frame_index"]["max"] == [8.0]
    head = stats["observation.images.head"]
    assert set(head) == {"min", "max", "mean", "std", "count", *statistics.QUANTILES}
    assert np.shape(head["mean"]) == (3, 1, 1)
    assert 0 < np.min(head["mean"]) < np.max(head["mean"]) < 1
    assert set(stats) == set(read_json(out / "meta/info.json")["features"])


def test_quantiles_of_one_part_are_exact():
    rows = np.linspace(0, 1, 101)
    stats = statistics.together([statistics.of_rows(rows)])
    for name, q in statistics.QUANTILES.items():
        np.testing.assert_allclose(stats[name], [q], atol=1e-12)


def test_av1_and_no_mask_are_choices(demos, tmp_path):
    out = tmp_path / "out"
    export_lerobot(Source.open(demos, "valid"), out, codec="av1", mask=False)
    assert sorted(path.name for path in (out / "videos").iterdir()) == [
        "observation.images.head", "observation.images.wrist",
    ]  # fmt: skip
    frames, about = frames_of(out / "videos/observation.images.head/chunk-000/file-000.mp4")
    assert len(frames) == 4
    assert "Video: av1" in about
    assert read_json(out / "meta/info.json")["features"]["observation.images.head"]["info"]["video.codec"] == "av1"
    with pytest.raises(ExportError, match="h264 or av1"):
        export_lerobot(Source.open(demos), tmp_path / "no", codec="gif")


def test_the_same_demonstrations_give_the_same_bytes(demos, tmp_path):
    for name in ("a", "b"):
        export_lerobot(Source.open(demos, "train"), tmp_path / name)
    a, b = (
        {p.relative_to(tmp_path / n): p.read_bytes() for p in (tmp_path / n).rglob("*") if p.is_file()} for n in "ab"
    )
    assert a == b
    assert len(a) == 9


def test_an_export_that_fails_leaves_nothing_under_the_name(demos, tmp_path):
    out = tmp_path / "out"

    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_lerobot(Source.open(demos), out, progress=stop)
    assert not out.exists()
    export_lerobot(Source.open(demos), out)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    with pytest.raises(ExportError, match="is there already"):
        export_lerobot(Source.open(demos), out)


def test_a_video_that_cannot_be_made_says_why(tmp_path):
    with pytest.raises(ExportError, match="even width and height, the pictures are 63 x 48"):
        VideoWriter(tmp_path / "a.mp4", (63, 48), 20)
    with pytest.raises(ExportError, match="unknown video codec 'gif'"):
        VideoWriter(tmp_path / "a.mp4", (64, 48), 20, "gif")
    writer = VideoWriter(tmp_path / "a.mp4", (64, 48), 20)
    with pytest.raises(ExportError, match="shape"):
        writer.write(np.zeros((1, 2, 2, 3), np.uint8))
    writer.abandon()
    (tmp_path / "folder.mp4").mkdir()
    writer = VideoWriter(tmp_path / "folder.mp4", (64, 48), 20)
    try:
        with pytest.raises(ExportError, match="ffmpeg ended with"):
            writer.write(np.zeros((1000, 48, 64, 3), np.uint8))
    finally:
        writer.abandon()


def test_the_command_writes_and_says_what_is_wrong(demos, tmp_path, capsys):
    assert main(["lerobot", str(demos), str(tmp_path / "out"), "--subset", "valid", "--no-mask"]) == 0
    assert "1 episodes, 4 frames, 1 tasks" in capsys.readouterr().out
    assert main(["lerobot", str(demos), str(tmp_path / "out")]) == 2
    assert "is there already" in capsys.readouterr().err
