"""REES46: months of a large shop of many categories."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import polars as pl

from lab.core.errors import InputError
from lab.core.setting_types import check_types
from lab.data.sources.download import Download
from lab.data.sources.public import OpenLog
from lab.data.sources.table import Table

MONTHS = ("2019-Oct", "2019-Nov", "2019-Dec", "2020-Jan", "2020-Feb", "2020-Mar", "2020-Apr")


@dataclass(frozen=True, kw_only=True)
class Rees46(OpenLog):
    """Views, carts and purchases in a large shop (REES46), by second, October 2019 to April 2020.

    A category is the shop's code, as electronics.smartphone, or the number of one that has no code. A
    month is 1.6 to 3 GB compressed. REES46 publishes no checksum.
    """

    name: ClassVar[str] = "rees46"
    licence: ClassVar[str | None] = "free use with a link to REES46 and Kaggle"
    citation: ClassVar[str | None] = (
        "Kechinov, M.: eCommerce behavior data from multi category store. Kaggle, REES46 (2019)"
    )
    homepage: ClassVar[str | None] = (
        "https://www.kaggle.com/datasets/mkechinov/ecommerce-behavior-data-from-multi-category-store"
    )

    path: str = "data/rees46"
    """The folder of 2019-Oct.csv.gz and so on (or unpacked), or one such file."""
    months: tuple[str, ...] = ("2019-Oct", "2019-Nov")
    """Which months are read, and downloaded: 2019-Oct to 2020-Apr."""

    def __post_init__(self) -> None:
        check_types(self, "source")
        wrong = [month for month in self.months if month not in MONTHS]
        if wrong or not self.months:
            said = f"{wrong[0]!r} is no month of it" if wrong else "names no month"
            raise InputError(f"source.months: {said}; there are {', '.join(MONTHS)}.")

    def names(self) -> tuple[tuple[str, ...], ...]:
        months = self.months[:1] if Path(self.path).expanduser().is_file() else self.months
        return tuple((f"{month}.csv.gz", f"{month}.csv") for month in months)

    def downloads(self) -> tuple[Download, ...]:
        place = "https://data.rees46.com/datasets/marketplace/"
        return tuple(Download(f"{place}{file}", file, instead=(plain,)) for file, plain in self.names())

    def table(self) -> Table:
        return Table(
            path=tuple(self.place(month) for month in range(len(self.names()))),
            user="user_id",
            item="product_id",
            time="event_time",
            time_format="%Y-%m-%d %H:%M:%S UTC",
            category="category",
            behaviour="event_type",
            price="price",
            behaviours={"remove_from_cart": "uncart", "view": "view", "cart": "cart", "purchase": "purchase"},
            separator=",",
            derive={"category": pl.coalesce("category_code", "category_id")},
        )
