# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Bars with their 25-75 % ranges, as SVG written by hand: a report needs no library.

Draws what it is told; chooses and computes no figure.
"""

from xml.sax.saxutils import escape

LEFT, WIDTH, RIGHT = 270, 420, 110  # pixels: labels, bars, figures
TOP, STEP, BAR = 40, 26, 16
FONT = "font-family='sans-serif' font-size='13'"


def bar(place, label, seen, scale):
    """One line of the picture: the label, the bar to the median, its range, the figure."""
    top = TOP + place * STEP
    middle, low, high = (LEFT + seen[key] * scale for key in ("median", "low", "high"))
    centre = top + BAR / 2
    yield f"<text x='{LEFT - 8}' y='{top + 13}' text-anchor='end'>{escape(label)}</text>"
    yield f"<rect x='{LEFT}' y='{top}' width='{middle - LEFT:.1f}' height='{BAR}' fill='#4477aa'/>"
    yield (f"<path d='M{low:.1f} {centre - 4}v8m0-4H{high:.1f}m0-4v8' stroke='#222' fill='none'/>")
    yield f"<text x='{max(middle, high) + 6:.1f}' y='{top + 13}'>{seen['median']:.3g}</text>"


def draw(plot, folder):
    """Writes one picture."""
    bars = plot["bars"]
    scale = WIDTH / max(max(seen["high"] for _, seen in bars), 1e-9)
    width, height = LEFT + WIDTH + RIGHT, TOP + len(bars) * STEP + 24
    lines = [f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' {FONT}>",
             "<rect width='100%' height='100%' fill='#fff'/>",
             f"<text x='{LEFT}' y='22' font-weight='bold'>{escape(plot['title'])}</text>"]
    for place, (label, seen) in enumerate(bars):
        lines += bar(place, label, seen, scale)
    lines.append(f"<text x='{LEFT}' y='{height - 8}' fill='#555'>{escape(plot['unit'])};"
                 " the line is the 25-75 % range</text></svg>")
    with open(f"{folder}/{plot['name']}", "w", encoding="utf-8") as out:
        out.write("\n".join(lines))
