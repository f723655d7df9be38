"""RetailRocket: four and a half months of a shop's visitors."""

from dataclasses import dataclass
from typing import ClassVar

import polars as pl

from lab.data.sources.download import Download
from lab.data.sources.lookup import Lookup
from lab.data.sources.public import OpenLog
from lab.data.sources.table import Table

MEMBERS = {
    "events.csv": "sha256:3745aa83238b1e6d44d8fda209807899f420084398f94ddf745f3cbcfecbf9e7",
    "item_properties_part1.csv": "sha256:30aad5aeca58b2dc27dcc73e1708565f5818e45adb3eb57401f91e87355b0b81",
    "item_properties_part2.csv": "sha256:d5e7d1a91dc40f522aeb596b267e6c87d8aed689a7192d12369cfb165eb987e5",
}
"""Checksums that those who hold the files report alike; the archive around them is made anew at times."""


@dataclass(frozen=True, kw_only=True)
class RetailRocket(OpenLog):
    """Views, carts and purchases in a shop (RetailRocket), by millisecond, May to September 2015.

    An item's category is the latest that the shop had listed by the time of the event: events before the
    first listing, the earliest of which is of 10 May, have none.
    """

    name: ClassVar[str] = "retail_rocket"
    licence: ClassVar[str | None] = "CC BY-NC-SA 4.0"
    citation: ClassVar[str | None] = (
        "Zykov, Artem, Alexander: Retailrocket recommender system dataset. Kaggle (2022). "
        "doi:10.34740/KAGGLE/DSV/4471234"
    )
    homepage: ClassVar[str | None] = "https://www.kaggle.com/datasets/retailrocket/ecommerce-dataset"

    path: str = "data/retail_rocket"
    """The folder of events.csv, item_properties_part1.csv and item_properties_part2.csv."""

    def names(self) -> tuple[tuple[str, ...], ...]:
        return tuple((name, f"{name}.gz") for name in MEMBERS)

    def downloads(self) -> tuple[Download, ...]:
        url = "https://www.kaggle.com/api/v1/datasets/download/retailrocket/ecommerce-dataset"
        return (Download(url, "ecommerce-dataset.zip", members=MEMBERS, instead=("events.csv.gz",)),)

    def table(self) -> Table:
        events, time = self.place(), pl.col("timestamp").cast(pl.Int64, strict=False)
        categories = Lookup(
            path=(self.place(1), self.place(2)),
            on="itemid",
            key="itemid",
            columns={"category": pl.col("value")},
            where=pl.col("property") == "categoryid",
            at=time,
            since=time,
        )
        return Table(
            path=events,
            user="visitorid",
            item="itemid",
            time="timestamp",
            time_format="ms",
            category="category",
            behaviour="event",
            behaviours={"view": "view", "addtocart": "cart", "transaction": "purchase"},
            identity=("transactionid",),
            separator=",",
            lookups=(categories,),
        )
