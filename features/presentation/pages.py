"""Our own HTML pages: single files that need no network, light or dark as the reader prefers, on any screen.

templates/page.html has what all pages look like, and the others extend it. What people or files have said is escaped.
"""

from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template


@cache  # keeps what it has compiled too
def template(package: str, name: str) -> Template:
    """Return a template of a package's folder `templates`."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(each) for each in dict.fromkeys((package, "features"))]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["share"] = share
    return environment.get_template(name)


def share(part: int, whole: int) -> str:
    """Return `part` of `whole` in the form people read: never 0 % if there is something.

    >>> share(1, 200_000), share(3, 100), share(0, 0)
    ('under 0.01 %', '3.00 %', '0 %')
    """
    if not part:
        return "0 %"
    return "under 0.01 %" if part / whole < 0.0001 else f"{part / whole:.2%}".replace("%", " %")
