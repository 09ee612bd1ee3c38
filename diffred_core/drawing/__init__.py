"""What all figures share: style, and showing figures, tables and answers with the words that say them."""

from __future__ import annotations

from diffred_core.errors import needs

with needs("figures"):
    import matplotlib as matplotlib  # first: where it is missing, more is than the tables that answers are read from

    from diffred_core.drawing._answer import Answer as Answer
    from diffred_core.drawing._answer import Verdicts as Verdicts
    from diffred_core.drawing._answer import counted as counted
    from diffred_core.drawing._show import Figure as Figure
    from diffred_core.drawing._show import Table as Table
    from diffred_core.drawing._show import picture as picture
    from diffred_core.drawing._show import png as png
    from diffred_core.drawing._show import show as show
    from diffred_core.drawing._show import show_table as show_table
    from diffred_core.drawing.style import Look as Look
    from diffred_core.drawing.style import looks as looks
