"""The pictures of docs/scale.md, made from benchmarks/results/. Run by `make bench` and `make bench-large`."""

import json
from pathlib import Path

import measuring
from matplotlib.figure import Figure

IMAGES = Path(__file__).parents[1] / "docs" / "images"
BLUE, LIGHT, DARK = "#2f6db3", "#a9c4e4", "#1b2a3a"


def night(results: dict) -> Figure:
    """Draw the seconds from arrival to scores against the length of the history, step by step."""
    figure, axes = _axes("Declarations stored, millions", "Seconds")
    for number, (title, style) in enumerate((("first week of a month", "-"), ("second week", "--"))):
        weeks = results["weeks"][number::2]
        size = [week["declarations"] / 1e6 for week in weeks]
        steps = {name: [week[name]["seconds"] for week in weeks] for name in ("ingest week", "history", "score")}
        total = [sum(values) for values in zip(*steps.values(), strict=True)]
        axes.plot(size, total, style, color=DARK, marker="o", label=f"in all, {title}")
        axes.plot(size, steps["history"], style, color=BLUE, marker=".", label=f"features, {title}")
        axes.plot(size, steps["ingest week"], style, color=LIGHT, marker=".", label=f"ingestion, {title}")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    axes.legend(frameon=False, fontsize=8)
    axes.set_title("200,000 declarations arrive: from files to scores", loc="left", fontsize=11)
    return figure


def features(results: dict) -> Figure:
    found = {engine: each["values_per_second"] / 1e6 for engine, each in results["engines"].items()}
    return _bars(found, "Million feature values a second", f"History features of {results['rows']:,} declarations")


def scoring(results: dict) -> Figure:
    found = {engine: results["rows"] / each["seconds"] / 1e3 for engine, each in results["engines"].items()}
    title = f"Scoring by {results['trees']} trees, {results['rows']:,} declarations"
    return _bars(found, "Thousand declarations a second", title)


def _bars(found: dict[str, float], unit: str, title: str) -> Figure:
    figure, axes = _axes(unit, "")
    names = sorted(found, key=found.__getitem__)
    bars = axes.barh(names, [found[name] for name in names], color=[BLUE if n == "kernel" else LIGHT for n in names])
    axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    axes.set_title(title, loc="left", fontsize=11)
    return figure


def _axes(x: str, y: str):
    figure = Figure(figsize=(7, 3.6), dpi=130, layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


PLOTS = {"large": night, "windows": features, "scoring": scoring}


def main() -> None:
    for name, draw in PLOTS.items():
        path = measuring.RESULTS / f"{name}.json"
        if path.exists():
            draw(json.loads(path.read_text())).savefig(IMAGES / f"scale-{name}.png")


if __name__ == "__main__":
    main()
