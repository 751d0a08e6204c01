"""Contact sheets: every part is drawn, every tile shows something."""

import numpy as np
import pytest
from PIL import Image

from assets import gallery, photo
from assets.objects.library import SEEN, UNSEEN
from assets.robots.hands import HANDS

SMALL = (48, 36)


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    for name in ("OBJECT_PX", "HAND_PX", "VIEW_PX"):
        monkeypatch.setattr(gallery, name, SMALL)


def assert_shows_something(tiles):
    for picture, lines in tiles:
        assert picture.shape == (SMALL[1], SMALL[0], 3), lines
        assert picture.dtype == np.uint8
        assert picture.std() > 2, lines
        assert all(lines), lines


def test_objects_are_drawn_large_and_named():
    ids = [SEEN[0], SEEN[-1], UNSEEN[0], UNSEEN[-1]]
    tiles = gallery.object_tiles(ids)
    assert_shows_something(tiles)
    assert [lines[0] for _, lines in tiles] == ids
    for picture, lines in tiles:
        table = np.median(picture.reshape(-1, 3), axis=0)
        share = (np.abs(picture - table).max(axis=-1) > 10).mean()
        assert 0.04 < share < 0.6, lines


def test_every_hand_is_drawn_in_every_pose():
    tiles = gallery.hand_tiles()
    assert_shows_something(tiles)
    assert len(tiles) == len(HANDS) * len(gallery.HAND_POSES) * len(gallery.HAND_VIEWS)
    by_name = {lines[0]: picture.astype(int) for picture, lines in tiles}
    for hand in HANDS:
        assert np.abs(by_name[f"{hand}, open, palm"] - by_name[f"{hand}, closed, palm"]).mean() > 1


def test_station_is_drawn_from_every_camera_in_every_pose():
    tiles = gallery.station_tiles("g0r", SMALL)
    assert_shows_something(tiles)
    assert len(tiles) == len(gallery.ROBOT_POSES) * len(gallery.CAMERAS)
    assert len({picture.tobytes() for picture, _ in tiles}) == len(tiles)


def test_sheets_cover_the_library(monkeypatch):
    asked = []
    monkeypatch.setattr(gallery, "object_tiles", lambda ids: asked.extend(ids) or list(ids))
    names = [name for name, _, _ in gallery.sheets_of_objects()]
    assert asked == [*SEEN, *UNSEEN]
    assert len(set(names)) == len(names)


def test_command_writes_the_sheets(tmp_path, monkeypatch, capsys):
    tiles = [(np.full((10, 20, 3), 9, np.uint8), ("a", "b"))] * 3
    monkeypatch.setattr(gallery, "PARTS", {"hands": lambda: iter([("hands", tiles, 2)])})
    written = gallery.main(gallery.Options(out=tmp_path / "new", only=("hands",)))
    assert [path.name for path in written] == ["hands.png"]
    # The console may break a long path anywhere.
    assert "hands.png:3tiles" in "".join(capsys.readouterr().out.split())
    with Image.open(written[0]) as sheet:
        assert sheet.width > 2 * 20
        assert sheet.height > 2 * 10


def test_sheet_places_tiles_in_rows_and_writes_captions():
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    tiles = [
        (np.full((30, 40, 3), colour, np.uint8), ("a long caption that does not fit at all",)) for colour in colours
    ]
    sheet = np.array(photo.contact_sheet(tiles, 2, "three"))
    centers = [np.argwhere((sheet == colour).all(axis=-1)).mean(axis=0) for colour in colours]
    assert centers[0][0] == centers[1][0] < centers[2][0]
    assert centers[0][1] == centers[2][1] < centers[1][1]
    blank = np.array(photo.contact_sheet([(p, ("",)) for p, _ in tiles], 2, "three"))
    assert (sheet != blank).any()
    x = int(centers[1][1]) + 20
    assert (sheet[:, x + 1 :] == blank[:, x + 1 :]).all()  # a caption ends where its tile does


def test_an_empty_sheet_is_refused():
    with pytest.raises(ValueError, match="'nothing' has no tiles"):
        photo.contact_sheet([], 3, "nothing")
