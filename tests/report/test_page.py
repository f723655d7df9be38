"""What a page must do on paper, on a phone, in the dark and for those who cannot see its figures."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lab.experiment.cell_record import Metric
from lab.report.comparison_rows import MOST, comparison_rows
from lab.report.contents import Contents, read_contents
from lab.report.timings import line_timings
from lab.report.write import write_report
from lab.results.store import Store
from lab.results.table_layout import short
from lab.results.tables import write_tables
from lab.targets.interest.measures import MEASURES
from tests.results.made import evaluation, metrics, record, same_everywhere

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

MODELS = ("LSTM layers=2", "Transformer width=128", "a model of one's own with a name that is rather long")
NAMES = (
    *("ndcg@5", "recall@10", "map@10", "accuracy@1", "auc", "log_loss", "calibration_error"),
    *(f"{name}_{over}" for over in ("micro", "macro") for name in ("precision", "recall", "f1")),
)
TIMING = {"train": 100.0, "judge": 20.0, "waited": 9.0}
PIN = {
    "metrics": {"target": "interest", "measures": MEASURES.to_json()},
    "code": {"version": "0.1.0", "commit": "c" * 40, "dirty": None},
    "run": {"seconds": 321.5, "peak_memory_bytes": 3 << 30},
    "machine": {"python": "3.11"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight lines at two horizons with every metric."""
    root = tmp_path_factory.mktemp("page") / "made"
    store, planned = Store(root), []
    curve = {"step": np.array([10, 20]), "valid_loss": np.array([3.0, 2.5])}
    for horizon in (7.0, 30.0):
        for place, (model, features) in enumerate((m, f) for m in MODELS for f in ("ids", "full")):
            for seed in range(2):
                table = same_everywhere(0.2 + place / 10, noise=0.2, seed=seed) | {"history": np.tile(np.arange(20), 3)}
                others = (Metric("test", "all", name, (place + index / 100) / 10) for index, name in enumerate(NAMES))
                cell = record(f"m{place}-{horizon:g}-{seed}", model=model, features=features, horizon=horizon)
                cell = replace(cell, seed=seed, parameters=10_000 * (place + 1), timing=TIMING)
                store.write(replace(cell, metrics=(*metrics(table), *others)), judged=evaluation(table), curve=curve)
                planned.append(cell)
        for place, name in enumerate(("popularity", "last")):
            cell = record(f"{name}-{horizon:g}", kind="baseline", model=name, features="", horizon=horizon, seed=None)
            table = same_everywhere(0.1 + place / 10, noise=0.2)
            store.write(replace(cell, metrics=metrics(table), timing={"total": 0.5}), judged=evaluation(table))
            planned.append(cell)
    write_tables(store, planned)
    (root / "pin.json").write_text(json.dumps(PIN))
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


def opened(browser: Any, folder: Path, width: int, scheme: str = "light", media: str = "screen") -> Any:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.goto((folder / "report.html").as_uri())
    page.emulate_media(media=media, color_scheme=scheme)
    return page


OUTSIDE = """selector => [...document.querySelectorAll(selector)].filter(cell => {
    const box = cell.getBoundingClientRect();
    return box.width > 0 && (box.right > innerWidth + 0.5 || cell.scrollWidth > cell.clientWidth + 1);
}).map(cell => cell.textContent.trim())"""
"""What of the page lies right of its edge, or does not fit its own cell."""


def test_a_phone_shows_every_number_of_the_main_table(browser: Any, folder: Path) -> None:
    page = opened(browser, folder, 360)
    assert page.evaluate(OUTSIDE, ".main th, .main td") == []
    shown = page.locator(".main td[data-value]:visible").all_inner_texts()
    assert len(shown) == 16 * 4  # horizon, all, repeat, novel
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [718, 1047])
def test_paper_cuts_no_column_off(browser: Any, folder: Path, width: int) -> None:
    """A4 upright and across, with margins of 10 mm."""
    page = opened(browser, folder, width, media="print")
    assert page.evaluate(OUTSIDE, "th, td") == []
    heads = page.locator("[aria-labelledby=metrics] th").all_inner_texts()
    assert {"f1_micro", "f1_macro"} <= {head.replace("\n", "") for head in heads}
    assert page.locator("[aria-labelledby=comparisons] th").last.inner_text() == "users"
    assert not page.locator("nav").is_visible() and not page.locator(".filter").first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_paper_is_white_in_the_dark_too(browser: Any, folder: Path) -> None:
    page = opened(browser, folder, 718, "dark", "print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate("getComputedStyle(document.querySelector('figure svg')).filter") == "none"


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_figures_are_dark_in_the_dark(browser: Any, folder: Path, tmp_path: Path, scheme: str, dark: bool) -> None:
    page = opened(browser, folder, 900, scheme)
    page.locator("figure svg").first.screenshot(path=tmp_path / "figure.png")
    grey = np.asarray(Image.open(tmp_path / "figure.png").convert("L"))
    assert (np.median(grey) < 60) == dark and (grey.min() < 60 and grey.max() > 180)


def test_contents_lead_to_every_section(browser: Any, folder: Path) -> None:
    page = opened(browser, folder, 1280)
    links = page.locator("nav a").all()
    titles = page.locator("main h2").all_inner_texts()
    assert len(links) == len(titles) > 6
    for link, title in zip(links, titles, strict=True):
        assert page.locator(str(link.get_attribute("href"))).inner_text() == title
        assert title.startswith(link.inner_text())


@pytest.mark.parametrize("table", ["table", "metrics", "comparisons"])
def test_a_filter_leaves_the_rows_with_its_words(browser: Any, folder: Path, table: str) -> None:
    page = opened(browser, folder, 1280)
    rows = page.locator(f"[aria-labelledby={table}] tbody tr:visible")
    before = rows.count()
    box = page.locator(f"input[data-filters={table}]")
    box.fill("30 days, lstm")
    found = rows.all_inner_texts()
    assert 0 < len(found) < before and all("30 days" in row and "LSTM" in row for row in found)
    box.fill("no such row")
    assert rows.count() == 0
    box.fill("")
    assert rows.count() == before


def test_csv_files_are_linked_and_there(browser: Any, folder: Path) -> None:
    links = [link.get_attribute("href") for link in opened(browser, folder, 1280).locator("main a").all()]
    assert links == ["summary.csv", "comparisons.csv", "cells.csv"] and all((folder / one).is_file() for one in links)


def test_commit_seconds_and_parameters_are_shown(browser: Any, folder: Path) -> None:
    page = opened(browser, folder, 1280)
    text = page.locator("body").inner_text()
    assert "c" * 40 in text and "5 min 22 s" in text and "3.0 GiB" in text
    row = page.locator("[aria-labelledby=took] tbody tr", has_text="Transformer width=128 · ids").first.inner_text()
    assert "30,000" in row and "2 min 00 s" in row
    assert "0.5 s" in page.locator("[aria-labelledby=took] tbody tr", has_text="popularity").first.inner_text()


def test_of_a_clone_the_pin_says_what_cells_took(folder: Path, tmp_path: Path) -> None:
    clone = tmp_path / "made"
    shutil.copytree(folder, clone, ignore=shutil.ignore_patterns("cells"))
    cells = [
        {"id": one.id, "parameters": one.parameters, "timing": dict(one.timing)} for one in Store(folder).records()
    ]
    (clone / "pin.json").write_text(json.dumps(PIN | {"cells": cells}))
    wanted = [(one.line.name, one.parameters, one.seconds) for one in line_timings(read_contents(folder))]
    assert [(one.line.name, one.parameters, one.seconds) for one in line_timings(read_contents(clone))] == wanted


def test_alternative_texts_say_what_the_figures_show(browser: Any, folder: Path) -> None:
    page, contents = opened(browser, folder, 1280), read_contents(folder)
    figures = page.locator("figure")
    assert figures.count() >= 6
    for figure in figures.all():
        words = str(figure.locator("svg").get_attribute("aria-label"))
        title, caption = figure.locator("h3").inner_text(), figure.locator("figcaption").inner_text()
        assert words.startswith(f"{title}. {caption} ") and len(words) > len(title) + len(caption) + 20
        assert "Transformer width=128 · full" in words
    best = max(contents.lines, key=lambda line: mean(contents, line))
    said = str(page.locator("#horizon-title ~ .box svg").get_attribute("aria-label"))
    assert f"{best.name} {short(mean(contents, best))}" in said


def mean(contents: Contents, line: Any) -> float:
    one = contents.summary.estimate(line, "all", "ndcg@10")
    assert one is not None
    return one.mean


def test_every_comparison_is_shown_and_of_very_many_those_over_all_queries_come_first(folder: Path) -> None:
    contents = read_contents(folder)
    assert 150 < len(contents.compared) == len(comparison_rows(contents)) <= MOST
    many = [replace(one, slice=part) for part in ("novel", "all") for one in contents.compared * 8]
    contents.__dict__["compared"] = tuple(many)
    shown = [row[1][0] for row in comparison_rows(contents)]
    assert len(shown) == MOST and shown[0] == "all" and shown.count("all") == min(MOST, len(many) // 2)
