"""OTTO: four weeks of a large shop's sessions."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from lab.data.sources.download import Download
from lab.data.sources.public import OpenLog
from lab.data.sources.table import Table

EVENTS = pl.List(pl.Struct({"aid": pl.String, "ts": pl.String, "type": pl.String}))


@dataclass(frozen=True, kw_only=True)
class Otto(OpenLog):
    """Clicks, carts and orders in the OTTO shop, by millisecond, August 2022.

    What the data set calls a session is one user's four weeks. There are no categories. Its test file is
    not read: that week is of other users, and one log of both would show the first as silent. Kaggle
    publishes no checksum.
    """

    name: ClassVar[str] = "otto"
    licence: ClassVar[str | None] = "CC BY 4.0"
    citation: ClassVar[str | None] = (
        "Normann, Baumeister, Wilm: OTTO Recommender Systems Dataset. Kaggle (2023). doi:10.34740/KAGGLE/DSV/4991874"
    )
    homepage: ClassVar[str | None] = "https://www.kaggle.com/datasets/otto/recsys-dataset"

    path: str = "data/otto"
    """The folder of otto-recsys-train.jsonl, or the file itself."""

    def names(self) -> tuple[tuple[str, ...], ...]:
        return (("otto-recsys-train.jsonl", "otto-recsys-train.jsonl.gz", "train.jsonl", "train.jsonl.gz"),)

    def downloads(self) -> tuple[Download, ...]:
        url = "https://www.kaggle.com/api/v1/datasets/download/otto/recsys-dataset?datasetVersionNumber=1"
        train, *others = self.names()[0]
        return (Download(url, "recsys-dataset.zip", members={train: None}, instead=tuple(others)),)

    def table(self) -> Table:
        return Table(
            path=self.place(),
            user="session",
            item="aid",
            time="ts",
            time_format="ms",
            behaviour="type",
            behaviours={"clicks": "view", "carts": "cart", "orders": "purchase"},
            nested={"events": EVENTS},
        )
