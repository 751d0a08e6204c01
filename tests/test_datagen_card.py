"""The dataset card: its numbers are those of the file, its page needs nothing else and is well formed."""

import base64
import io
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import fake_demos
import numpy as np
import pytest
from PIL import Image

from datagen import card, charts, panels
from datagen.examine import examine
from datagen.findings import BINS, INVARIANTS, Finding
from envs import spec
from envs.episode import TARGET_X, TARGET_Y

VOID = {"meta", "img", "br"}


class Reader(HTMLParser):
    """Keeps tags balanced, collects addresses and text."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.addresses, self.words = [], set(), [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return examine(fake_demos.shared(tmp_path_factory), sample=2)


@pytest.fixture(scope="module")
def written(result, tmp_path_factory):
    out = tmp_path_factory.mktemp("card") / "card.md"
    page = card.write_card(result, out)
    return out.read_text(), page.read_text()


def read(page):
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_the_page_is_well_formed_and_needs_nothing_else(written):
    reader = read(written[1])
    assert not reader.tags & {"script", "link", "iframe"}
    assert len(reader.addresses) == 12
    assert all(address.startswith("data:image/png;base64,") for address in reader.addresses)
    assert not re.findall(r"url\(|@import|https?://", written[1])
    assert len(written[1]) < 1_000_000


def test_the_contact_sheet_shows_the_recorded_frames_with_the_mask_outlined(result, written):
    pictures = read(written[1]).addresses
    data = base64.b64decode(pictures[0].split(",")[1])
    shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert shown.shape == (180, 240, 3)
    line = (shown == panels.MASK_COLOUR).all(axis=-1)
    mask = panels.shrunk(result.shots[0].pictures[0][2], card.SHEET_WIDTH)
    np.testing.assert_array_equal(line, panels.outline(mask))
    wrist = np.asarray(Image.open(io.BytesIO(base64.b64decode(pictures[4].split(",")[1]))).convert("RGB"))
    assert not (wrist == panels.MASK_COLOUR).all(axis=-1).any()


def test_both_cards_name_every_invariant_family_joint_and_dimension(result, written):
    for text in written:
        for word in (*INVARIANTS, *spec.ACTION_NAMES, *(row.attributes["family"] for row in result.rows)):
            assert word in text
        assert "FAIL" not in text
        assert ">fail<" not in text


def test_numbers_are_those_of_the_file(result):
    said = card.contents(result)
    steps = [row.steps for row in result.rows]
    assert said["demos"] == 2
    assert (said["steps"][0], said["steps"][2]) == (min(steps), max(steps))
    assert [c.count for c in said["outcomes"]] == [2]
    assert dict(said["facts"])["steps"].startswith(f"{sum(steps)} at 20 Hz")
    assert sum(row.action_counts.sum() for row in result.rows) == sum(steps) * spec.ACTION_DIM
    assert result.rows[0].action_counts.shape == (spec.ACTION_DIM, BINS)
    fastest = max(row.motion.speed[3] for row in result.rows)
    assert said["joints"][3].speed[1] == pytest.approx(fastest)
    assert said["joints"][3].speed_limit == 3.14


def test_findings_are_shown_with_their_demonstration_and_escaped(result, tmp_path):
    failed = replace(
        result, findings=[Finding("limits", f"demo_{i}", "action <b> is | 1.5") for i in range(card.FINDINGS_SHOWN + 3)]
    )
    out = tmp_path / "card.md"
    page = card.write_card(failed, out).read_text()
    assert "Audit: **FAIL**" in out.read_text()
    assert "| limits | **FAIL** |" in out.read_text()
    assert "`demo_0`: action <b> is | 1.5" in out.read_text()
    words = " ".join(read(page).words)
    assert "action <b> is | 1.5" in words
    assert "and 3 more" in words
    assert f"demo_{card.FINDINGS_SHOWN}" not in words


def test_an_invariant_that_was_not_looked_at_is_no_pass(result):
    unseen = replace(result, checked=Counter({**result.checked, "frames": 0}))
    states = {v.name: v.state for v in card.verdicts(unseen)}
    assert states["frames"] == "not looked at"
    assert states["limits"] == "pass"


@pytest.mark.parametrize(
    ("policy", "words"), [("expert", "by a scripted expert in"), ("runs/a|b", "by policy runs/a|b in")]
)
def test_both_cards_say_who_acted(result, tmp_path, policy, words):
    page = card.write_card(replace(result, policy=policy), tmp_path / "card.md")
    assert words in page.read_text()
    assert words in (tmp_path / "card.md").read_text()


def test_an_empty_file_has_a_card_too(result, tmp_path):
    empty = replace(result, rows=[], shots=[], pictures={})
    page = card.write_card(empty, tmp_path / "card.md").read_text()
    assert "0 demonstrations" in page
    read(page)


def test_coverage_counts_cells_of_the_area_in_which_targets_are_placed(result):
    cells, covered = card.coverage(result)
    assert cells.shape == (4, 8)
    assert cells.sum() == 2
    corner = replace(result.rows[0], target_xy=(TARGET_X[0] + 0.001, TARGET_Y[1] - 0.001))
    cells, covered = card.coverage(replace(result, rows=[corner, corner]))
    assert (covered, cells[0, 7]) == (1, 2)


def test_counts_are_ordered_by_size_or_by_name():
    assert [(c.name, c.count, c.share) for c in card.counted("abbc")] == [("b", 2, 100), ("a", 1, 50), ("c", 1, 50)]
    assert [c.name for c in card.counted("cab", by_name=True)] == ["a", "b", "c"]


def test_a_histogram_draws_a_bar_for_each_count():
    drawn = str(charts.histogram([0, 2, 4], (-1, 1), "x < y", 90, 60))
    heights = [float(h) for h in re.findall(r'height="([\d.]+)" fill="var\(--accent\)"', drawn)]
    assert len(heights) == 2
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.02)
    assert "x &lt; y" in drawn
    read(drawn)


def test_the_map_shows_the_robots_left_at_the_left_and_far_at_the_top():
    points = np.array([[0.6, 0.1], [0.4, -0.4]])  # far left, near right
    drawn = str(
        charts.table_map(points, (0.36, 0.64), (-0.46, 0.16), (TARGET_X, TARGET_Y), np.zeros((4, 8), int), 0.05)
    )
    (x1, y1), (x2, y2) = ((float(a), float(b)) for a, b in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', drawn))
    assert x1 < x2
    assert y1 < y2
    read(drawn)


def test_markdown_has_a_header_that_a_hub_reads(written):
    head = written[0].split("---")[1]
    assert "pretty_name: easy_demos.h5" in head
    assert "size_categories:\n- n<1K" in head
    assert not re.search(r"\n{4,}", written[0])
