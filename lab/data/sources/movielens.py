"""MovieLens: what people thought of films, with their genres."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import polars as pl

from lab.data.sources.damage import bad_bytes
from lab.data.sources.download import Download
from lab.data.sources.lookup import Lookup
from lab.data.sources.public import OpenLog, only
from lab.data.sources.table import Table
from lab.data.sources.text import TextStyle

RELEASES = {
    "1m": ("ml-1m", "dat", "md5:c4d9eecfca2ab87c1945afe126590906"),
    "10m": ("ml-10M100K", "dat", "md5:ce571fd55effeba0271552578f2648bd"),
    "20m": ("ml-20m", "csv", "md5:cd245b17a1ae2cc31bb14903e1204af3"),
    "25m": ("ml-25m", "csv", "md5:6b51fb2759a8657d3bfcbfc42b592ada"),
    "32m": ("ml-32m", "csv", "md5:d472be332d4daa821edc399621853b57"),
}
"""Release -> its folder in the archive, the ending of its files, the checksum that GroupLens publishes."""

NO_GENRE = "(no genres listed)"


@dataclass(frozen=True, kw_only=True)
class MovieLens(OpenLog):
    """Ratings of films on MovieLens, by second, 1995 to 2023; categories are genres.

    Users rate many films in one sitting, long after they saw them. A film that has several genres makes
    the one category of that combination, as in Comedy|Romance, so that an event stays one event.
    """

    name: ClassVar[str] = "movie_lens"
    licence: ClassVar[str | None] = "research only, no redistribution"
    citation: ClassVar[str | None] = (
        "Harper, Konstan: The MovieLens Datasets, History and Context. ACM Transactions on Interactive Intelligent "
        "Systems 5 (2015). doi:10.1145/2827872"
    )
    homepage: ClassVar[str | None] = "https://grouplens.org/datasets/movielens/"

    path: str = "data/movielens"
    """The folder of ratings.csv and movies.csv (or .dat), or of a release's own folder such as ml-1m."""
    release: Literal["1m", "10m", "20m", "25m", "32m"] = "1m"
    """Which release is looked for by its own folder, and downloaded."""
    genres: Literal["all", "first"] = "all"
    """Of a film's genres: the combination of all as one category (some 300), or the first alone (18)."""

    def names(self) -> tuple[tuple[str, ...], ...]:
        folder, ending, _ = RELEASES[self.release]
        return tuple(
            (f"{folder}/{name}.{ending}", *(f"{name}.{end}" for end in ("csv", "dat", "csv.gz", "dat.gz")))
            for name in ("ratings", "movies")
        )

    def downloads(self) -> tuple[Download, ...]:
        file = f"ml-{self.release}.zip"
        own, *others = zip(*self.names(), strict=True)
        return (
            Download(
                url=f"https://files.grouplens.org/datasets/movielens/{file}",
                file=file,
                checksum=RELEASES[self.release][2],
                members=dict.fromkeys(own),
                instead=tuple(ratings for ratings, _ in others),
            ),
        )

    def table(self) -> Table:
        ratings, movies = self.place(), self.place(1)
        named = ".csv" in Path(ratings).name
        return Table(
            path=ratings,
            user="userId" if named else "1",
            item="movieId" if named else "2",
            time="timestamp" if named else "4",
            time_format="s",
            category="genre",
            text="film",
            header=named,
            separator="," if named else "::",
            lookups=(self._films(movies, on="movieId" if named else "2"),),
            **only("rating"),
        )

    def _films(self, movies: str, on: str) -> Lookup:
        named = ".csv" in Path(movies).name
        key, title, genres = ("movieId", "title", "genres") if named else ("1", "2", "3")
        # Older releases write film titles in Latin-1, later ones in UTF-8.
        encoding = "utf-8" if bad_bytes(Path(movies), "utf-8") is None else "latin-1"
        genre = pl.col(genres).replace(NO_GENRE, None)
        return Lookup(
            path=movies,
            on=on,
            key=key,
            columns={
                "genre": genre if self.genres == "all" else genre.str.split("|").list.first(),
                "film": pl.col(title),
            },
            style=TextStyle("," if named else "::", named, '"', encoding),
        )
