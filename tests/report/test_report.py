"""The page and the figures of a results folder, looked at in a real browser."""

import html
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from lab.core.errors import FaultError
from lab.core.escape import markdown
from lab.evaluation.measures import Metric
from lab.report.by_history import line_queries, quartiles
from lab.report.comparison_rows import heads
from lab.report.contents import Contents, read_contents
from lab.report.curves import shifted_places
from lab.report.figures import figure_specs
from lab.report.forest import forest, leaders, leads
from lab.report.from_tables import ABSENT
from lab.report.learning import learning
from lab.report.means import interval, over_horizons, row_by_row
from lab.report.panels import WIDTH, panel_each
from lab.report.reliability import pooled_bins
from lab.report.style import line_style, style
from lab.report.write import write_report
from lab.results.conclusions import SURE, number
from lab.results.line import Line
from lab.results.store import Store
from lab.results.tables import write_tables
from lab.targets import NextItem
from tests.results.made import BINS, evaluation, metrics, record, same_everywhere, users

ROOT = Path(__file__).parents[2]
HOSTILE = "<script>document.title = 'taken'</script>"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


"""Two bins of predicted shares in each slice."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models and a baseline at two horizons, with a hostile name, and with cells that are not done."""
    root = tmp_path_factory.mktemp("report") / "made"
    store, planned = Store(root), []
    curve = {"step": np.array([10, 20]), "valid_loss": np.array([3.0, 2.5])}
    for horizon in (7.0, 30.0):
        for model, value in (("lstm", 0.3), ("transformer", 0.35), (HOSTILE, 0.2)):
            for seed in range(2):
                cell = record(f"{model[:4].strip('<')}-{horizon:g}-{seed}", model=model, horizon=horizon, seed=seed)
                table = same_everywhere(value, noise=0.2, seed=seed)
                table |= {"history": np.tile(np.arange(3, 23, dtype=np.int32), 3)}
                if cell.id == "lstm-30-0":
                    cell = replace(cell, status="failed", reason=f"out of memory {HOSTILE}")
                    store.write(cell)
                elif cell.id != "lstm-30-1":
                    left = evaluation(table, reliability=BINS)
                    store.write(replace(cell, metrics=metrics(table)), judged=left, curve=curve)
                planned.append(replace(cell, status="missing"))
    write_tables(store, planned)
    write_report(root)
    return root


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium is on the PATH; install the system's to look at the page")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


def opened(browser: Any, folder: Path, width: int, scheme: str = "light") -> tuple[Any, list[str], list[str]]:
    """The page, what it said and what it asked for."""
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((folder / "report.html").as_uri())
    return page, said, asked


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows_complains_or_leaves_the_file(browser: Any, folder: Path, width: int, scheme: str) -> None:
    page, said, asked = opened(browser, folder, width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in asked if url.startswith("file:")]) == 1
    assert page.title() == "made"  # a name ran no script


@pytest.mark.parametrize("way", ["click", "keyboard"])
def test_a_heading_sorts_the_table(browser: Any, folder: Path, way: str) -> None:
    page, said, _ = opened(browser, folder, 1280)
    head = page.locator("table.sortable").first.locator("th button").nth(4)
    values = "[...document.querySelector('table.sortable').tBodies[0].rows].map(row => row.cells[4].dataset.value)"
    for sign in (-1, 1):
        if way == "click":
            head.click()
        else:
            head.focus()
            page.keyboard.press("Enter")
        got = [float(value) for value in page.evaluate(values) if value]
        assert got == sorted(got, key=lambda value: sign * value)
        assert len(got) == 5
        assert page.evaluate(values)[-1] == ""  # a line without a number stays below
    assert said == []


def test_cells_that_are_not_done_are_shown_and_names_escaped(folder: Path) -> None:
    text = (folder / "report.html").read_text("utf-8")
    assert HOSTILE not in text
    assert "&lt;script&gt;" in text
    assert "lstm-30-0" in text and "out of memory" in text and "1 failed, 1 missing" in text


def test_every_figure_is_there_twice_and_has_the_same_bytes_again(folder: Path) -> None:
    names = {"ablation", "comparisons", "history", "horizon", "learning", "novel", "reliability"}
    before = {path.name: path.read_bytes() for path in (folder / "figures").iterdir()}
    assert set(before) == {f"{name}.{kind}" for name in names for kind in ("svg", "png")}
    (folder / "figures" / "calibration.svg").write_text("of cells that are no more")
    page = write_report(folder).read_bytes()
    assert {path.name: path.read_bytes() for path in (folder / "figures").iterdir()} == before
    assert write_report(folder).read_bytes() == page


def test_the_answer_is_that_of_the_table(browser: Any, folder: Path) -> None:
    page, _, _ = opened(browser, folder, 1280)
    said = page.locator("#answer + ul li").all_inner_texts()
    assert len(said) == 4 and said[0].startswith("Next 7 days: transformer · full ")
    assert said[2] == "Left out here, since not all of its cells are done: lstm · full (30 days)."
    text = (folder / "summary.md").read_text("utf-8")
    assert all(markdown(one) in text for one in said)


def test_the_forest_is_of_each_horizon_s_leader(folder: Path) -> None:
    contents = read_contents(folder)
    leading = leaders(contents)
    assert {place: line.name for place, line in leading.items()} == {
        ("interest", 7.0): "transformer · full",
        ("interest", 30.0): "transformer · full",
    }
    rows = leads(contents, leading["interest", 7.0])
    assert [(row.a, row.b) for row in rows] == [
        ("transformer · full", name) for name in ("lstm · full", f"{HOSTILE} · full")
    ]
    assert 0 < rows[0].difference < rows[1].difference
    # The lstm has no cell that is done there.
    assert [row.b for row in leads(contents, leading["interest", 30.0])] == [f"{HOSTILE} · full"]


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (3, 1, 3), (5, 2, 3)])
def test_every_horizon_has_a_panel(count: int, rows: int, columns: int) -> None:
    figure, places = panel_each([("interest", float(h)) for h in range(count, 0, -1)] * 2, 3.0)
    assert len(figure.axes) == len(places) == count  # and no empty one is left
    grid = figure.axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == (rows, columns)
    titles = [panel.get_title() for panel in places.values()]
    assert (
        titles[0] == "next 1 day"
        and figure.get_figwidth() == WIDTH
        and titles[1:] == [f"next {h} days" for h in range(2, count + 1)]
    )


def test_quarters_of_the_queries_are_told_by_the_events_known(folder: Path) -> None:
    contents = read_contents(folder)
    line = next(one for one in contents.lines if one.name == "transformer · full")
    one = line_queries(contents, line)
    assert one is not None and one.history.tolist() == list(range(3, 23))
    edges = quartiles(one.history)
    assert edges == [3, 8, 13, 18, 23]  # five queries each
    tables = [contents.store.users(cell.id) for cell in line.cells]
    wanted = np.mean([table["ndcg@10"][table["slice"] == "all"][:5] for table in tables])
    within = one.within(3, 8)
    assert within is not None and np.isclose(within.mean, wanted) and within.low < wanted < within.high
    assert quartiles(np.array([2, 2, 2, 2, 9])) == [2, 3, 10]


def test_points_of_one_place_stand_side_by_side_and_nearer_than_the_next_place() -> None:
    for count in (1, 2, 8, 40):
        where = np.array([shifted_places([0.0, 1.0, 3.0], index, count) for index in range(count)])
        np.testing.assert_allclose(where.mean(axis=0), [0, 1, 3], atol=1e-12)
        assert (np.diff(where, axis=0) > 0).all() and np.ptp(where[:, 0]) <= 0.5


def test_over_horizons_every_point_has_its_interval_and_every_slice_its_scale(tmp_path: Path) -> None:
    store, planned = Store(tmp_path), []
    for horizon, model in product((7.0, 30.0), ("lstm", "gru")):
        cell = record(f"{model}-{horizon:g}", model=model, horizon=horizon)
        values = 0.5 + 0.2 * np.random.default_rng(0).random(20)
        table = users({"all": values, "repeat": values + 0.1, "novel": values / 10})
        store.write(replace(cell, metrics=metrics(table)), judged=evaluation(table))
        planned.append(cell)
    write_tables(store, planned)
    contents = read_contents(tmp_path)
    with style():
        figure = over_horizons(contents)
    wanted = [
        interval(one) for h in (7.0, 30.0) if (one := contents.summary.estimate(lined(contents, h), "all", "ndcg@10"))
    ]
    panel = figure.axes[0]
    first, second = panel.lines
    # Both have the same numbers, and neither hides the other.
    assert np.array_equal(first.get_ydata(), second.get_ydata())
    assert (first.get_xdata() < second.get_xdata()).all()
    bars = [bar.tolist() for bar in panel.collections[0].get_segments()]
    assert bars == [[[x, one.low], [x, one.high]] for x, one in zip(first.get_xdata(), wanted, strict=True)]
    assert figure.axes[2].get_ylim()[1] < 0.1 < figure.axes[1].get_ylim()[0]


def lined(contents: Contents, horizon: float) -> Line:
    return next(one for one in contents.lines if one.name.startswith("lstm") and one.horizon == horizon)


def test_one_look_is_a_point_and_steps_begin_at_none(last_events: Path, folder: Path) -> None:
    with style():
        one, several = learning(read_contents(last_events)), learning(read_contents(folder))
    assert {line.get_linestyle() for line in one.axes[0].lines} == {"None"}
    assert "None" not in {line.get_linestyle() for line in several.axes[0].lines}
    assert one.axes[0].get_xlim()[0] == 0 and several.axes[0].get_xlim()[0] == 0


def test_no_two_lines_look_the_same_in_grey_print() -> None:
    looks = [line_style(index) for index in range(26)]
    assert len({(one["marker"], one["linestyle"], one["markerfacecolor"] == "white") for one in looks}) == 26
    assert len({one["marker"] for one in looks[:13]}) == 13  # a dozen rows are told by their markers alone


def test_comparisons_are_rounded_and_sort_by_their_numbers(browser: Any, folder: Path) -> None:
    contents = read_contents(folder)
    page, said, _ = opened(browser, folder, 1280)
    table = page.locator("[aria-labelledby=comparisons] table")
    rows = table.locator("tbody tr")
    assert rows.count() == len(contents.compared)
    place = list(heads(contents)).index("a minus b")
    first = rows.nth(0).locator("td").nth(place)
    assert first.inner_text() == number(contents.compared[0].difference) and len(first.inner_text()) <= 5
    table.locator("th button").nth(place).click()
    values = [float(one.get_attribute("data-value")) for one in table.locator(f"td:nth-child({place + 1})").all()]
    assert values == sorted((one.difference for one in contents.compared), reverse=True) and said == []


def test_bins_are_pooled_over_the_cells_of_a_line(folder: Path) -> None:
    contents = read_contents(folder)
    line = next(one for one in contents.lines if one.name == "transformer · full")
    found = pooled_bins(contents, line)
    assert found is not None and {name: values.tolist() for name, values in found.items()} == {
        "pairs": [600, 200],
        "predicted": [200.0, 140.0],
        "observed": [180.0, 160.0],
    }
    assert pooled_bins(contents, next(one for one in contents.lines if not one.done)) is None


def test_a_report_shows_in_a_terminal_how_far_it_is(folder: Path) -> None:
    ours, theirs = pty.openpty()
    with ThreadPoolExecutor() as pool, os.fdopen(theirs, "w") as terminal:
        reading = pool.submit(read_until, ours, "report: done after ")
        write_report(folder, console=Console(file=terminal, force_terminal=True, width=80))
        said = reading.result()
    # All that was counted on, neither more nor less, was done.
    assert "no estimate yet" in said and "100 %, 0 s left" in said
    os.close(ours)


def read_until(descriptor: int, words: str) -> str:
    said = b""
    while words.encode() not in said:
        said += os.read(descriptor, 4096)
    return said.decode(errors="replace")


def test_in_a_log_a_report_says_what_it_does_and_how_long_it_took(folder: Path) -> None:
    console = Console(file=io.StringIO(), width=80)
    write_report(folder, console=console)
    said = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert said[0] == "report: no estimate yet · reading cells" and said[-1].startswith("report: done after ")


def test_of_a_clone_all_is_made_that_the_tables_hold(folder: Path, tmp_path: Path) -> None:
    clone = tmp_path / "made"
    shutil.copytree(folder, clone, ignore=shutil.ignore_patterns("cells"))
    kept = {path.name: path.read_bytes() for path in clone.glob("*.*") if path.name != "report.html"}
    left = {path.name: path.read_bytes() for path in (clone / "figures").iterdir() if path.stem in OF_CELLS}
    whole = (clone / "report.html").read_text()
    (clone / "report.html").unlink()
    command = [sys.executable, "-m", "lab.report", str(clone)]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "") and " ".join(done.stdout.split()).endswith(ABSENT)
    page, reason = (clone / "report.html").read_text(), f"out of memory {html.escape(HOSTILE)}"
    assert page.count(html.escape(ABSENT)) == 1
    assert told_by(page) == told_by(whole.replace(reason, "").replace(reason.replace("&#x27;", "&#39;"), ""))
    assert {path.name: path.read_bytes() for path in clone.glob("*.*") if path.name != "report.html"} == kept
    assert len(left) == 6 and all((clone / "figures" / name).read_bytes() == content for name, content in left.items())


OF_CELLS = ("learning", "reliability", "history")
"""Figures that need what is kept of each cell."""


def told_by(page: str) -> str:
    """A page's words, but for its figures and that its cells are elsewhere."""
    page = page.replace(f'<p class="soft">{html.escape(ABSENT)}</p>\n', "")
    return re.sub(r" failed(: |\.)<", " failed<", re.sub(r"<svg .*?</svg>", "", page, flags=re.DOTALL))


def test_of_a_clone_without_summary_means_and_seeds_are_shown_and_nothing_of_users(
    folder: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "made"
    shutil.copytree(folder, clone, ignore=shutil.ignore_patterns("cells", "figures", "summary.csv", "comparisons.csv"))
    here, there = read_contents(clone), read_contents(folder)
    for (line, own), (_, whole) in zip(here.summary.lines, there.summary.lines, strict=True):
        assert [one.mean for one in own] == pytest.approx([one.mean for one in whole])
        assert all(one.users is None for one in own)
        assert [one.seeds is None for one in own] == [len(line.cells) < 2] * len(own)
    write_report(clone)
    drawn = {path.stem for path in (clone / "figures").glob("*.svg")}
    assert drawn == {"ablation", "horizon", "novel"}


@pytest.mark.parametrize("made", [False, True])
def test_a_folder_without_results_is_refused_in_words(tmp_path: Path, made: bool) -> None:
    place = tmp_path / "nothing"
    if made:
        place.mkdir()
    command = [sys.executable, "-m", "lab.report", str(place)]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {place}: {'has no cells/' if made else 'there is no such folder'}")


def test_what_is_in_the_way_of_a_report_is_named_and_no_flag_that_it_has_not(tmp_path: Path) -> None:
    store = Store(tmp_path)
    table = same_everywhere(0.3)
    store.write(replace(record(), metrics=metrics(table)), judged=evaluation(table))
    (tmp_path / "figures").write_text("")
    with pytest.raises(FaultError) as refused:
        write_report(tmp_path)
    said = str(refused.value)
    assert f"({tmp_path / 'figures'} is a file, no folder)" in said and said.endswith(
        "Move that file away and run the same command again."
    )


def test_variants_have_a_figure_of_their_own(tmp_path: Path) -> None:
    store, planned = Store(tmp_path), []
    for variant, value in (("7 days", 0.3), ("all", 0.4)):
        for kind, model, features in (("model", "lstm", "full"), ("baseline", "last", "")):
            cell = record(f"{model}-{value:g}", kind=kind, model=model, features=features, variant=variant)
            planned.append(cell)
            table = same_everywhere(value, noise=0.2)
            store.write(replace(cell, metrics=metrics(table)), judged=evaluation(table))
    write_tables(store, planned)
    page = write_report(tmp_path).read_text()
    drawn = {path.stem for path in (tmp_path / "figures").glob("*.svg")}
    # One horizon is no axis to draw them over.
    assert "variants" in drawn and "horizon" not in drawn
    assert "lstm · full · 7 days" in page and "last · all" in page


@pytest.mark.parametrize(("horizons", "linestyle"), [((7.0,), "None"), ((7.0, 30.0), "-")])
def test_novel_against_repeat_shows_lines_in_its_legend_where_it_joins_horizons(
    tmp_path: Path, horizons: tuple[float, ...], linestyle: str
) -> None:
    store, planned = Store(tmp_path), []
    for horizon in horizons:
        cell = record(f"lstm-{horizon:g}", horizon=horizon)
        table = same_everywhere(0.3, noise=0.2)
        store.write(replace(cell, metrics=metrics(table)), judged=evaluation(table))
        planned.append(cell)
    write_tables(store, planned)
    contents = read_contents(tmp_path)
    with style():
        figure = next(one.make for one in figure_specs(contents) if one.name == "novel")(contents)
    assert [handle.get_linestyle() for handle in figure.legends[0].get_lines()] == [linestyle]


LONG = "a feature set of item, behaviour, time, price, popularity and of whatever else the log has"


@pytest.fixture(scope="module")
def last_events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Next items of a log without times or repeats: each user's last event, by models of long names."""
    root = tmp_path_factory.mktemp("report") / "last_events"
    store = Store(root)
    curve = {"step": np.array([5]), "valid_loss": np.array([0.5])}
    for name, value in (("transformer", 0.4), ("hstu", 0.3), ("gru", 0.2)):
        for seed in range(2):
            values = value + 0.2 * np.random.default_rng(seed).random(20)
            table = users({"all": values, "novel": values}) | {"history": np.tile(np.arange(3, 23), 2)}
            told = {"queries": 20.0, "hr@10": value, "recall@10": value, "coverage@10": 0.123, "cold": 3.0}
            numbers = (*metrics(table), *(Metric("test", "all", *one) for one in told.items()))
            cell = record(f"{name}-{seed}", model=name, features=LONG, seed=seed, target="next_item", horizon=0.0)
            store.write(
                replace(cell, metrics=numbers, measures=NextItem().measures()), judged=evaluation(table), curve=curve
            )
    (root / "pin.json").write_text(json.dumps(PIN))
    write_report(root)
    return root


PIN = {
    "experiment": {
        "target": {"categories": {"rule": "item"}},
        "timeline": {"protocol": "leave_one_out"},
        "horizons": [0.0],
    },
    "metrics": {"definitions": {"coverage@k": "share of the candidates"}, "candidates": "all items known"},
    "data": {
        **{"fingerprint": "of the log"},
        **{"source": "table", "events": 1, "users": 20, "items": 900, "first": -86_400_000_000, "last": 0},
        **{
            "timed": False,
            "calendar": {"behaviours": [], "leaked": {"tests": 0.5, "events": 0.25}},
            "rules": [],
            "quarantined": 1,
        },
        "left_out": ["features: price is left out, the log has no price column."],
    },
    "split": {
        "fingerprint": "of the cutoffs",
        "query_every": None,
        "folds": [{"fold": 0, "valid_cutoff": -172_800_000_000, "test_cutoff": -86_400_000_000, "candidates": 900}],
    },
}


def test_a_page_of_last_events_speaks_of_items_and_of_no_date(browser: Any, last_events: Path) -> None:
    page, said, _ = opened(browser, last_events, 1200)
    text = page.locator("body").inner_text()
    assert said == [] and not re.search("categor|1970|000000|days|1 rows|repeat", text)
    for words in (
        "each user's last event is the test",
        "50.0% of the test events are older than some event that models learn from, and 25.0% of the events that "
        "models learn from lie after the median test event",
        "3 of 23 events",
        "features: price is left out, the log has no price column.",
        "All queries are novel",
        "hr@10, recall@10",
        "coverage@10",
        "share of the candidates",
        "over all items",
        "1 event, 20 users, 900 items",
    ):
        assert words in text, words


@pytest.mark.parametrize("scale", ["last_events", "folder"])
def test_no_text_of_a_figure_is_cut_or_written_over(request: pytest.FixtureRequest, scale: str) -> None:
    contents = read_contents(request.getfixturevalue(scale))
    with style():
        for one in figure_specs(contents):
            if (figure := one.make(contents)) is None:
                continue
            figure.draw_without_rendering()
            inside, whole = figure.get_tightbbox(), figure.bbox_inches.padded(0.02)
            assert whole.x0 <= inside.x0 and whole.y0 <= inside.y0 and inside.x1 <= whole.x1 and inside.y1 <= whole.y1
            boxes = [text.get_window_extent().padded(-1) for text in written(figure)]
            assert len(boxes) > 4 and not [1 for a, b in combinations(boxes, 2) if a.overlaps(b)], one.name


def written(figure: Any) -> list[Any]:
    """The texts that a figure shows."""
    found = [text for legend in figure.legends for text in legend.get_texts()]
    for axes in figure.axes:
        found += [axes.xaxis.label, axes.yaxis.label, axes.title, axes._left_title, *axes.texts]
        for axis, (low, high) in ((axes.xaxis, sorted(axes.get_xlim())), (axes.yaxis, sorted(axes.get_ylim()))):
            found += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [text for text in found if text.get_visible() and text.get_text().strip()]


def test_every_interval_of_the_forest_is_named_and_has_its_dot(folder: Path) -> None:
    """The first row alone may lack one over seeds."""
    contents = read_contents(folder)
    with style():
        figure = forest(contents)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["over users", "over seeds"]
    for panel in figure.axes:
        bars = [line for line in panel.lines if line.get_label() == "over users"]
        dots = [line for line in panel.lines if line.get_marker() == "o"]
        assert [bar.get_ydata()[0] for bar in bars] == [dot.get_ydata()[0] for dot in dots]


def test_what_holm_does_not_tell_apart_has_a_hollow_dot_whatever_its_interval(folder: Path) -> None:
    contents = read_contents(folder)
    (place, leader), *_ = sorted(leaders(contents).items())
    told, *_ = [
        one for one in contents.compared if (one.target, one.horizon) == place and leader.name in (one.a, one.b)
    ]
    for p, face in ((SURE / 2, "black"), (SURE * 2, "white")):
        contents.__dict__["compared"] = (replace(told, slice="all", users_low=0.1, users_high=0.2, holm_p=p),)
        dots = [line for line in forest(contents).axes[0].lines if line.get_marker() == "o"]
        assert [dot.get_markerfacecolor() for dot in dots] == [face]
    page = html.unescape((folder / "report.html").read_text())
    assert "~ in tables, go by Holm's p over all comparisons, which is stricter: dots are hollow" in page


def test_a_slice_without_numbers_has_no_panel(last_events: Path) -> None:
    with style():
        figure = row_by_row(read_contents(last_events))
    assert [panel.get_title() for panel in figure.axes] == ["all"]
