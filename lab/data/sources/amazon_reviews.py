"""Amazon Reviews: what buyers wrote, a category of the shop at a time."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import polars as pl

from lab.data.sources.download import Download
from lab.data.sources.lookup import Lookup
from lab.data.sources.public import OpenLog, only
from lab.data.sources.table import Table

HOST = "https://mcauleylab.ucsd.edu/public_datasets/data/"


@dataclass(frozen=True)
class Release:
    """How a release writes its files."""

    ending: str
    reviews: str
    """Folder of the reviews under HOST."""
    items: str
    user: str
    item: str
    time: str
    unit: str
    path: str
    """The item's list of categories, from the widest to the narrowest."""


RELEASES = {
    "2018": Release(
        "json", "amazon_v2/categoryFiles/", "amazon_v2/metaFiles2/",
        "reviewerID", "asin", "unixReviewTime", "s", "category",
    ),
    "2023": Release(
        "jsonl", "amazon_2023/raw/review_categories/", "amazon_2023/raw/meta_categories/",
        "user_id", "parent_asin", "timestamp", "ms", "categories",
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class AmazonReviews(OpenLog):
    """Reviews on Amazon (McAuley lab), one department, by millisecond (2018: by day), 1996 to 2023.

    An item's categories and title are those of the day when the data set was collected, after the last
    review. Its price of that day is left out. No checksum is published.
    """

    name: ClassVar[str] = "amazon_reviews"
    licence: ClassVar[str | None] = "none stated; published for research"
    citation: ClassVar[str | None] = (
        "Hou, Li, He, Yan, Chen, McAuley: Bridging Language and Items for Retrieval and Recommendation (2024). "
        "arXiv:2403.03952; for 2018: Ni, Li, McAuley: Justifying Recommendations using Distantly-Labeled Reviews and "
        "Fine-Grained Aspects. EMNLP 2019"
    )
    homepage: ClassVar[str | None] = "https://amazon-reviews-2023.github.io/"

    path: str = "data/amazon_reviews"
    """The folder of All_Beauty.jsonl.gz and meta_All_Beauty.jsonl.gz (2018: .json.gz)."""
    release: Literal["2018", "2023"] = "2023"
    """Year of the collection."""
    department: str = "All_Beauty"
    """Which of the shop's categories, as the data set's files are called: All_Beauty, Books, Video_Games, ..."""

    def names(self) -> tuple[tuple[str, ...], ...]:
        ending = RELEASES[self.release].ending
        return tuple(
            (f"{name}.{ending}.gz", f"{name}.{ending}") for name in (self.department, f"meta_{self.department}")
        )

    def downloads(self) -> tuple[Download, ...]:
        (reviews, plain), (items, plain_items) = self.names()
        release = RELEASES[self.release]
        return (
            Download(f"{HOST}{release.reviews}{reviews}", reviews, instead=(plain,)),
            Download(f"{HOST}{release.items}{items}", items, instead=(plain_items,)),
        )

    def table(self) -> Table:
        release, reviews = RELEASES[self.release], self.place()
        # Where a path holds no category it is empty; the words between join it, since leaves repeat.
        path = pl.col(release.path).list.join(" / ")
        items = Lookup(
            path=self.place(1),
            on=release.item,
            key=release.item,
            columns={"item_category": pl.when(path != "").then(path), "item_title": pl.col("title")},
            nested={release.path: pl.List(pl.String)},
        )
        return Table(
            path=reviews,
            user=release.user,
            item=release.item,
            time=release.time,
            time_format=release.unit,
            category="item_category",
            text="item_title",
            lookups=(items,),
            **only("rating"),
        )
