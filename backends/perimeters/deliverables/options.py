"""What a set of products consists of, and what its log says beyond the document."""

from __future__ import annotations

from dataclasses import dataclass

from backends.errors import WrongUse

# Product, and how its file name ends.
PRODUCTS: dict[str, str] = {
    "geopackage": ".gpkg",
    "shapefile": "_ShapeFileOutputs.zip",
    "kmz": ".kmz",
    "geojson": ".geojson",
    "map": "_{page}.pdf",
    "mobile": "_Mobile.pdf",
    "log": "_IRLog.txt",
    "facts": "_IRLog.json",
    "checksums": "_SHA256.txt",
}
ALWAYS = ("log", "facts", "checksums")
# Paper in points, upright.
PAGES: dict[str, tuple[float, float]] = {
    "letter": (612.0, 792.0),
    "11x17": (792.0, 1224.0),
    "a4": (595.28, 841.89),
    "a3": (841.89, 1190.55),
}
TEMPLATE = "{date}_{time}_{incident}_IR"


@dataclass(frozen=True)
class DeliveryOptions:
    """What a set consists of.

    Attributes
    ----------
    products : tuple of str
        Of `PRODUCTS`; log and checksums are always made.
    template : str
        How file names begin; elements are divided by underscores: ``{date}``, ``{time}``,
        ``{incident}``, ``{local}``, ``{irwin}``, plain words. One that is empty falls out.
    zone : str
        Time zone of names and local times.
    crs : str
        Of GeoPackage and shapefile; empty for the document's own.
    page : str
        Paper of the map, of `PAGES`.
    platform, sensor, received, coverage, limitations : str
        For the log: aircraft, sensor, when the imagery came (UTC), cloud and coverage, and
        what to know before relying on the line.
    """

    products: tuple[str, ...] = tuple(PRODUCTS)
    template: str = TEMPLATE
    zone: str = "UTC"
    crs: str = ""
    page: str = "11x17"
    platform: str = ""
    sensor: str = ""
    received: str = ""
    coverage: str = ""
    limitations: str = ""

    def __post_init__(self) -> None:
        for product in self.products:
            if product not in PRODUCTS:
                raise WrongUse(
                    f"There is no product called {product}.", way_out=f"Use: {', '.join(PRODUCTS)}."
                )
        if self.page not in PAGES:
            raise WrongUse(
                f"There is no paper called {self.page}.", way_out=f"Use: {', '.join(PAGES)}."
            )

    @property
    def wanted(self) -> tuple[str, ...]:
        """The products, log and checksums among them, in the order they are made."""
        return tuple(p for p in PRODUCTS if p in self.products or p in ALWAYS)
